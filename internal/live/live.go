// Package live is what processes do now. Processes that run a program which
// takes mail, that connect to a port of SMTP, or that have a script open enter
// through it, from the kernel (eBPF, audit, fanotify) and from /proc; what leaves is a
// spoor.Sighting of each, with the source, the script and the client that it
// comes from and how each of these is known.
//
// Nothing of it stays in the system: programs, maps and marks are bound to
// descriptors, and the kernel removes them when spoor ends, however it ends.
package live

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"spoor"
	"spoor/internal/host"
)

// The mechanisms, as they are called on the command line.
const (
	EBPF     = "ebpf"
	Audit    = "audit"
	Fanotify = "fanotify"
	Proc     = "proc"
)

// Mechanisms lists them, the best first.
func Mechanisms() []string { return []string{EBPF, Audit, Fanotify, Proc} }

// ErrNoMechanism is returned where the mechanism that was asked for does not work
// here.
var ErrNoMechanism = errors.New("this mechanism does not work here")

// Config says what is watched.
type Config struct {
	Root       *host.Root                  // the running server, or the root of a part of it
	Programs   []string                    // below the root: those that take mail. Links are followed
	Mechanism  string                      // one of Mechanisms; "" is the best that works
	Permission bool                        // fanotify holds each exec until its caller was looked at
	InSite     func(path string) bool      // whether a path below the root lies in a site
	Mail       func(p *spoor.Process) bool // its Exe is below the root: whether a process is a part of the mail system
	Now        func() time.Time
}

// sensor is one mechanism at work.
type sensor interface {
	// run sends what it sees until ctx ends. Its error is that of the mechanism,
	// nil if ctx ended.
	run(ctx context.Context, out chan<- *spoor.Sighting) error
	// watch takes the files over that are to be watched from now on.
	watch(files []program) error
	// lost counts what was seen and could not be told.
	lost() []spoor.Gap
	close() error
}

// Watch is a running observation. It is for one goroutine.
type Watch struct {
	config    Config
	top       string // Config.Root as the kernel names it
	programs  *programs
	main      sensor // nil for Proc
	mechanism string
	refused   []Refusal
	snapshots *snapshots
	family    *family
	failed    atomic.Pointer[error]
	own       map[int]int // of the mail system itself, by UID
}

// Refusal is a mechanism that does not work here, and why.
type Refusal struct {
	Mechanism string
	Err       error
}

// Open starts to observe with the best mechanism that works, or with the one
// that Config names: then the error is ErrNoMechanism if it does not. The caller
// closes the Watch.
func Open(config Config) (*Watch, error) {
	w := &Watch{config: config, top: folderOf(config.Root), programs: newPrograms(config.Root, config.Programs), family: newFamily(), own: map[int]int{}}
	w.programs.refresh()
	for _, mechanism := range Mechanisms() {
		if config.Mechanism != "" && config.Mechanism != mechanism || config.Permission && mechanism != Fanotify {
			continue
		}
		main, err := w.sensor(mechanism)
		if err == nil {
			w.main, w.mechanism = main, mechanism
			break
		}
		w.refused = append(w.refused, Refusal{mechanism, err})
	}
	if w.mechanism == "" {
		return nil, w.none()
	}
	w.snapshots = newSnapshots(w)
	return w, nil
}

// folderOf is the folder of a root as the kernel names it: without links.
func folderOf(root *host.Root) string {
	name, err := filepath.Abs(root.Dir())
	if err != nil {
		return root.Dir()
	}
	if whole, err := filepath.EvalSymlinks(name); err == nil {
		return whole
	}
	return name
}

// none says why nothing works.
func (w *Watch) none() error {
	if len(w.refused) == 0 {
		return fmt.Errorf("%w: there is no %q", ErrNoMechanism, w.config.Mechanism)
	}
	return fmt.Errorf("%w: %w", ErrNoMechanism, w.refused[0].Err)
}

