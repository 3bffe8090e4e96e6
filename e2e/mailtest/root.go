// Package mailtest runs a real mail server below a root of its own, and makes on
// it, through its own doors, what goes wrong on servers: see Stage. What comes
// out is a root for spoor --root, with a queue that goes on working, a log that
// the server wrote, and known numbers.
//
// The root is a folder with the server's programs, unpacked by
// scripts/mailservers, in which each program runs with chroot(2). So everything
// is where it is on a server, /etc/postfix and /var/spool/postfix, users exist
// by a passwd of its own, and of the machine the test runs on nothing is used
// but free ports of 127.0.0.0/8: no package, no user, no service, no mount. It
// takes root.
package mailtest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// servers is where scripts/setup puts the programs, from the folder of a test.
const servers = "../../.tools/mailservers"

// Root is the root of a mail server.
type Root struct {
	Dir     string
	t       *testing.T
	daemons []*daemon
	ports   []string // that Port returns first
}

// New copies the programs of a server, "postfix" or "exim", into a new root, with
// passwd and group. When the test ends, what runs in the root is ended and the
// root is removed.
func New(t *testing.T, server string) *Root {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("real mail servers are run by root only")
	}
	r := &Root{Dir: filepath.Join(t.TempDir(), "root"), t: t}
	out, err := exec.CommandContext(t.Context(), "cp", "-a", filepath.Join(servers, server), r.Dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s(scripts/setup unpacks the servers)", err, out)
	}
	t.Cleanup(r.stop)
	r.devices()
	r.Folder("/tmp", 0o1777, 0, 0)
	r.Write("/etc/passwd", passwd)
	r.Write("/etc/group", group)
	r.Write("/etc/hostname", Host+"\n")
	r.Write("/etc/hosts", "127.0.0.1 localhost\n")
	r.Write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
	return r
}

// devices makes the ones that programs open.
func (r *Root) devices() {
	r.t.Helper()
	var mount unix.Statfs_t
	if err := unix.Statfs(r.Dir, &mount); err != nil {
		r.t.Fatal(err)
	}
	if mount.Flags&(unix.ST_NODEV|unix.ST_NOSUID|unix.ST_NOEXEC) != 0 {
		r.t.Fatalf("%s is mounted nodev, nosuid or noexec: set TMPDIR to a folder that is not", r.Dir)
	}
	r.Folder("/dev", 0o755, 0, 0)
	for name, minor := range map[string]uint32{"null": 3, "random": 8, "urandom": 9} {
		name = filepath.Join(r.Dir, "dev", name)
		if err := unix.Mknod(name, unix.S_IFCHR, int(unix.Mkdev(1, minor))); err != nil {
			r.t.Fatalf("mknod %s: %v", name, err)
		}
		if err := os.Chmod(name, 0o666); err != nil {
			r.t.Fatal(err)
		}
	}
}

// Write writes a file below the root, with its folders.
func (r *Root) Write(name, text string) {
	r.t.Helper()
	name = filepath.Join(r.Dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// Folder makes a folder with its mode, which may have 0o1000 for the sticky bit,
// and its owner.
func (r *Root) Folder(name string, mode uint32, uid, gid int) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Join(r.Dir, name), 0o755); err != nil {
		r.t.Fatal(err)
	}
	r.Own(name, mode, uid, gid)
}

// Own gives a file its owner, and a mode that may have 0o4000 and 0o2000.
func (r *Root) Own(name string, mode uint32, uid, gid int) {
	r.t.Helper()
	name = filepath.Join(r.Dir, name)
	if err := os.Chown(name, uid, gid); err != nil {
		r.t.Fatal(err)
	}
	if err := unix.Chmod(name, mode); err != nil {
		r.t.Fatal(err)
	}
}

// Read returns a file below the root, or "" if there is none.
func (r *Root) Read(name string) string {
	data, err := os.ReadFile(filepath.Join(r.Dir, name))
	if err != nil {
		return ""
	}
	return string(data)
}

// Files counts the files below a folder of the root, however deep.
func (r *Root) Files(folder string) int {
	count := 0
	_ = filepath.WalkDir(filepath.Join(r.Dir, folder), func(_ string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			count++
		}
		return nil // what has gone meanwhile does not count
	})
	return count
}

