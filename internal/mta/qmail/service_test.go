package qmail

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/guard"
	"spoor/internal/mta"
)

// runner runs programs as the product does.
type runner struct{}

func (runner) Run(ctx context.Context, input []byte, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(string(input))
	return cmd.CombinedOutput()
}

// daemonOf finds the qmail-send of a mail system as findService does.
func daemonOf(t *testing.T, s *mailSystem) *daemon {
	t.Helper()
	d, err := s.find(t)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.close() })
	return d
}

func (s *mailSystem) find(t *testing.T) (*daemon, error) {
	t.Helper()
	d, err := findDaemon(t.Context(), s.control(t), s.queue(), keeperPlaces{scripts: s.scripts})
	if d != nil {
		d.grace = 300 * time.Millisecond
	}
	return d, err
}

// running returns the qmail-send of the mail system, and waits until there is one.
func (s *mailSystem) running(t *testing.T) osProcess {
	t.Helper()
	m, err := openMutex(s.control(t).Top, s.queue())
	noError(t, err)
	defer func() { noError(t, m.close()) }()
	var p osProcess
	eventually(t, "qmail-send", func() bool { p, err = m.holder(); return err == nil })
	return p
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("in vain waited for: " + what)
}

// stopAndStart is what every way of running qmail-send must allow.
func stopAndStart(t *testing.T, s *mailSystem, want string) {
	t.Helper()
	before := s.running(t)
	d := daemonOf(t, s)
	if !d.send.is(before) || !strings.HasPrefix(d.String(), want) {
		t.Errorf("found PID %d as %q, want %d as %q…", d.send.pid, d, before.pid, want)
	}
	noError(t, d.alarm(t.Context()))
	s.expectAlarm(t)
	noError(t, d.stop(t.Context()))
	if before.runs() {
		t.Error("qmail-send runs after stop")
	}
	noError(t, d.mutex.mustBeFree())
	if _, err := s.find(t); !errors.Is(err, errDown) {
		t.Errorf("a stopped qmail-send gives %v, want errDown", err)
	}
	noError(t, d.start(t.Context()))
	after, err := d.mutex.holder()
	noError(t, err)
	if after.is(before) {
		t.Error("the old qmail-send runs")
	}
	noError(t, d.start(t.Context())) // that it runs already is no error
	if again, err := d.mutex.holder(); err != nil || !again.is(after) {
		t.Errorf("a second start gives PID %d, %v; want %d still", again.pid, err, after.pid)
	}
	s.expectUsable(t)
}

func TestSupervisorsStopAndStart(t *testing.T) {
	for program, want := range map[string]string{
		"supervise": "daemontools: ", "runsv": "runit: ", "s6-supervise": "s6: ",
	} {
		t.Run(program, func(t *testing.T) {
			s := newMailSystem(t)
			s.supervise(t, program, "exec ")
			stopAndStart(t, s, want)
		})
	}
}

// TestARunScriptThatDoesNotExec: its supervisor ends the script and not
// qmail-send.
func TestARunScriptThatDoesNotExec(t *testing.T) {
	s := newMailSystem(t)
	s.supervise(t, "supervise", "")
	stopAndStart(t, s, "daemontools: ")
}

// TestASupervisorThatIsSlow: until it has read what svc told it, qmail-send must
// run, or it would be started again.
func TestASupervisorThatIsSlow(t *testing.T) {
	s := newMailSystem(t)
	s.supervise(t, "supervise", "exec ")
	d := daemonOf(t, s)
	noError(t, syscall.Kill(d.send.parent, syscall.SIGSTOP))
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := d.stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !d.send.runs() {
		t.Errorf("under a supervisor that does nothing stop gives %v; qmail-send runs: %v", err, d.send.runs())
	}
	noError(t, syscall.Kill(d.send.parent, syscall.SIGCONT))
	eventually(t, "the end of qmail-send", func() bool { return !d.send.runs() })
	noError(t, d.mutex.mustBeFree())
}

