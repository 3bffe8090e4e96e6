package live

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
)

// rule makes struct audit_rule_data.
func rule(list, action uint32, execve bool, fields ...[2]uint32) []byte {
	r := make([]byte, 4*(3+unix.AUDIT_BITMASK_SIZE+3*unix.AUDIT_MAX_FIELDS+1))
	put := func(at int, n uint32) { binary.NativeEndian.PutUint32(r[4*at:], n) }
	put(0, list)
	put(1, action)
	put(2, uint32(len(fields)))
	if execve {
		put(3+unix.SYS_EXECVE/32, 1<<(unix.SYS_EXECVE%32))
	}
	for i, field := range fields {
		put(3+unix.AUDIT_BITMASK_SIZE+i, field[0])
		put(3+unix.AUDIT_BITMASK_SIZE+unix.AUDIT_MAX_FIELDS+i, field[1])
		put(3+unix.AUDIT_BITMASK_SIZE+2*unix.AUDIT_MAX_FIELDS+i, unix.AUDIT_EQUAL)
	}
	return r
}

func TestWhatTheRulesTellOf(t *testing.T) {
	const auid, otherArch = 9, 0x40000003
	arch, key, login := [2]uint32{unix.AUDIT_ARCH, nativeArch()}, [2]uint32{unix.AUDIT_FILTERKEY, 4}, [2]uint32{auid, 1000}
	all := rule(unix.AUDIT_FILTER_EXIT, unix.AUDIT_ALWAYS, true, arch, key)
	some := rule(unix.AUDIT_FILTER_EXIT, unix.AUDIT_ALWAYS, true, arch, login)
	f := func(execve bool, narrow string, rules ...[]byte) {
		t.Helper()
		var s auditState
		for _, text := range rules {
			r, ok := parseAuditRule(text)
			if !ok {
				t.Fatal("no rule")
			}
			s.add(r)
		}
		if s.execve != execve || s.narrowed() != narrow {
			t.Errorf("execve %v, narrowed by %q; want %v, %q", s.execve, s.narrowed(), execve, narrow)
		}
	}
	f(false, "")
	f(true, "", all)
	f(true, someProcesses, some)
	f(true, someProcesses, some, some)
	f(true, "", some, all)
	f(true, "", all, some)
	f(false, "", rule(unix.AUDIT_FILTER_EXIT, unix.AUDIT_ALWAYS, false, arch))
	f(false, "", rule(unix.AUDIT_FILTER_EXIT, unix.AUDIT_ALWAYS, true, [2]uint32{unix.AUDIT_ARCH, otherArch}))
	f(false, "", rule(unix.AUDIT_FILTER_EXIT, unix.AUDIT_ALWAYS, true, [2]uint32{unix.AUDIT_WATCH, 9}, [2]uint32{unix.AUDIT_PERM, 1}))
	f(true, `a rule "never,exit"`, rule(unix.AUDIT_FILTER_EXIT, unix.AUDIT_NEVER, true, login), all)
	f(true, `a rule "never,task"`, all, rule(unix.AUDIT_FILTER_TASK, unix.AUDIT_NEVER, true))
	f(true, "", all, rule(unix.AUDIT_FILTER_EXCLUDE, unix.AUDIT_ALWAYS, false, [2]uint32{unix.AUDIT_MSGTYPE, unix.AUDIT_CWD}))
	f(true, `a rule "exclude"`, all, rule(unix.AUDIT_FILTER_EXCLUDE, unix.AUDIT_ALWAYS, false, [2]uint32{unix.AUDIT_MSGTYPE, unix.AUDIT_PATH}))
	if _, ok := parseAuditRule(all[:100]); ok {
		t.Error("a piece of a rule is one")
	}
}

func TestWhyAuditIsNotUsed(t *testing.T) {
	f := func(s auditState, want error) {
		t.Helper()
		if err := s.usable(); !errors.Is(err, want) {
			t.Errorf("%+v: %v, want %v", s, err, want)
		}
	}
	f(auditState{execve: true}, errAuditOff)
	f(auditState{enabled: true}, errAuditNoRule)
	f(auditState{enabled: true, execve: true}, nil)
	if err := auditProblem(unix.EPERM, "CAP_AUDIT_READ"); !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_AUDIT_READ") {
		t.Errorf("without the right it is %v", err)
	}
}

