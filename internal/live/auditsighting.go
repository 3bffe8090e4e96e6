package live

import (
	"os"
	"path/filepath"
	"time"

	"spoor"
)

// sighting makes of an exec what is known of it, or nil where no program that is
// watched was run, or not to take mail. What a record says goes before what /proc
// says a moment later.
func (a *auditor) sighting(e *auditEvent) *spoor.Sighting {
	if !e.whole() {
		a.partial.Add(1)
		return nil
	}
	found, ok := a.program(e)
	if !ok || e.pid == os.Getpid() {
		return nil
	}
	s := &spoor.Sighting{Time: e.stamp.at, Mechanism: Audit, Program: found.path}
	s.Args = ofScript(e.args.list(), e.file(0).name, e.file(1).name)
	c := parseCommand(found.path, s.Args)
	if s.Recipients = c.recipients; !c.submits {
		return nil
	}
	s.Process = spoor.Process{PID: e.pid, UID: e.uid, GID: e.gid, Comm: e.comm}
	s.Process.Exe, s.Process.Dir = e.place(a.observed.top, found)
	if !a.beside(s, e) {
		a.gone.Add(1)
	}
	a.parents(s, e)
	a.recent.add(s)
	return s
}

// program is the one that is watched among the files of an exec: the first is the
// program, the second the interpreter of a script.
func (a *auditor) program(e *auditEvent) (program, bool) {
	for item := range maxAuditPaths {
		if file := e.file(item); file.item == item {
			if found, ok := a.observed.programs.find(file.id); ok {
				return found, true
			}
		}
	}
	return program{}, false
}

// place is the program and the folder of an exec: the program as the machine names
// it, the folder below the root that is examined. The record has them as the
// process sees them, which may have that root for its own; "" where that cannot be
// known.
func (e *auditEvent) place(top string, found program) (exe, dir string) {
	switch {
	case top == "/", below(top, e.exe) != "":
		return e.exe, below(top, e.dir)
	case filepath.Join(top, e.exe) == found.full:
		return found.full, e.dir
	}
	return "", ""
}

// beside adds what /proc still knows, and reports whether the process had not
// ended.
func (a *auditor) beside(s *spoor.Sighting, e *auditEvent) bool {
	now, _, err := theProc.process(e.pid)
	if err != nil || !startedBefore(now.Start, e.stamp.at, a.observed.config.Now()) {
		s.Process.Start = a.recent.start(s, a.observed.config.Now())
		return false
	}
	s.Process.Start = now.Start
	if now.Exe == "" {
		return false // it waits for its parent to be told of its end
	}
	if s.Process.Exe == "" {
		s.Process.Exe, s.Process.Dir = now.Exe, below(a.observed.top, now.Dir)
	}
	environ, _ := theProc.read(e.pid, "environ", environLimit)
	files := openFiles(a.observed, &now)
	if !theProc.is(&now) {
		return false
	}
	s.Claims, s.Files = parseEnviron(environ, len(environ) < environLimit), files
	_, err = os.Readlink(theProc.name(e.pid, "exe")) // it may have ended in between
	return err == nil
}

// parents adds those that the process descends from.
func (a *auditor) parents(s *spoor.Sighting, e *auditEvent) {
	list := theProc.parents(e.ppid)
	if len(list) > 0 && startedBefore(list[0].Start, e.stamp.at, a.observed.config.Now()) {
		s.Parents = list
	} else if parent, ok := a.recent.near(e.ppid, s.Time); ok {
		s.Parents = []spoor.Process{parent}
	}
}

// startedBefore reports whether a process was there at a time; if not it is another
// one, that has got the PID since. Both clocks are coarse.
func startedBefore(start time.Duration, at, now time.Time) bool {
	return start <= at.Sub(bootTime(now))+2*tick
}

// recentMail are the processes that were told of a moment ago, by PID. One that had
// ended is not in /proc, and the program that it handed its mail to must be known
// as the same submission.
type recentMail map[int]recentProcess

type recentProcess struct {
	process spoor.Process
	at      time.Time
}

// Bounds of what is remembered. In recentTime no PID is given twice.
const (
	recentTime = time.Second
	recentSize = 4096
)

func (r recentMail) add(s *spoor.Sighting) {
	if len(r) >= recentSize {
		for pid, one := range r {
			if s.Time.Sub(one.at) > recentTime {
				delete(r, pid)
			}
		}
	}
	if len(r) >= recentSize {
		clear(r)
	}
	r[s.Process.PID] = recentProcess{s.Process, s.Time}
}

// near is a process that was told of shortly before.
func (r recentMail) near(pid int, at time.Time) (spoor.Process, bool) {
	one, ok := r[pid]
	return one.process, ok && at.Sub(one.at).Abs() <= recentTime
}

// start is when a process was started that has ended: as it was known before, else
// the moment of its exec.
func (r recentMail) start(s *spoor.Sighting, now time.Time) time.Duration {
	if before, ok := r.near(s.Process.PID, s.Time); ok {
		return before.Start
	}
	return s.Time.Sub(bootTime(now))
}
