//go:build e2e

// Package expiry stops sources for a while on a copy of this machine that exists in
// namespaces alone, where a real systemd runs, and is started anew.
package expiry

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// machineScript makes a copy-on-write copy of the whole machine in $1, with the spoor of
// $2, and keeps it. Of systemd it has the units alone that a timer needs: no other
// service of the machine starts.
const machineScript = `set -e
mount -t tmpfs -o size=512m box "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay box -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
for folder in dev proc sys run tmp usr/lib/systemd/system usr/lib/systemd/system-generators; do
	mkdir -p $folder
	mount -t tmpfs -o mode=755 box $folder
done
for device in null:3 zero:5 full:7 random:8 urandom:9; do
	mknod -m 666 dev/${device%:*} c 1 ${device#*:}
done
units=usr/lib/systemd/system
for target in timers shutdown time-set time-sync local-fs; do
	printf '[Unit]\nDefaultDependencies=no\n' > $units/$target.target
done
printf '[Unit]\nDefaultDependencies=no\n' > $units/sysinit.target
printf '[Unit]\nRequires=sysinit.target\nAfter=sysinit.target\n' > $units/basic.target
printf '[Unit]\nWants=timers.target basic.target\n' > $units/box.target
rm -rf etc/systemd/system etc/postfix etc/exim4 etc/exim var/lib/spoor var/lib/systemd/timers var/spool/postfix var/spool/exim4
mkdir -p etc/systemd/system var/lib/systemd etc/postfix etc/exim4 var/spool/exim4/input
for queue in maildrop incoming active deferred hold corrupt; do mkdir -p var/spool/postfix/$queue; done
mkdir -p "opt/spoor 1%"
cp "$2/bin/spoor" usr/bin/spoor
cp "$2/bin/spoor" "opt/spoor 1%/spoor"
chown -R 0:0 usr/bin/spoor "opt/spoor 1%"
echo ready
exec sleep infinity
`

// bootScript makes a systemd the first process of the machine in $1: its control groups
// are below one of its own, $2.
const bootScript = `set -e
roots=$(awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i+1) ~ /^cgroup/) print $5 }' /proc/self/mountinfo)
for root in $roots; do
	mkdir -p "$root/$2" 2>/dev/null && echo $$ > "$root/$2/cgroup.procs" || true # not all take processes at once
done 2>/dev/null
exec unshare --cgroup --pid --fork --kill-child --mount --propagation private --net sh -c '
set -e
mount -t proc proc "$1/proc"
mount -t sysfs sys "$1/sys"
mount -t tmpfs -o mode=755 run "$1/run"
mkdir -p "$1/run/lock" "$1/run/systemd/system"
export container=spoor
exec chroot "$1" /lib/systemd/systemd --system --unit=box.target --log-target=console --show-status=0' boot "$1"
`

// machine is a copy of this one.
type machine struct {
	t      *testing.T
	dir    string // its root, as its keeper sees it
	keeper *exec.Cmd
	boots  int
	parent *exec.Cmd // of systemd; nil while the machine is off
	pid    int       // of systemd
	said   *said     // by systemd
}

// said is what processes wrote. Several goroutines may use it.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "unshare", "--cgroup", "--pid", "--fork", "--mount", "--net", "true").CombinedOutput(); err != nil {
		t.Skipf("namespaces of control groups, processes, mounts and networks cannot be had here: %v: %s", err, out)
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		t.Fatalf("%v (scripts/setup installs systemd)", err)
	}
	source, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	box := t.TempDir()
	m := &machine{t: t, dir: filepath.Join(box, "root"), said: &said{}}
	out := &said{}
	m.keeper = exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", machineScript, "machine", box, source) //nolint:noctx // the test ends it
	m.keeper.Stdout, m.keeper.Stderr = out, out
	m.keeper.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.keeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.off()
		_ = m.keeper.Process.Kill()
		_ = m.keeper.Wait()
	})
	m.until("the machine", func() bool {
		if process(m.keeper.Process.Pid) == "" {
			t.Fatalf("no machine: %s", out)
		}
		return strings.Contains(out.String(), "ready")
	})
	return m
}

// patience is how long anything may take: the shortest --for is a minute.
const patience = 5 * time.Minute

// until waits for an event.
func (m *machine) until(what string, done func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(patience); !done(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("waited in vain for %s\n%s", what, m.said)
		}
	}
}

// process is the name of a process; "" of one that has ended.
func process(pid int) string {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(data), "(")
	name, state, _ := strings.Cut(rest, ") ")
	if strings.HasPrefix(state, "Z") {
		return ""
	}
	return name
}

// on starts the machine.
func (m *machine) on() {
	m.t.Helper()
	m.boots++
	m.parent = exec.Command("nsenter", "--mount", "-t", strconv.Itoa(m.keeper.Process.Pid), "sh", "-c", bootScript, "boot", m.dir, m.group()) //nolint:noctx // off ends it
	m.parent.Stdout, m.parent.Stderr = m.said, m.said
	m.parent.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := m.parent.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.until("systemd", func() bool {
		data, _ := os.ReadFile("/proc/" + strconv.Itoa(m.parent.Process.Pid) + "/task/" + strconv.Itoa(m.parent.Process.Pid) + "/children")
		m.pid, _ = strconv.Atoi(strings.TrimSpace(string(data)))
		if process(m.parent.Process.Pid) == "" {
			m.t.Fatalf("systemd does not start:\n%s", m.said)
		}
		return m.pid > 0 && process(m.pid) == "systemd"
	})
	m.until("the end of the boot", func() bool { return m.try("systemctl", "is-active", "timers.target") })
}

// group is the name of the control group of a boot.
func (m *machine) group() string {
	return "spoor-expiry-" + strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(m.boots)
}

// off ends everything that runs, as a power cut does.
func (m *machine) off() {
	if m.parent == nil {
		return
	}
	_ = syscall.Kill(m.pid, syscall.SIGKILL) // with the first process of its namespace all others end
	_ = m.parent.Wait()
	m.parent = nil
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/" + m.group())
	for _, group := range append(groups, "/sys/fs/cgroup/"+m.group()) {
		// What has ended is not gone at once.
		for range 100 {
			if _, err := os.Stat(group); err != nil || exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run() == nil { //nolint:noctx // of a cleanup
				break
			}
			<-time.After(50 * time.Millisecond)
		}
	}
}

// command runs a program in the machine.
func (m *machine) command(words ...string) *exec.Cmd {
	args := []string{"-t", strconv.Itoa(m.pid), "--mount", "--pid", "--net", "--cgroup", "--root", "--wd"}
	c := exec.CommandContext(m.t.Context(), "nsenter", append(args, words...)...)
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "USER=root"}
	return c
}

func (m *machine) try(words ...string) bool {
	return m.command(words...).Run() == nil
}

// run runs a program and wants a status.
func (m *machine) run(status int, words ...string) string {
	m.t.Helper()
	c := m.command(words...)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil || c.ProcessState.ExitCode() != status {
		m.t.Fatalf("%q: %v, want status %d\n%s\n%s", words, err, status, out, m.said)
	}
	return string(out)
}

// shell runs a line of sh that has to succeed.
func (m *machine) shell(line string) string {
	m.t.Helper()
	return m.run(0, "sh", "-c", line)
}

// lock takes the lock of a state folder, as another spoor does.
func (m *machine) lock(state string) *os.File {
	m.t.Helper()
	f, err := os.Open(filepath.Join("/proc", strconv.Itoa(m.pid), "root", state, "lock"))
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return f
}
