package measure

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spoor"
)

// daemon is a shell that starts a worker and, at SIGHUP, does what its argument says.
// It prints a line when it is ready.
const daemon = `sleep 600 & old=$!
trap 'eval "$1"' HUP
echo ready
while :; do wait; done`

// started starts it and returns a reload of it.
func started(t *testing.T, s *stand, atHangUp string) *spoor.Step {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", daemon, "daemon", atHangUp)
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	must(t, err)
	if signal.Ignored(unix.SIGHUP) { // under nohup: a shell cannot trap what it was started to ignore
		signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
	}
	must(t, cmd.Start())
	t.Cleanup(func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL); _, _ = io.Copy(io.Discard, out); _ = cmd.Wait() })
	_, err = bufio.NewReader(out).ReadString('\n')
	must(t, err)
	exe, err := os.Readlink(procOf(cmd.Process.Pid) + "/exe")
	must(t, err)
	s.write("run/daemon.pid", strconv.Itoa(cmd.Process.Pid)+"\n", 0o644)
	return &spoor.Step{Kind: spoor.StepReload, Reload: &spoor.Reload{PIDFile: "/run/daemon.pid", Exe: path.Base(exe), Workers: []string{sleeper(t)}}}
}

// sleeper is the program that sleep(1) is.
func sleeper(t *testing.T) string {
	t.Helper()
	at, err := exec.LookPath("sleep")
	must(t, err)
	at, err = os.Readlink(at)
	if err != nil {
		return "sleep"
	}
	return path.Base(at)
}

func TestAReloadWaitsForTheWorkersOfBefore(t *testing.T) {
	s := newStand(t)
	done := path.Join(s.dir, "done")
	step := started(t, s, "sleep 0.3; echo replaced >"+done+"; kill $old")
	remark, err := s.do(step)
	if _, late := os.Stat(done); err != nil || remark != "" || late != nil {
		t.Errorf("%q, %v; the workers were replaced before: %v", remark, err, late)
	}
}

func TestAReloadDoesNotWaitForEver(t *testing.T) {
	s := newStand(t)
	remark, err := s.do(started(t, s, ":"))
	if err != nil || !strings.HasPrefix(remark, "1 of its processes still work") {
		t.Errorf("%q, %v", remark, err)
	}
}