// sensor starts a mechanism. That of Proc is nil: snapshots are taken anyway.
func (w *Watch) sensor(mechanism string) (sensor, error) {
	var made sensor
	var err error
	switch mechanism {
	case EBPF:
		made, err = newTracer(w)
	case Audit:
		made, err = newAuditor(w)
	case Fanotify:
		made, err = newNotifier(w)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := made.watch(w.programs.list()); err != nil {
		_ = made.close()
		return nil, err
	}
	return made, nil
}

// Mechanism is the one that is at work.
func (w *Watch) Mechanism() string { return w.mechanism }

// Refused lists those before it that do not work here.
func (w *Watch) Refused() []Refusal { return w.refused }

// Watched lists the programs that are watched, below the root.
func (w *Watch) Watched() []string { return w.programs.paths() }

// Failed is why the mechanism ended before the observation did; nil as a rule.
func (w *Watch) Failed() error {
	if err := w.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Own counts what parts of the mail system did, by UID. It is complete when Run
// has returned.
func (w *Watch) Own() map[int]int { return w.own }

// Lost lists what was seen and could not be told, and what could not be looked
// at.
func (w *Watch) Lost() []spoor.Gap {
	gaps := w.snapshots.lost()
	if w.main != nil {
		gaps = append(gaps, w.main.lost()...)
	}
	return gaps
}

// Close ends the mechanism.
func (w *Watch) Close() error {
	if w.main == nil {
		return nil
	}
	return w.main.close()
}

// Misses says in words what the mechanism at work can miss.
func (w *Watch) Misses() string {
	switch w.mechanism {
	case EBPF:
		return "sees every exec of these programs and every new connection to ports 25, 465 and 587, however short. What a burst makes it lose is counted"
	case Audit:
		if a, ok := w.main.(*auditor); ok {
			return a.misses()
		}
	case Fanotify:
		if w.config.Permission {
			return "sees every exec of these programs and holds its caller for at most 5 ms. Arguments are not known; connections that live for less than a second can be missed"
		}
		return "sees every exec of these programs; of a caller that lives for less than some milliseconds it may know the PID alone, or nothing. Connections that live for less than a second can be missed"
	}
	return "sees few of the programs that live for some milliseconds only, and connections that last a second or more"
}

// pending is how many sightings wait for the one that is being worked on.
const pending = 4096

// refreshEvery is how often it is looked whether a program was replaced.
const refreshEvery = time.Second

// Run hands every sighting to each until ctx ends. A submission that runs through
// several programs (sendmail, postdrop) is told once. each is called by one
// goroutine, and by no other than that of Run.
func (w *Watch) Run(ctx context.Context, each func(*spoor.Sighting)) {
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan *spoor.Sighting, pending)
	running := w.start(ctx, out)
	defer func() {
		cancel()
		go func() { running.Wait(); close(out) }()
		for s := range out {
			w.tell(s, each)
		}
	}()
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-out:
			w.tell(s, each)
		case <-ticker.C:
			w.refresh()
		}
	}
}

// start starts the mechanism and the snapshots, which end with ctx.
func (w *Watch) start(ctx context.Context, out chan<- *spoor.Sighting) *sync.WaitGroup {
	var running sync.WaitGroup
	running.Go(func() { w.snapshots.run(ctx, out) })
	running.Go(func() {
		if w.main == nil {
			newPoller(w).run(ctx, out)
			return
		}
		if err := w.main.run(ctx, out); err != nil {
			w.failed.CompareAndSwap(nil, &err)
		}
	})
	return &running
}

// tell hands a sighting on, unless it is the second of one submission.
func (w *Watch) tell(s *spoor.Sighting, each func(*spoor.Sighting)) {
	if w.outside(s) {
		return
	}
	mail := s.Process
	mail.Exe = below(w.top, mail.Exe)
	if w.config.Mail(&mail) {
		w.own[s.Process.UID]++
		return
	}
	if s.Activity != spoor.ActivitySubmission || w.family.first(s) {
		each(s)
	}
}

// outside reports whether a process has nothing to do with the root: ports and
// processes are those of the whole machine.
func (w *Watch) outside(s *spoor.Sighting) bool {
	return s.Activity == spoor.ActivityConnection && below(w.top, s.Process.Exe) == "" && w.top != "/"
}

// refresh watches the programs that have been replaced.
func (w *Watch) refresh() {
	if !w.programs.refresh() || w.main == nil {
		return
	}
	if err := w.main.watch(w.programs.list()); err != nil {
		w.failed.CompareAndSwap(nil, &err)
	}
}