func TestOnlyTheKernelSendsRecords(t *testing.T) {
	message := make([]byte, unix.NLMSG_HDRLEN+4)
	binary.NativeEndian.PutUint16(message[4:], unix.AUDIT_SYSCALL)
	if kind, text, ok := auditMessage(message, &unix.SockaddrNetlink{}); !ok || kind != unix.AUDIT_SYSCALL || len(text) != 4 {
		t.Errorf("of the kernel it is %d %q %v", kind, text, ok)
	}
	if _, _, ok := auditMessage(message, &unix.SockaddrNetlink{Pid: 4711}); ok {
		t.Error("a process is taken for the kernel")
	}
	if _, _, ok := auditMessage(message[:8], &unix.SockaddrNetlink{}); ok {
		t.Error("a piece of a head is taken for a message")
	}
}

// told makes an auditor that watches the sendmail of a root, and an exec of it.
func told(t *testing.T) (*auditor, *auditEvent) {
	t.Helper()
	root, name := watched(t)
	w := &Watch{config: config(root, Audit), top: folderOf(root), programs: newPrograms(root, []string{"/usr/sbin/sendmail"})}
	w.programs.refresh()
	id, err := identify(name)
	if err != nil {
		t.Fatal(err)
	}
	e := &auditEvent{
		auditSyscall: auditSyscall{success: true, uid: 10003, gid: 2523, comm: "sendmail", exe: w.programs.list()[0].full},
		stamp:        auditStamp{1, time.Now()}, known: true, exec: true, ended: true, dir: filepath.Join(w.top, "var/www"),
		args: auditArgs{0: "sendmail", 1: "-t", 2: "v@x.test"}, paths: []auditPath{{0, name, id}},
	}
	return &auditor{observed: w, events: newAuditEvents(), serials: newSerials(), recent: recentExecs{}}, e
}

