package live

import (
	"errors"
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
	if !ok {
		exe, dir := e.place(a.observed.top, program{})
		a.recent.add(e, spoor.Process{PID: e.pid, UID: e.uid, GID: e.gid, Comm: e.comm, Exe: exe, Dir: dir})
		return nil
	}
	if e.pid == os.Getpid() {
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
	a.parents(s, e.ppid)
	a.recent.add(e, s.Process)
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
	case found.full != "" && filepath.Join(top, e.exe) == found.full:
		return found.full, e.dir
	}
	return "", ""
}

// errHurry is returned where there is no time to look.
var errHurry = errors.New("no time to look")

// process is what /proc says of a process.
func (a *auditor) process(pid int) (spoor.Process, error) {
	if a.hurry {
		return spoor.Process{}, errHurry
	}
	process, _, err := theProc.process(pid)
	return process, err
}

// beside adds what /proc still knows, and reports whether the process had not
// ended.
func (a *auditor) beside(s *spoor.Sighting, e *auditEvent) bool {
	now, err := a.process(e.pid)
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

// parents adds those that the process descends from: as /proc has them, and of one
// that has ended as its own exec was told a moment before.
func (a *auditor) parents(s *spoor.Sighting, parent int) {
	for len(s.Parents) < maxParents {
		var list []spoor.Process
		if !a.hurry {
			list = theProc.parents(parent)
		}
		if len(list) > 0 && !startedBefore(list[0].Start, s.Time, a.observed.config.Now()) {
			list = nil
		}
		before, ok := a.recent.near(parent, s.Time)
		if !ok || len(list) > 0 && list[0].Exe != "" {
			s.Parents = append(s.Parents, list[:min(len(list), maxParents-len(s.Parents))]...)
			return
		}
		s.Parents, parent = append(s.Parents, before.process), before.parent
	}
}

// startedBefore reports whether a process was there at a time; if not it is another
// one, that has got the PID since. Both clocks are coarse.
func startedBefore(start time.Duration, at, now time.Time) bool {
	return start <= at.Sub(bootTime(now))+2*tick
}

// recentExecs are the processes that ran a program a moment ago, by PID. What has
// ended is not in /proc: its parents are found by it, and the program that it
// handed its mail to is known as the same submission.
type recentExecs map[int]recentExec

type recentExec struct {
	process spoor.Process
	parent  int
	at      time.Time
}

// Bounds of what is remembered. In recentTime no PID is given twice.
const (
	recentTime = time.Second
	recentSize = 4096
)

func (r recentExecs) add(e *auditEvent, process spoor.Process) {
	if len(r) >= recentSize {
		for pid, one := range r {
			if e.stamp.at.Sub(one.at) > recentTime {
				delete(r, pid)
			}
		}
	}
	if len(r) >= recentSize {
		clear(r)
	}
	r[process.PID] = recentExec{process, e.ppid, e.stamp.at}
}

// near is a process that ran a program shortly before.
func (r recentExecs) near(pid int, at time.Time) (recentExec, bool) {
	one, ok := r[pid]
	return one, ok && at.Sub(one.at).Abs() <= recentTime
}

// start is when a process was started that has ended: as it was known before, else
// the moment of its exec.
func (r recentExecs) start(s *spoor.Sighting, now time.Time) time.Duration {
	if before, ok := r.near(s.Process.PID, s.Time); ok && before.process.Start > 0 {
		return before.process.Start
	}
	return s.Time.Sub(bootTime(now))
}
