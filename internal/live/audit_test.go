package live

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
)

// auditLine is a record as the kernel sent it.
type auditLine struct {
	kind uint16
	text []byte
}

// recorded reads testdata/audit.txt: what Linux 6.18 told of five execs, the last of
// a program that there is not. Each line is the type of a record and its text.
func recorded(t testing.TB) []auditLine {
	t.Helper()
	text, err := os.ReadFile("testdata/audit.txt")
	if err != nil {
		t.Fatal(err)
	}
	var lines []auditLine
	for line := range bytes.Lines(text) {
		kind, record, _ := bytes.Cut(bytes.TrimSuffix(line, []byte{'\n'}), []byte{' '})
		n, err := strconv.ParseUint(string(kind), 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, auditLine{uint16(n), record})
	}
	return lines
}

// assemble puts records together.
func assemble(t testing.TB, lines []auditLine) map[uint64]*auditEvent {
	t.Helper()
	found := map[uint64]*auditEvent{}
	events := newAuditEvents()
	for _, line := range lines {
		stamp, rest, ok := parseAuditStamp(line.text)
		if !ok {
			t.Fatalf("no stamp: %.80q", line.text)
		}
		if e, ok := events.take(line.kind, stamp, rest); ok {
			found[stamp.serial] = e
		}
	}
	if len(events.open) > 0 {
		t.Errorf("%d are still open", len(events.open))
	}
	return found
}

func TestRecordsBecomeExecs(t *testing.T) {
	found := assemble(t, recorded(t))
	if len(found) != 4 {
		t.Fatalf("%d execs, want 4", len(found))
	}
	e := found[83]
	want := auditSyscall{success: true, pid: 27624, ppid: 27573, uid: 10003, gid: 2523, comm: "true", exe: "/usr/bin/true"}
	if e.auditSyscall != want || e.dir != "/srv/web/with space" || !e.stamp.at.Equal(time.UnixMilli(1795710917706)) {
		t.Errorf("it is %+v", *e)
	}
	if got, want := e.args.list(), []string{"/bin/true", "-t", "a b\x1b", "", "ü@x.test"}; !slices.Equal(got, want) {
		t.Errorf("its arguments are %q, want %q", got, want)
	}
	if got, want := e.file(0), (auditPath{0, "/bin/true", identity{247849, 0xfe << 20}}); got != want || !e.whole() {
		t.Errorf("its file is %+v, want %+v", got, want)
	}
	long := []string{"/bin/true", strings.Repeat("x", maxArgument), "-f", strings.Repeat("y z", maxArgument)[:maxArgument], "last"}
	if got := found[85].args.list(); !slices.Equal(got, long) {
		t.Errorf("long arguments are %q", got)
	}
	script := found[86]
	args := ofScript(script.args.list(), script.file(0).name, script.file(1).name)
	if want := []string{"/srv/web/mail.sh", "-t", "v@x.test"}; !slices.Equal(args, want) || script.exe != "/usr/bin/dash" {
		t.Errorf("the arguments of a script are %q, want %q", args, want)
	}
}

func TestTheInterpreterOfAScriptIsNoArgument(t *testing.T) {
	f := func(args, want string) {
		t.Helper()
		if got := ofScript(strings.Fields(args), "/sbin/sendmail", "/bin/sh"); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("of %q it is %q, want %q", args, got, want)
		}
	}
	f("/bin/sh /sbin/sendmail -t", "/sbin/sendmail -t")
	f("/bin/sh -e /sbin/sendmail -t", "/sbin/sendmail -t")
	f("sendmail -f /sbin/sendmail x", "sendmail -f /sbin/sendmail x")
	f("/bin/sh", "/bin/sh")
	f("/bin/sh -a -b /sbin/sendmail", "/bin/sh -a -b /sbin/sendmail")
	if got := ofScript([]string{"", "/sbin/sendmail"}, "/sbin/sendmail", ""); len(got) != 2 {
		t.Errorf("a program without an interpreter has the arguments %q", got)
	}
}

// Records of several processes are mixed, and those of one event may change places.
func TestRecordsInAnyOrder(t *testing.T) {
	want := assemble(t, recorded(t))
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		got := assemble(t, mixed(recorded(t), random))
		for _, events := range []map[uint64]*auditEvent{got, want} {
			for _, e := range events {
				e.come = time.Time{}
				slices.SortFunc(e.paths, func(x, y auditPath) int { return x.item - y.item })
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("order %d makes of them %+v, want %+v", seed, got, want)
		}
	}
}