func TestQmailSendThatWasStartedByHand(t *testing.T) {
	s := newMailSystem(t)
	s.start(t)
	logger := s.logger(t)
	stopAndStart(t, s, "started by hand: SIGTERM to qmail-send")
	if got := s.logger(t); !slices.Equal(got, logger) {
		t.Errorf("after the start the logger is %q, before %q", got, logger)
	}
}

func TestAnInitScriptStarts(t *testing.T) {
	s := newMailSystem(t)
	s.start(t)
	mark := filepath.Join(s.home, "intake-was-stopped")
	script := filepath.Join(s.home, "init")
	// As such scripts do, it starts a daemon with its own outputs.
	noError(t, os.WriteFile(script, []byte("#!/bin/sh\ncase $1 in start) "+strings.Join(s.command(), " ")+" & ;; stop) touch "+mark+" ;; esac\n"), 0o755))
	s.scripts = []string{filepath.Join(s.home, "missing"), script}
	stopAndStart(t, s, "init script: SIGTERM to qmail-send")
	if _, err := os.Stat(mark); err == nil {
		t.Error("the script's stop was called")
	}
}

// refuses checks that a qmail-send is not stopped since it could not be started.
func refuses(t *testing.T, s *mailSystem) {
	t.Helper()
	before := s.running(t)
	_, err := s.find(t)
	var problem *spoor.Problem
	if !errors.As(err, &problem) || problem.So == "" {
		t.Errorf("finding gives %v, want a problem", err)
	}
	if !before.runs() {
		t.Error("qmail-send was ended")
	}
}

func TestWhatOthersCouldChangeIsNotStarted(t *testing.T) {
	s := newMailSystem(t)
	s.start(t)
	start := filepath.Join(s.home, "bin/qmail-start")
	noError(t, os.Chmod(start, 0o777))
	t.Cleanup(func() { noError(t, os.Chmod(start, 0o755)) })
	refuses(t, s)
	noError(t, os.Chmod(start, 0o755))
	noError(t, os.Chmod(filepath.Join(s.home, "bin"), 0o777))
	t.Cleanup(func() { noError(t, os.Chmod(filepath.Join(s.home, "bin"), 0o755)) })
	refuses(t, s)
}

func TestALogThatGoesElsewhereIsNotLost(t *testing.T) {
	s := newMailSystem(t)
	s.log = nil
	s.start(t)
	refuses(t, s)
}