func TestAnExecOfAProcessThatHasEnded(t *testing.T) {
	a, e := told(t)
	ended := exec.CommandContext(t.Context(), "/bin/true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	e.pid, e.ppid = ended.Process.Pid, os.Getpid()
	s := a.sighting(e)
	if s == nil {
		t.Fatal("nothing is told")
	}
	if s.Program != "/usr/sbin/sendmail" || s.Mechanism != Audit || !s.Time.Equal(e.stamp.at) || !slices.Equal(s.Recipients, []string{"v@x.test"}) {
		t.Errorf("it is %+v", s)
	}
	p := s.Process
	if p.PID != e.pid || p.UID != 10003 || p.GID != 2523 || p.Comm != "sendmail" || p.Exe != e.exe || p.Dir != "/var/www" {
		t.Errorf("the process is %+v", p)
	}
	if len(s.Parents) == 0 || s.Parents[0].PID != os.Getpid() {
		t.Errorf("its parents are %+v", s.Parents)
	}
	if a.gone.Load() != 1 || len(a.lost()) != 1 {
		t.Errorf("what is lost is %+v", a.lost())
	}

	// A shell that has ended, and ran another one before.
	shell, sendmail := *e, *e
	shell.pid, shell.ppid, shell.comm, shell.paths = 1<<22+7, os.Getpid(), "sh", []auditPath{{item: 0, name: "/bin/sh"}}
	sendmail.pid, sendmail.ppid = 1<<22+8, shell.pid
	if a.sighting(&shell) != nil {
		t.Error("a shell takes mail")
	}
	if s := a.sighting(&sendmail); len(s.Parents) < 2 || s.Parents[0].Comm != "sh" || s.Parents[1].PID != os.Getpid() || len(s.Parents) > maxParents {
		t.Errorf("its parents are %+v", s.Parents)
	}

	// It handed its mail to another one, that has ended too: one submission.
	next := *e
	next.pid, next.ppid, next.stamp.serial = 1<<22+1, e.pid, 2
	f := newFamily()
	if second := a.sighting(&next); !f.first(s) || f.first(second) {
		t.Errorf("it is told twice: %+v, %+v", s, second)
	}
}

// What is not alone in the record is read of a process that is alive, and of no
// other one that has got its PID.
func TestAnExecOfAProcessThatIsThere(t *testing.T) {
	a, e := told(t)
	command := exec.CommandContext(t.Context(), "/bin/sleep", "60")
	command.Env = []string{"REMOTE_ADDR=203.0.113.9", "SECRET=hunter2"}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	e.pid, e.ppid, e.stamp.at = command.Process.Pid, os.Getpid(), time.Now()
	s := a.sighting(e)
	if s == nil || claimOf(s.Claims, "REMOTE_ADDR") != "203.0.113.9" || len(s.Claims) != 1 || s.Process.UID != 10003 || a.gone.Load() != 0 {
		t.Errorf("it is %+v", s)
	}
	e.stamp.at = time.Now().Add(-time.Hour)
	s = a.sighting(e)
	if s == nil || len(s.Claims) != 0 || len(s.Parents) != 0 || a.gone.Load() != 1 {
		t.Errorf("of one with the same PID it is %+v", s)
	}
}

func TestAnExecOfSomethingElse(t *testing.T) {
	f := func(what string, partial int64, change func(e *auditEvent)) {
		t.Helper()
		a, e := told(t)
		e.pid = 1<<22 + 1
		change(e)
		if s := a.sighting(e); s != nil || a.partial.Load() != partial {
			t.Errorf("%s: %+v, %d with missing records", what, s, a.partial.Load())
		}
	}
	f("another file of the same name", 0, func(e *auditEvent) { e.paths[0].id.inode++ })
	f("the queue is listed", 0, func(e *auditEvent) { e.args = auditArgs{0: "sendmail", 1: "-bp"} })
	f("this process", 0, func(e *auditEvent) { e.pid = os.Getpid() })
	f("no file", 1, func(e *auditEvent) { e.paths = nil })
	f("no caller", 1, func(e *auditEvent) { e.known = false })
}

func TestWhereAnExecIs(t *testing.T) {
	found := program{full: "/srv/root/usr/sbin/sendmail"}
	f := func(top, exe, wantExe, wantDir string) {
		t.Helper()
		e := auditEvent{auditSyscall: auditSyscall{exe: exe}, dir: "/srv/root/x"}
		if exe, dir := e.place(top, found); exe != wantExe || dir != wantDir {
			t.Errorf("%s below %s is %q in %q, want %q in %q", e.exe, top, exe, dir, wantExe, wantDir)
		}
	}
	f("/", "/usr/bin/dash", "/usr/bin/dash", "/srv/root/x")
	f("/srv/root", "/srv/root/usr/sbin/sendmail", "/srv/root/usr/sbin/sendmail", "/x")
	f("/srv/root", "/usr/sbin/sendmail", "/srv/root/usr/sbin/sendmail", "/srv/root/x")
	f("/srv/root", "/usr/bin/dash", "", "")
}

func TestRecentExecsAreBounded(t *testing.T) {
	r, now := recentExecs{}, time.Now()
	for n := range 3 * recentSize {
		r.add(&auditEvent{stamp: auditStamp{at: now}}, spoor.Process{PID: n})
	}
	if len(r) > recentSize {
		t.Errorf("%d are remembered", len(r))
	}
	if _, ok := r.near(3*recentSize-1, now.Add(2*recentTime)); ok {
		t.Error("one of long ago is near")
	}
}

func FuzzAuditRule(f *testing.F) {
	f.Add(rule(unix.AUDIT_FILTER_EXIT, unix.AUDIT_ALWAYS, true, [2]uint32{unix.AUDIT_ARCH, nativeArch()}))
	f.Add(slices.Repeat([]byte{0xff}, 2000))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, ok := parseAuditRule(text); ok && len(r.fields)+len(r.types) > unix.AUDIT_MAX_FIELDS {
			t.Errorf("it has %d fields", len(r.fields))
		}
	})
}