// mixed draws from the events at random. Pieces of arguments keep their order, and
// the end of an event comes after the rest of it.
func mixed(lines []auditLine, random *rand.Rand) []auditLine {
	queues := map[string][]auditLine{}
	var serials []string
	for _, line := range lines {
		serial, _, _ := strings.Cut(string(line.text), "):")
		if queues[serial] == nil {
			serials = append(serials, serial)
		}
		queues[serial] = append(queues[serial], line)
	}
	for _, queue := range queues {
		for i := range len(queue) - 2 {
			if queue[i].kind != queue[i+1].kind && random.IntN(2) == 0 {
				queue[i], queue[i+1] = queue[i+1], queue[i]
			}
		}
	}
	var order []auditLine
	for len(order) < len(lines) {
		if serial := serials[random.IntN(len(serials))]; len(queues[serial]) > 0 {
			order, queues[serial] = append(order, queues[serial][0]), queues[serial][1:]
		}
	}
	return order
}

func TestAnEventWithoutItsEnd(t *testing.T) {
	events := newAuditEvents()
	for _, line := range recorded(t) {
		if stamp, rest, ok := parseAuditStamp(line.text); ok && line.kind != unix.AUDIT_EOE {
			if _, done := events.take(line.kind, stamp, rest); done {
				t.Errorf("%d is complete", stamp.serial)
			}
		}
	}
	if list := events.stale(time.Now().Add(-time.Hour)); len(list) != 0 {
		t.Errorf("%d have waited for an hour", len(list))
	}
	list := events.stale(time.Now())
	if len(list) != 4 || list[0].stamp.serial != 82 || list[3].stamp.serial != 86 || !list[3].whole() || len(events.open) != 0 {
		t.Errorf("what is left is %+v", list)
	}
}

func TestEventsThatNeverEndAreBounded(t *testing.T) {
	events := newAuditEvents()
	for n := range uint64(3 * maxAuditEvents) {
		events.take(unix.AUDIT_EXECVE, auditStamp{serial: n}, []byte(` argc=1 a0="x"`))
	}
	if len(events.open) != maxAuditEvents || events.cut != 2*maxAuditEvents {
		t.Errorf("%d are kept, and %d had to go", len(events.open), events.cut)
	}
}

func TestEventsThatNeverCameAreCounted(t *testing.T) {
	f := func(want int, seen ...uint64) {
		t.Helper()
		s := newSerials()
		for _, n := range seen {
			s.see(n)
		}
		s.end()
		if s.missed != want {
			t.Errorf("of %v %d are missed, want %d", seen, s.missed, want)
		}
	}
	f(0)
	f(0, 7, 7, 8, 8, 9)
	f(0, 7, 9, 8, 12, 11, 10)
	f(2, 7, 8, 10, 12)
	f(0, 7, 3, 8)
	long := []uint64{1}
	for n := uint64(101); n < 3*serialsApart; n++ {
		long = append(long, n)
	}
	f(99, long...)
	s := newSerials()
	for _, n := range long {
		s.see(n)
	}
	if s.missed != 99 || len(s.ahead) > serialsApart {
		t.Errorf("before the end %d are missed, and %d remembered", s.missed, len(s.ahead))
	}
}

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

func FuzzAuditRecords(f *testing.F) {
	for _, line := range recorded(f) {
		f.Add(line.kind, line.text)
	}
	f.Add(uint16(unix.AUDIT_EXECVE), []byte(`audit(1.2:3): a0[=a63="" a64=41 a1[0]=41 a1[1]=`))
	f.Fuzz(func(t *testing.T, kind uint16, text []byte) {
		stamp, rest, ok := parseAuditStamp(text)
		if !ok {
			return
		}
		events := newAuditEvents()
		events.take(kind, stamp, rest)
		events.take(unix.AUDIT_EXECVE, stamp, rest)
		for _, e := range events.stale(time.Now()) {
			args := e.args.list()
			size := 0
			for _, arg := range args {
				size += len(arg)
			}
			if len(args) > maxArguments || size > 2*len(text) || len(e.paths) > maxAuditPaths {
				t.Errorf("%d bytes become %q, %+v", len(text), args, e.paths)
			}
		}
	})
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
