package qmail

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// bootScript makes a systemd the first process of a namespace of its own, where its
// only unit is qmail's. Nothing of it is seen outside, but its control groups.
const bootScript = `set -e
mount --make-rprivate /
mount -t proc none /proc
mount -t tmpfs none /run
mkdir -p /run/systemd/system /run/lock
mount --bind "$1" /etc/systemd/system
export container=spoor
exec /lib/systemd/systemd --system --unit=qmail.target --log-target=console --show-status=0
`

// TestSystemdStopsAndStarts runs TestInsideSystemd for units of several kinds.
func TestSystemdStopsAndStarts(t *testing.T) {
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil || os.Getuid() != 0 {
		t.Skip("needs root, and Debian's package systemd")
	}
	if first, err := os.ReadFile("/proc/1/comm"); err != nil || strings.TrimSpace(string(first)) == "systemd" {
		t.Skip("this machine has a systemd, which would share its control groups with another")
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", "--pid", "--fork", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("namespaces of processes and mounts cannot be had here: %v: %s", err, out)
	}
	for name, lines := range map[string]string{
		"ends for good":     "Restart=no\n",
		"is restarted":      "Restart=always\nRestartSec=50ms\n",
		"stays active":      "RemainAfterExit=yes\n",
		"stops by a script": "ExecStop=/bin/false\nRemainAfterExit=yes\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newMailSystem(t)
			pid := s.boot(t, lines)
			self, err := os.Executable()
			noError(t, err)
			cmd := exec.CommandContext(t.Context(), "nsenter", "-t", strconv.Itoa(pid), "-p", "-m", self, "-test.run=^TestInsideSystemd$", "-test.v")
			cmd.Env = append(os.Environ(), "SPOOR_INSIDE_SYSTEMD="+s.home)
			output, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(output), "--- PASS: TestInsideSystemd") {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}

// boot starts the mail system by a unit, and returns the PID of systemd.
func (s *mailSystem) boot(t *testing.T, lines string) int {
	t.Helper()
	units := t.TempDir()
	script := filepath.Join(t.TempDir(), "boot")
	argv := s.command()[2:] // without env -i: a unit has an environment of its own
	unit := "[Unit]\nDefaultDependencies=no\n[Service]\n" + lines + "Environment=" + strings.Join(argv[:2], " ") + "\nExecStart=" + strings.Join(argv[2:], " ") + "\n"
	noError(t, os.WriteFile(filepath.Join(units, "qmail.service"), []byte(unit), 0o644))
	noError(t, os.WriteFile(filepath.Join(units, "qmail.target"), []byte("[Unit]\nDefaultDependencies=no\nWants=qmail.service\n"), 0o644))
	noError(t, os.WriteFile(script, []byte(bootScript), 0o755))
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount", "--kill-child", "/bin/sh", script, units) //nolint:noctx // the test ends it
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	noError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	self, err := readOSProcess(cmd.Process.Pid)
	noError(t, err)
	var systemd []osProcess
	eventually(t, "systemd", func() bool {
		systemd = self.children()
		return len(systemd) == 1 && systemd[0].name == "systemd"
	})
	s.running(t)
	return systemd[0].pid
}

// TestInsideSystemd is a part of the test above.
func TestInsideSystemd(t *testing.T) {
	home := os.Getenv("SPOOR_INSIDE_SYSTEMD")
	if home == "" {
		t.Skip("runs in a namespace that TestSystemdStopsAndStarts makes")
	}
	s := &mailSystem{home: home, real: os.Getenv("SPOOR_NOTQMAIL") != "", alarms: filepath.Join(home, "alarms")}
	stopAndStart(t, s, "systemd: ")
}
