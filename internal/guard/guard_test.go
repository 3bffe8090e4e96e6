package guard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// parentWord makes the test program one that starts a guard and waits to be
// killed.
const parentWord = "guarded-parent"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Word {
		os.Exit(Main(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == parentWord {
		os.Exit(guardedParent(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// guardedParent takes the flock of a file, starts a guard of the command and
// waits; on a line of input it releases the guard.
func guardedParent(args []string) int {
	lock, err := os.OpenFile(args[0], os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	var g *Guard
	if err == nil {
		g, err = Start(context.Background(), args[1:])
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(g.PID())
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if err := g.Release(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// parent is a process with a guard.
type parent struct {
	cmd   *exec.Cmd
	guard int // its PID
	input interface{ Write([]byte) (int, error) }
	lock  string
}

func startParent(t *testing.T, argv ...string) *parent {
	t.Helper()
	return startLocked(t, filepath.Join(t.TempDir(), "lock"), argv...)
}

func startLocked(t *testing.T, lock string, argv ...string) *parent {
	t.Helper()
	p := &parent{lock: lock}
	p.cmd = exec.CommandContext(t.Context(), "/proc/self/exe", append([]string{parentWord, p.lock}, argv...)...)
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	in, err := p.cmd.StdinPipe()
	must(t, err)
	p.input = in
	must(t, p.cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	p.guard, err = strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the parent says %q", line)
	}
	return p
}

// eventually waits for what other processes do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("in vain waited for: " + what)
}

func exists(name string) bool { _, err := os.Stat(name); return err == nil }

func gone(pid int) bool { _, ok := running(pid); return !ok }

func TestAKilledParentHasItsCommandRun(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "a mark; with $(blanks)")
	p := startParent(t, "/usr/bin/touch", mark)
	must(t, p.cmd.Process.Signal(syscall.SIGKILL))
	_ = p.cmd.Wait()
	eventually(t, "the command", func() bool { return exists(mark) })
	eventually(t, "the end of the guard", func() bool { return gone(p.guard) })
}

func TestTheCommandRunsWhenTheParentsLocksAreFree(t *testing.T) {
	dir := t.TempDir()
	mark, lock := filepath.Join(dir, "mark"), filepath.Join(dir, "lock")
	// flock(1) with -n fails at once where the lock is still held.
	p := startLocked(t, lock, "/usr/bin/flock", "-n", lock, "/usr/bin/touch", mark)
	if err := exec.CommandContext(t.Context(), "/usr/bin/flock", "-n", lock, "/bin/true").Run(); err == nil {
		t.Fatal("the parent does not hold the lock")
	}
	must(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait()
	eventually(t, "the command", func() bool { return exists(mark) })
}

func TestAReleasedGuardStartsNothing(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	p := startParent(t, "/usr/bin/touch", mark)
	_, err := p.input.Write([]byte("\n"))
	must(t, err)
	must(t, p.cmd.Wait()) // Release has waited for the end of the guard
	if !gone(p.guard) {
		t.Error("the guard is still there")
	}
	if exists(mark) {
		t.Error("a released guard has run the command")
	}
}

func TestATerminalsSignalsDoNotEndAGuard(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "signals")
	// The command tells which signals it was given as ignored.
	p := startParent(t, "/bin/sh", "-c", `grep SigIgn /proc/self/status >"$0.new" && mv "$0.new" "$0"`, mark)
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGTSTP} {
		must(t, syscall.Kill(p.guard, sig))
	}
	session, err := unix.Getsid(p.guard)
	must(t, err)
	if session != p.guard {
		t.Errorf("the guard is in session %d, not in its own", session)
	}
	if gone(p.guard) || exists(mark) {
		t.Fatal("a signal ended the guard")
	}
	must(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait()
	eventually(t, "the command", func() bool { return exists(mark) })
	got, err := os.ReadFile(mark)
	must(t, err)
	bits, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(string(got), "SigIgn:")), 16, 64)
	must(t, err)
	if bits&(1<<(syscall.SIGTERM-1)|1<<(syscall.SIGHUP-1)|1<<(syscall.SIGINT-1)) != 0 {
		t.Errorf("the command ignores signals: %x", bits)
	}
}

func TestAGuardWaitsForOtherProcesses(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	old := exec.CommandContext(t.Context(), "/bin/sleep", "1000")
	must(t, old.Start())
	g, err := Start(t.Context(), []string{"/usr/bin/touch", mark}, old.Process.Pid)
	must(t, err)
	must(t, old.Process.Kill())
	_ = old.Wait()
	must(t, g.Release())
	starts := startsOf([]int{old.Process.Pid, os.Getpid()})
	if len(starts) != 1 {
		t.Errorf("of an ended process and this one %d run", len(starts))
	}
	awaitEnd(old.Process.Pid, "1")
	awaitEnd(os.Getpid(), "another process that had this PID")
	if exists(mark) {
		t.Error("a released guard has run the command")
	}
}

func TestAContextEndsTheStartOfAGuard(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	mark := filepath.Join(t.TempDir(), "mark")
	if g, err := Start(ctx, []string{"/usr/bin/touch", mark}); err == nil {
		must(t, g.Release()) // the guard was faster
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("Start gives %v", err)
	}
	if exists(mark) {
		t.Error("an abandoned guard has run the command")
	}
}

func TestAGuardIsNotStartedByHand(t *testing.T) {
	for _, args := range [][]string{{}, {"1", "/bin/true"}, {"x", "/bin/true"}, {"-1", "/bin/true"}, {""}} {
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", append([]string{Word}, args...)...)
		err := cmd.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("%q ends with %v", args, err)
		}
	}
	if _, err := Start(t.Context(), []string{"touch", "x"}); err == nil {
		t.Error("a guard takes a command without a path")
	}
}

func TestSpawnedProgramsHaveTheirOwnSession(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	must(t, Spawn([]string{"/bin/sh", "-c", `cut -d' ' -f6 /proc/self/stat >"$0.new" && mv "$0.new" "$0"`, mark}))
	eventually(t, "the program", func() bool { return exists(mark) })
	got, err := os.ReadFile(mark)
	must(t, err)
	session, err := unix.Getsid(0)
	must(t, err)
	if strings.TrimSpace(string(got)) == strconv.Itoa(session) {
		t.Error("the program is in this session")
	}
	if err := Spawn([]string{"/no/such/program"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that is not there gives %v", err)
	}
}

// Whatever is started under nohup must hear SIGHUP.
func TestWhatIsStartedHearsHangups(t *testing.T) {
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	ignores := func() bool {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "cat", "/proc/self/status").Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			var ignored uint64
			if n, _ := fmt.Sscanf(line, "SigIgn: %x", &ignored); n == 1 {
				return ignored&(1<<(syscall.SIGHUP-1)) != 0
			}
		}
		t.Fatalf("no signals in %s", out)
		return false
	}
	if !ignores() {
		t.Error("the test shows nothing: a program hears SIGHUP anyway")
	}
	if CatchHangups(); ignores() {
		t.Error("a program ignores SIGHUP")
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil { // it ends nobody
		t.Fatal(err)
	}
}
