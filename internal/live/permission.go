package live

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
)

// gatekeeper is fanotify in permission mode: the kernel holds each exec of a
// program that takes mail until it is answered, so the caller cannot have ended
// when it is looked at. All mail of local users waits for this process, so
//
//   - the answer is always yes, and comes from a thread that does nothing else;
//   - what is not known of the caller after answerBudget is left out, and for
//     hurryTime after that nobody is looked at;
//   - a watchdog gives the marks up if an answer takes watchdogTime: then
//     everything passes, for good.
//
// This process must not run such a program itself while it watches: Go's runtime
// stands still from the fork to the exec, the watchdog with it, and the exec would
// wait for an answer for ever.
type gatekeeper struct {
	observed *Watch
	fd       int
	wake     int // eventfd(2): ends the thread
	nowhere  int // /dev/null
	closing  sync.Once
	closed   atomic.Bool

	asked    atomic.Int64 // when the question that is being answered came: UnixNano; 0: none
	question atomic.Int32 // its descriptor
	hurry    time.Time    // until then nobody is looked at: an answer was late
	overflow atomic.Int64
	gone     atomic.Int64
	late     atomic.Int64 // callers that were let pass before all of them was known
	unheard  atomic.Int64 // sightings that found no room
	tripped  atomic.Bool  // the watchdog has closed the descriptor
}

const (
	answerBudget = 5 * time.Millisecond
	hurryTime    = 20 * time.Millisecond
	watchdogTime = 250 * time.Millisecond
)

// errTripped is returned where the watchdog has ended permission mode.
var errTripped = errors.New("an answer to the kernel took too long: nothing is held any more, and nothing more is seen by fanotify")

func newGatekeeper(w *Watch) (sensor, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK|unix.FAN_UNLIMITED_QUEUE, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_LARGEFILE)
	if err != nil {
		return nil, fmt.Errorf("fanotify: %w", err)
	}
	wake, errWake := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	nowhere, errNull := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err := errors.Join(errWake, errNull); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("fanotify: %w", err)
	}
	return &gatekeeper{observed: w, fd: fd, wake: wake, nowhere: nowhere}, nil
}

// watch implements sensor.
func (g *gatekeeper) watch(files []program) error {
	if g.closed.Load() {
		return nil
	}
	for _, file := range files {
		if err := unix.FanotifyMark(g.fd, unix.FAN_MARK_ADD, unix.FAN_OPEN_EXEC_PERM, unix.AT_FDCWD, file.full); err != nil {
			return fmt.Errorf("mark %s: %w", file.path, err)
		}
	}
	return nil
}