func TestAnotherProgramWithTheMutex(t *testing.T) {
	s := newMailSystem(t)
	if _, err := s.find(t); !errors.Is(err, errDown) {
		t.Errorf("no qmail-send gives %v", err)
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/flock", "-n", filepath.Join(s.home, "queue/lock/sendmutex"), "/bin/sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	noError(t, cmd.Start())
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
	eventually(t, "the lock", func() bool { _, err := s.find(t); return errors.Is(err, errOtherHolder) })
}

func TestAnotherMachinesTreeHasNoService(t *testing.T) {
	if _, err := findService(t.Context(), mta.Control{}, "var/qmail/queue"); !errors.Is(err, mta.ErrUnsupported) {
		t.Errorf("a tree of another machine gives %v", err)
	}
}

func TestAFailedStartTellsTheCommand(t *testing.T) {
	s := newMailSystem(t)
	s.start(t)
	d := daemonOf(t, s)
	noError(t, d.stop(t.Context()))
	d.settle, d.startBy = 100*time.Millisecond, []string{"/bin/false"}
	err := d.start(t.Context())
	var problem *spoor.Problem
	if !errors.As(err, &problem) || !errors.Is(err, errDown) || !strings.Contains(problem.What, "/bin/false") {
		t.Errorf("a start in vain gives %v", err)
	}
}

// outageWord makes the test program one that stops qmail-send and waits to be
// killed; it is followed by the root-relative queue and the state directory.
const outageWord = "outage"

func runOutage(args []string) int {
	ctx := context.Background()
	top, err := disk.Open("/", nil)
	if err != nil {
		return 1
	}
	state, err := disk.Open(args[1], nil)
	if err != nil {
		return 1
	}
	d, err := findDaemon(ctx, mta.Control{Top: top, Live: true, Run: runner{}}, args[0], keeperPlaces{})
	if err == nil {
		_, err = interruptDelivery(ctx, d, state, "p1")
	}
	if err != nil {
		println(err.Error())
		return 1
	}
	println("stopped")
	select {}
}

// killedWhileStopped stops qmail-send by a process that is then killed, and checks
// that it runs again.
func killedWhileStopped(t *testing.T, s *mailSystem) {
	t.Helper()
	before := s.running(t)
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", outageWord, s.queue(), folder)
	says, err := cmd.StderrPipe()
	noError(t, err)
	noError(t, cmd.Start())
	buf := make([]byte, 1000)
	n, err := says.Read(buf)
	noError(t, err)
	if got := string(buf[:n]); got != "stopped\n" {
		t.Fatalf("it says %q", got)
	}
	if before.runs() {
		t.Fatal("qmail-send still runs")
	}
	state, err := disk.Open(folder, nil)
	noError(t, err)
	defer func() { noError(t, state.Close()) }()
	record, found, err := guard.ReadStopped(state)
	if err != nil || !found || record.What != "qmail-send" || record.Plan != "p1" || len(record.Start) == 0 {
		t.Errorf("the record is %+v, %v", record, err)
	}
	noError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if after := s.running(t); after.is(before) {
		t.Error("the old qmail-send runs")
	}
	s.expectUsable(t)
	noError(t, endOutage(t.Context(), s.control(t), s.queue(), state))
	if _, found, err := guard.ReadStopped(state); found || err != nil {
		t.Errorf("the record is still there: %v", err)
	}
}

func TestQmailSendIsStartedAgainIfSpoorIsKilled(t *testing.T) {
	s := newMailSystem(t)
	s.start(t)
	killedWhileStopped(t, s)
}

func TestASupervisorStartsAgainIfSpoorIsKilled(t *testing.T) {
	s := newMailSystem(t)
	s.supervise(t, "supervise", "exec ")
	killedWhileStopped(t, s)
}

func TestTheNextRunStartsWhatWasStopped(t *testing.T) {
	s := newMailSystem(t)
	s.start(t)
	d := daemonOf(t, s)
	state, err := disk.Open(t.TempDir(), nil)
	noError(t, err)
	defer func() { noError(t, state.Close()) }()
	noError(t, endOutage(t.Context(), s.control(t), s.queue(), state)) // nothing was stopped
	noError(t, guard.WriteStopped(state, guard.Stopped{What: "qmail-send", Start: d.startBy}))
	noError(t, d.stop(t.Context())) // and the machine has lost both spoor and its guard
	noError(t, endOutage(t.Context(), s.control(t), s.queue(), state))
	s.running(t)
	if _, found, err := guard.ReadStopped(state); found || err != nil {
		t.Errorf("the record is still there: %v", err)
	}
}

func TestAnOutageEnds(t *testing.T) {
	s := newMailSystem(t)
	s.start(t)
	d := daemonOf(t, s)
	state, err := disk.Open(t.TempDir(), nil)
	noError(t, err)
	defer func() { noError(t, state.Close()) }()
	o, err := interruptDelivery(t.Context(), d, state, "p1")
	noError(t, err)
	noError(t, o.end(t.Context()))
	if !s.running(t).runs() || o.guard == nil {
		t.Error("qmail-send does not run")
	}
	names, err := state.Names()
	noError(t, err)
	if len(names) != 0 {
		t.Errorf("left in the state directory: %q", names)
	}
}
