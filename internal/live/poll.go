package live

import (
	"context"
	"os"
	"time"

	"spoor"
)

// poller looks for programs that take mail in the list of processes, where
// nothing better works. What lives for less than the time between two looks is
// missed.
type poller struct {
	watch *Watch
	young map[int]*youth // processes that may still run another program
}

// youth is what is known of a process since it was seen first.
type youth struct {
	looks int
	told  bool
}

const (
	pollEvery = 5 * time.Millisecond
	// pollLooks is how often a new process is looked at: it begins as the copy of
	// its parent, and runs its own program soon.
	pollLooks = 10
)

func newPoller(w *Watch) *poller { return &poller{watch: w, young: map[int]*youth{}} }

func (p *poller) run(ctx context.Context, out chan<- *spoor.Sighting) {
	for began := time.Now(); ; began = time.Now() {
		p.look(out)
		if !pause(ctx, began, pollEvery) {
			return
		}
	}
}

// look lists the processes once.
func (p *poller) look(out chan<- *spoor.Sighting) {
	pids, err := theProc.pids()
	if err != nil {
		return
	}
	now := make(map[int]*youth, len(pids))
	for _, pid := range pids {
		one := p.young[pid]
		if one == nil {
			one = &youth{}
		}
		now[pid] = one
		if one.told || one.looks >= pollLooks {
			continue
		}
		one.looks++
		if s, ok := p.sighting(pid); ok {
			one.told = true
			out <- s
		}
	}
	p.young = now
}

// sighting tells of a process that runs a program which takes mail.
func (p *poller) sighting(pid int) (*spoor.Sighting, bool) {
	exe := theProc.name(pid, "exe")
	found, ok := p.watch.programs.running(exe)
	if !ok {
		return nil, false
	}
	process, parent, err := theProc.process(pid)
	if err != nil {
		return nil, false
	}
	args, _ := theProc.read(pid, "cmdline", argsLimit)
	environ, _ := theProc.read(pid, "environ", environLimit)
	s := &spoor.Sighting{
		Time: p.watch.config.Now(), Mechanism: Proc, Process: process, Parents: theProc.parents(parent),
		Program: found.path, Args: parseArgs(args), Claims: parseEnviron(environ, len(environ) < environLimit),
		Files: openFiles(p.watch, &process),
	}
	s.Process.Dir = below(p.watch.top, process.Dir)
	c := parseCommand(found.path, s.Args)
	s.Recipients = c.recipients
	return s, c.submits && theProc.is(&process) && sameExe(exe, process.Exe)
}

// sameExe reports whether a process still runs the same program.
func sameExe(link, exe string) bool {
	now, err := os.Readlink(link)
	return err == nil && now == exe
}
