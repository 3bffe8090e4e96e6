package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
)

// auditor sees execs by the records of the kernel's audit, where the administrator
// has a rule for them: auditctl(8). It joins those who read along (Linux 3.16,
// CAP_AUDIT_READ), asks and changes nothing: auditd gets its records as before.
type auditor struct {
	file     *os.File
	raw      syscall.RawConn
	observed *Watch
	narrow   string // which processes the rules leave out; "" for none
	events   *auditEvents
	serials  *serials
	recent   recentExecs
	lostAt   uint32 // auditState.lost at the beginning
	asked    time.Time
	hurry    bool // what is told is what the records say

	full    atomic.Int64 // times that the socket was full
	missed  atomic.Int64 // events that never came
	dropped atomic.Int64 // records that the kernel had no room for, or that were over its limit
	partial atomic.Int64 // execs of which records are missing
	gone    atomic.Int64 // callers that had ended before they could be looked at
	blind   atomic.Int64 // looks that found audit without its rule
}

const (
	auditTick = 100 * time.Millisecond
	// auditAskEvery is how often audit is asked whether its rule is still there.
	auditAskEvery = time.Second
	auditBuffer   = 16 << 20 // bytes of records that wait
)

func newAuditor(w *Watch) (*auditor, error) {
	a := &auditor{observed: w, events: newAuditEvents(), serials: newSerials(), recent: recentExecs{}}
	if err := a.open(); err != nil {
		_ = a.close()
		return nil, fmt.Errorf("audit: %w", err)
	}
	return a, nil
}

func (a *auditor) open() error {
	state, err := askAudit()
	if err != nil {
		return auditProblem(err, "CAP_AUDIT_CONTROL")
	}
	if err := state.usable(); err != nil {
		return err
	}
	a.narrow, a.lostAt, a.asked = state.narrowed(), state.lost, time.Now()
	if a.narrow != "" && a.observed.config.Mechanism == "" {
		return fmt.Errorf("%w: %s", errAuditNarrow, a.narrow)
	}
	if !inFirstNetwork() {
		return errAuditNetwork
	}
	return auditProblem(a.join(), "CAP_AUDIT_READ")
}

// auditProblem says in the words of operators why audit does not answer.
func auditProblem(err error, right string) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("the right for it is missing (%s): %w", right, err)
	case errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("a container is not answered: %w", err)
	case errors.Is(err, unix.EPROTONOSUPPORT):
		return fmt.Errorf("the kernel has none: %w", err)
	}
	return err
}

// join opens the socket that the records come by.
func (a *auditor) join() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_AUDIT)
	if err != nil {
		return err
	}
	a.file = os.NewFile(uintptr(fd), "audit")
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, auditBuffer) != nil { // takes CAP_NET_ADMIN
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, auditBuffer)
	}
	if a.raw, err = a.file.SyscallConn(); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.AUDIT_NLGRP_READLOG - 1)})
}

// watch implements sensor. Files are compared when a record comes.
func (a *auditor) watch([]program) error { return nil }

// run implements sensor. Records that are on their way when ctx ends are told too.
func (a *auditor) run(ctx context.Context, out chan<- *spoor.Sighting) error {
	buf := make([]byte, maxAuditMessage)
	for ctx.Err() == nil {
		if err := a.readFor(auditTick, buf, out); err != nil {
			return fmt.Errorf("read the records of audit: %w", err)
		}
		a.tick(out)
	}
	a.drain(buf, out)
	a.end(out)
	return nil
}

// drain tells of what waits to be read. When that takes long nobody is looked at
// any more, which takes a hundred times longer than to read of him.
func (a *auditor) drain(buf []byte, out chan<- *spoor.Sighting) {
	for ended := time.Now(); time.Since(ended) < 3*drainTime; {
		a.hurry = time.Since(ended) > drainTime
		if a.file.SetReadDeadline(time.Now().Add(drainEmpty)) != nil || a.read(buf, out) != nil {
			return
		}
	}
	a.full.Add(1)
}

