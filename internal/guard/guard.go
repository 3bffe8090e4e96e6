// Package guard starts a service again that spoor has stopped, even if spoor is
// killed in between: a guard is a process of its own that waits for the end of
// the one that started it. What was stopped is recorded in the state directory
// too, for the case that both are gone.
package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

// Word is the first argument with which a program becomes a guard: it then
// calls Main with the others.
const Word = "guard"

const (
	ready = "ready\n" // from the guard: signals no longer end it
	done  = "done\n"  // to the guard: there is nothing to start any more
)

// Guard is a running guard.
type Guard struct {
	process *exec.Cmd
	pipe    *os.File // its other end is the guard's; closed when this process ends
}

// Start starts a guard and returns once no signal of a terminal can end it. If
// this process ends before Release, the guard becomes argv, run without a shell
// and with the caller's environment, after the processes with the PIDs of wait
// have ended too. argv[0] is a path.
//
// The guard is this program itself, called with Word, in a session of its own.
// systemd-logind ends it with the login session where KillUserProcesses= is set;
// what WriteStopped has recorded is for that case.
func Start(ctx context.Context, argv []string, wait ...int) (*Guard, error) {
	if len(argv) == 0 || !strings.HasPrefix(argv[0], "/") {
		return nil, fmt.Errorf("guard: %q is not the path of a program", argv)
	}
	toRead, pipe, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	answer, toWrite, err := os.Pipe()
	if err != nil {
		_ = toRead.Close()
		_ = pipe.Close()
		return nil, fmt.Errorf("guard: %w", err)
	}
	g := &Guard{pipe: pipe, process: guardProcess(argv, append(wait, os.Getpid()))}
	g.process.ExtraFiles = []*os.File{toRead, toWrite}
	err = g.process.Start()
	_ = toRead.Close()
	_ = toWrite.Close()
	if err == nil {
		err = awaitReady(ctx, answer)
	}
	_ = answer.Close()
	if err != nil {
		_ = g.abandon()
		return nil, fmt.Errorf("start a guard: %w", err)
	}
	return g, nil
}

// guardProcess is not bound to a context: it is there to outlive everything.
func guardProcess(argv []string, pids []int) *exec.Cmd {
	words := make([]string, len(pids))
	for i, pid := range pids {
		words[i] = strconv.Itoa(pid)
	}
	args := append([]string{Word, strings.Join(words, ",")}, argv...)
	cmd := exec.Command("/proc/self/exe", args...) //nolint:noctx,gosec // it outlives every context; it is this program itself
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// awaitReady waits until the guard has said that it is there.
func awaitReady(ctx context.Context, answer *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = answer.Close() })
	defer stop()
	got, err := io.ReadAll(io.LimitReader(answer, int64(len(ready))))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case string(got) != ready:
		return errors.New("it ended at once")
	}
	return nil
}

// abandon ends a guard that must not start anything.
func (g *Guard) abandon() error {
	if g.process.Process == nil {
		return g.pipe.Close()
	}
	return errors.Join(g.process.Process.Kill(), g.pipe.Close(), ended(g.process.Wait()))
}

// Release ends the guard: what it was to start runs again. With an error it may
// start it once more.
func (g *Guard) Release() error {
	_, err := io.WriteString(g.pipe, done)
	err = errors.Join(err, g.pipe.Close(), g.process.Wait())
	if err != nil {
		return fmt.Errorf("release the guard: %w", err)
	}
	return nil
}

// PID is the process ID of the guard.
func (g *Guard) PID() int { return g.process.Process.Pid }

// ended is no error for a process that was killed.
func ended(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// CatchHangups makes this process pass over SIGHUP, where it ignores it already, as
// under nohup(1), by catching it: what is ignored stays so in every program that is
// started from here, and qmail-send, which reads its configuration again at SIGHUP, or
// a server that an init script starts, would do so for as long as it lives.
func CatchHangups() {
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
}

// Spawn starts a program that outlives this one, in a session of its own, in the
// root directory and without terminal. It does not wait for its end. argv[0] is a
// path.
func Spawn(argv []string) error {
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx,gosec // it outlives every context; the caller has checked what it is
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", argv[0], err)
	}
	go func() { _ = cmd.Wait() }() // so that it leaves no zombie if it ends before this process
	return nil
}