// Command is a program in the root, to be run by a user, whose group has the same
// number.
func (r *Root) Command(uid int, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(context.WithoutCancel(r.t.Context()), program, args...)
	command.SysProcAttr = &syscall.SysProcAttr{
		Chroot:     r.Dir,
		Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)},
	}
	command.Dir, command.Env = "/", []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C"}
	return command
}

// Run runs a program to its end and returns what it printed.
func (r *Root) Run(uid int, input, program string, args ...string) string {
	r.t.Helper()
	var out, problems bytes.Buffer
	command := r.Command(uid, program, args...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &out, &problems
	if err := command.Run(); err != nil {
		r.t.Fatalf("%s %q: %v\n%s%s", program, args, err, out.String(), problems.String())
	}
	return out.String()
}

// daemon is a program that runs until the test ends.
type daemon struct {
	program  string
	command  *exec.Cmd
	problems bytes.Buffer
}

func (d *daemon) ended() bool { return state(d.command.Process.Pid) == 'Z' }

// Daemon starts a program that runs, in the foreground, until the test ends.
func (r *Root) Daemon(program string, args ...string) {
	r.t.Helper()
	d := &daemon{program: program, command: r.Command(0, program, args...)}
	d.command.Stderr = &d.problems
	d.command.SysProcAttr.Setpgid = true // what it signals to its group stays there
	d.command.WaitDelay = patience
	if err := d.command.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.daemons = append(r.daemons, d)
}

// End ends a daemon, and waits for what it had started to end.
func (r *Root) End(program string) {
	r.t.Helper()
	var others []*daemon
	for _, d := range r.daemons {
		if d.program != program {
			others = append(others, d)
			continue
		}
		_ = d.command.Process.Signal(syscall.SIGTERM)
		_ = d.command.Wait()
	}
	r.daemons = others
	for deadline := time.Now().Add(patience); len(r.Processes()) > len(others); <-time.After(moment) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s has ended, and these run: %v", program, r.Processes())
		}
	}
}

// stop ends the daemons, the last one first, then what they left running, and
// reaps them.
func (r *Root) stop() {
	for _, d := range slices.Backward(r.daemons) {
		_ = d.command.Process.Signal(syscall.SIGTERM)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && len(r.Processes()) > 0; {
		<-time.After(moment)
	}
	for pid, program := range r.Processes() {
		r.t.Logf("killed, since it did not end: %s", program)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, d := range r.daemons {
		_ = d.command.Wait()
	}
}

const (
	patience = time.Minute           // how long a server may take for anything
	moment   = 10 * time.Millisecond // between two looks
)

// until is Until for goroutines beside that of the test: it gives up without a word.
func (r *Root) until(done func() bool) {
	for deadline := time.Now().Add(patience); !done() && time.Now().Before(deadline); <-time.After(moment) {
	}
}

// Until waits for a condition.
func (r *Root) Until(what string, done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !done(); <-time.After(moment) {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain for %s; running: %v", what, r.Processes())
		}
		for _, d := range r.daemons {
			if d.ended() {
				_ = d.command.Wait()
				r.t.Fatalf("waited for %s, but %s ended: %s", what, d.program, d.problems.String())
			}
		}
	}
}

// Processes are the programs that run in the root, by process ID.
func (r *Root) Processes() map[int]string {
	running := map[int]string{}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || !r.runs(pid) || state(pid) == 'Z' {
			continue
		}
		name, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		running[pid] = strings.TrimSpace(strings.ReplaceAll(string(name), "\x00", " "))
	}
	return running
}

// runs reports whether a process has this root.
func (r *Root) runs(pid int) bool {
	dir, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/root")
	return err == nil && (dir == r.Dir || strings.HasPrefix(dir, r.Dir+"/"))
}

// state is the letter of proc(5) for what a process does: Z is ended.
func state(pid int) byte {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if _, rest, ok := strings.Cut(string(data), ") "); ok {
		return rest[0]
	}
	return 'Z'
}

// Exists reports whether there is something of that name below the root.
func (r *Root) Exists(name string) bool {
	_, err := os.Lstat(filepath.Join(r.Dir, name))
	return err == nil
}