// run implements sensor.
func (g *gatekeeper) run(ctx context.Context, out chan<- *spoor.Sighting) error {
	stop := context.AfterFunc(ctx, g.stop)
	defer stop()
	ended := make(chan error, 1)
	quit := make(chan struct{})
	var watchdog sync.WaitGroup
	watchdog.Go(func() { g.watchdog(quit) })
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		ended <- g.answerAll(out)
	}()
	err := <-ended
	close(quit)
	watchdog.Wait()
	g.letGo()
	if g.tripped.Load() {
		return errTripped
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// stop wakes the thread to end it.
func (g *gatekeeper) stop() { _, _ = unix.Write(g.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// oneQuestion holds one question and not two: those that wait their turn stay in
// the kernel, where letGo finds them.
const oneQuestion = 40

// answerAll answers until it is woken up to end.
func (g *gatekeeper) answerAll(out chan<- *spoor.Sighting) error {
	buf := make([]byte, oneQuestion)
	polled := []unix.PollFd{{Fd: int32(g.fd), Events: unix.POLLIN}, {Fd: int32(g.wake), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(polled, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("wait for fanotify: %w", err)
		case polled[1].Revents != 0:
			return nil
		}
		n, err := unix.Read(g.fd, buf)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("read fanotify: %w", err)
		}
		for _, event := range parseNotices(buf[:n]) {
			g.answer(event, out)
		}
	}
}

// answer looks at the caller, for at most the budget, and lets it go on.
func (g *gatekeeper) answer(event notice, out chan<- *spoor.Sighting) {
	if event.mask&unix.FAN_Q_OVERFLOW != 0 {
		g.overflow.Add(1)
	}
	if event.fd < 0 {
		return
	}
	g.question.Store(event.fd)
	g.asked.Store(time.Now().UnixNano())
	found, ok := g.observed.programs.behind(int(event.fd))
	var s *spoor.Sighting
	if ok && int(event.pid) != os.Getpid() {
		s = g.look(int(event.pid), found)
	}
	g.allow(event.fd)
	g.asked.Store(0)
	_ = unix.Close(int(event.fd))
	if s == nil {
		return
	}
	select {
	case out <- s:
	default:
		g.unheard.Add(1)
	}
}

// look is what is known of a caller within the budget.
func (g *gatekeeper) look(pid int, found program) *spoor.Sighting {
	if time.Now().Before(g.hurry) {
		return g.unknown(pid, found)
	}
	type known struct {
		s     *spoor.Sighting
		alive bool
	}
	done := make(chan known, 1)
	go func() {
		s, alive := callerOf(g.observed, pid, found)
		done <- known{s, alive}
	}()
	timer := time.NewTimer(answerBudget)
	defer timer.Stop()
	select {
	case k := <-done:
		if !k.alive {
			g.gone.Add(1)
		}
		return k.s
	case <-timer.C:
		g.hurry = time.Now().Add(hurryTime)
		return g.unknown(pid, found)
	}
}

// unknown is a caller of which there was no time to know more.
func (g *gatekeeper) unknown(pid int, found program) *spoor.Sighting {
	g.late.Add(1)
	return &spoor.Sighting{
		Time: g.observed.config.Now(), Mechanism: Fanotify, Program: found.path,
		Process: spoor.Process{PID: pid, UID: -1, GID: -1},
	}
}

// allow answers yes: struct fanotify_response.
func (g *gatekeeper) allow(fd int32) {
	response := [8]byte{}
	binary.NativeEndian.PutUint32(response[:4], uint32(fd))
	binary.NativeEndian.PutUint32(response[4:], unix.FAN_ALLOW)
	for {
		_, err := unix.Write(g.fd, response[:])
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// watchdog closes the descriptor when an answer takes too long.
func (g *gatekeeper) watchdog(quit <-chan struct{}) {
	ticker := time.NewTicker(watchdogTime / 5)
	defer ticker.Stop()
	for {
		select {
		case <-quit:
			return
		case now := <-ticker.C:
			if asked := g.asked.Load(); asked != 0 && now.Sub(time.Unix(0, asked)) > watchdogTime {
				g.tripped.Store(true)
				g.letGo()
				g.stop()
				return
			}
		}
	}
}

// letGo gives the marks up and answers yes to all that wait. Closing the
// descriptor would do, but for a process that was just forked and has a copy of
// it: that may be the one that waits. Another file takes the number of the
// descriptor, so that an answer which is still on its way goes nowhere.
func (g *gatekeeper) letGo() {
	g.closing.Do(func() {
		g.closed.Store(true)
		_ = unix.FanotifyMark(g.fd, unix.FAN_MARK_FLUSH, 0, unix.AT_FDCWD, "/")
		if g.asked.Load() != 0 {
			g.allow(g.question.Load())
		}
		g.allowAll()
		_ = unix.Dup3(g.nowhere, g.fd, unix.O_CLOEXEC)
	})
}

// allowAll answers all questions that nobody has read.
func (g *gatekeeper) allowAll() {
	buf := make([]byte, oneQuestion)
	for {
		n, err := unix.Read(g.fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		for _, event := range parseNotices(buf[:n]) {
			if event.fd >= 0 {
				g.allow(event.fd)
				_ = unix.Close(int(event.fd))
			}
		}
	}
}

// lost implements sensor.
func (g *gatekeeper) lost() []spoor.Gap {
	gaps := fanotifyGaps(g.overflow.Load(), g.gone.Load())
	if n := g.late.Load(); n > 0 {
		gaps = append(gaps, spoor.Gap{File: "(fanotify)", Reason: "seen, and let go on after 5 ms, before its caller was known", Count: int(n)})
	}
	if n := g.unheard.Load(); n > 0 {
		gaps = append(gaps, spoor.Gap{File: "(fanotify)", Reason: "seen and not told: they came faster than they could be shown", Count: int(n)})
	}
	return gaps
}

// close implements sensor.
func (g *gatekeeper) close() error {
	g.letGo()
	return errors.Join(unix.Close(g.fd), unix.Close(g.nowhere), unix.Close(g.wake))
}