// readFor reads for a time.
func (a *auditor) readFor(long time.Duration, buf []byte, out chan<- *spoor.Sighting) error {
	if err := a.file.SetReadDeadline(time.Now().Add(long)); err != nil {
		return err
	}
	for {
		err := a.read(buf, out)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// read takes one record.
func (a *auditor) read(buf []byte, out chan<- *spoor.Sighting) error {
	n, from, err := a.receive(buf)
	if errors.Is(err, unix.ENOBUFS) {
		a.full.Add(1)
		return nil
	}
	if err != nil {
		return err
	}
	if kind, text, ok := auditMessage(buf[:n], from); ok {
		a.record(kind, text, out)
	}
	return nil
}

// receive waits for a message.
func (a *auditor) receive(buf []byte) (n int, from unix.Sockaddr, err error) {
	var failed error
	err = a.raw.Read(func(fd uintptr) bool {
		n, from, failed = unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
		return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
	})
	return n, from, errors.Join(err, failed)
}

// record adds a record to its event, and tells of the event when it is complete.
func (a *auditor) record(kind uint16, text []byte, out chan<- *spoor.Sighting) {
	stamp, rest, ok := parseAuditStamp(text)
	if !ok {
		return
	}
	a.serials.see(stamp.serial)
	if e, ok := a.events.take(kind, stamp, rest); ok {
		a.tell(e, out)
	}
}

func (a *auditor) tell(e *auditEvent, out chan<- *spoor.Sighting) {
	if s := a.sighting(e); s != nil {
		out <- s
	}
}

// tick does what has to be done from time to time.
func (a *auditor) tick(out chan<- *spoor.Sighting) {
	for _, e := range a.events.stale(time.Now().Add(-auditStale)) {
		a.tell(e, out)
	}
	a.count()
	if time.Since(a.asked) >= auditAskEvery {
		a.ask()
	}
}

// end tells of what is left.
func (a *auditor) end(out chan<- *spoor.Sighting) {
	for _, e := range a.events.stale(time.Now()) {
		a.tell(e, out)
	}
	a.serials.end()
	a.count()
	a.ask()
}

// count brings up to date what others read.
func (a *auditor) count() {
	a.missed.Store(int64(a.serials.missed))
	a.partial.Add(int64(a.events.cut))
	a.events.cut = 0
}

// ask looks whether audit still tells of execs, and how much it has lost.
func (a *auditor) ask() {
	state, err := askAudit()
	a.asked = time.Now()
	if err != nil || state.usable() != nil {
		a.blind.Add(1)
		return
	}
	if state.lost > a.lostAt { // it is less where somebody has set it back
		a.dropped.Add(int64(state.lost - a.lostAt))
	}
	a.lostAt = state.lost
}

// misses says in words what it can miss.
func (a *auditor) misses() string {
	which := "sees the execs of these programs that the server's own rules of audit tell of"
	if a.narrow != "" {
		which += ", which leave processes out (" + a.narrow + ")"
	}
	return which + "; what its limits (rate, backlog) drop is counted. Processes that are older than audit's being enabled are not seen. " +
		"Of a caller that lives for less than some milliseconds it knows user, folder and arguments, but neither files nor request. Connections that live for less than a second can be missed"
}

// lost implements sensor.
func (a *auditor) lost() []spoor.Gap {
	var gaps []spoor.Gap
	for _, one := range []struct {
		count  int64
		reason string
	}{
		{a.full.Load(), "records came faster than they could be read: times that some were lost by it"},
		{a.missed.Load(), "events of audit that never came, of whatever kind"},
		{a.dropped.Load(), "records that audit dropped itself, over its rate or its backlog"},
		{a.partial.Load(), "execs of which records are missing: not told"},
		{a.gone.Load(), "told by its record alone: the caller had ended before its files and its request could be looked at"},
		{a.blind.Load(), "looks, one a second, that found audit disabled or without its rule: meanwhile nothing was seen"},
	} {
		if one.count > 0 {
			gaps = append(gaps, spoor.Gap{File: "(audit)", Reason: one.reason, Count: int(one.count)})
		}
	}
	return gaps
}

// close implements sensor.
func (a *auditor) close() error {
	if a.file == nil {
		return nil
	}
	return a.file.Close()
}
