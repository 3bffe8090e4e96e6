package live

import (
	"bytes"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
