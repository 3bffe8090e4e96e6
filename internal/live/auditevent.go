package live

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// auditEvent is an exec, put together from its records.
type auditEvent struct {
	auditSyscall
	stamp auditStamp
	come  time.Time // when its first record was read
	known bool      // the SYSCALL record was there
	exec  bool      // an EXECVE record was there
	ended bool      // the record that ends it was there
	args  auditArgs
	dir   string
	paths []auditPath
}

// Bounds of what is kept of events that are not complete.
const (
	maxAuditEvents = 512
	maxAuditPaths  = 8
	// auditStale is when an event counts as complete without its last record, which
	// a rule may leave out.
	auditStale = 200 * time.Millisecond
)

// auditEvents puts records together that are mixed with those of other events.
type auditEvents struct {
	open map[uint64]*auditEvent
	cut  int // events that had to go before they were complete
}

func newAuditEvents() *auditEvents { return &auditEvents{open: map[uint64]*auditEvent{}} }

// take adds a record to its event, and returns the event if it is complete now.
func (a *auditEvents) take(kind uint16, stamp auditStamp, text []byte) (*auditEvent, bool) {
	switch kind {
	case unix.AUDIT_SYSCALL, unix.AUDIT_EXECVE, unix.AUDIT_CWD, unix.AUDIT_PATH, unix.AUDIT_EOE:
	default:
		return nil, false
	}
	e := a.open[stamp.serial]
	if e == nil {
		if len(a.open) >= maxAuditEvents {
			a.drop()
		}
		e = &auditEvent{stamp: stamp, come: time.Now(), args: auditArgs{}}
		a.open[stamp.serial] = e
	}
	e.add(kind, text)
	if !e.ended || !e.known {
		return nil, false
	}
	delete(a.open, stamp.serial)
	return e, e.isExec()
}

// add reads a record.
func (e *auditEvent) add(kind uint16, text []byte) {
	switch kind {
	case unix.AUDIT_SYSCALL:
		if s, ok := parseAuditSyscall(text); ok {
			e.auditSyscall, e.known = s, true
		}
	case unix.AUDIT_EXECVE:
		e.exec = true
		e.args.add(text)
	case unix.AUDIT_CWD:
		for key, value := range auditFields(text) {
			if key == "cwd" {
				e.dir = auditString(value)
			}
		}
	case unix.AUDIT_PATH:
		if p, ok := parseAuditPath(text); ok && len(e.paths) < maxAuditPaths {
			e.paths = append(e.paths, p)
		}
	case unix.AUDIT_EOE:
		e.ended = true
	}
}

// isExec reports whether a program was run.
func (e *auditEvent) isExec() bool { return e.exec && (e.success || !e.known) }

// whole reports whether it is known who ran which program.
func (e *auditEvent) whole() bool { return e.known && e.file(0).item == 0 }

// file is one of its files by number; without an item if it is not known.
func (e *auditEvent) file(item int) auditPath {
	if i := slices.IndexFunc(e.paths, func(p auditPath) bool { return p.item == item }); i >= 0 {
		return e.paths[i]
	}
	return auditPath{item: -1}
}

// stale takes the execs out that have waited long enough for their last record;
// all of them if before is in the future.
func (a *auditEvents) stale(before time.Time) []*auditEvent {
	var execs []*auditEvent
	for serial, e := range a.open {
		if e.come.After(before) {
			continue
		}
		delete(a.open, serial)
		if e.isExec() {
			execs = append(execs, e)
		}
	}
	slices.SortFunc(execs, func(x, y *auditEvent) int { return int(int64(x.stamp.serial - y.stamp.serial)) })
	return execs
}

// drop makes room: the event with the lowest number goes.
func (a *auditEvents) drop() {
	oldest := uint64(1<<64 - 1)
	for serial := range a.open {
		oldest = min(oldest, serial)
	}
	if a.open[oldest].isExec() {
		a.cut++
	}
	delete(a.open, oldest)
}

// serials finds out how many events never came: the kernel numbers them without
// gaps. Two processors may send theirs in the wrong order.
type serials struct {
	next   uint64
	ahead  map[uint64]struct{} // seen before their turn
	missed int
}

// serialsApart is how many events may come before one that is not lost.
const serialsApart = 1024

func newSerials() *serials { return &serials{ahead: map[uint64]struct{}{}} }

func (s *serials) see(n uint64) {
	switch {
	case s.next == 0:
		s.next = n + 1
	case n == s.next:
		s.next++
		s.follow()
	case n > s.next:
		s.ahead[n] = struct{}{}
		if len(s.ahead) > serialsApart {
			s.skip()
		}
	}
}

// follow goes on to the next one that was not seen.
func (s *serials) follow() {
	for len(s.ahead) > 0 {
		if _, seen := s.ahead[s.next]; !seen {
			return
		}
		delete(s.ahead, s.next)
		s.next++
	}
}

// skip gives up those before the next one that was seen.
func (s *serials) skip() {
	least := uint64(1<<64 - 1)
	for n := range s.ahead {
		least = min(least, n)
	}
	s.missed += int(least - s.next)
	s.next = least
	s.follow()
}

// end gives up all that did not come.
func (s *serials) end() {
	for len(s.ahead) > 0 {
		s.skip()
	}
}
