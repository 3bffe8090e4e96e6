//go:build e2e

package live

import (
	"encoding/binary"
	"errors"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"spoor/e2e/mailtest"
)

// kernelAudit is the audit of this machine: linux/audit.h, by netlink.
type kernelAudit struct {
	t      *testing.T
	fd     int
	before auditSet
}

// auditSet is what audit is set to.
type auditSet struct {
	enabled, failure, pid, rateLimit, backlogLimit uint32
	rules                                          []string
}

// audit takes the audit of this machine, and gives it back as it was.
func audit(t *testing.T) *kernelAudit {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		t.Skip("this kernel has no audit")
	}
	if err != nil {
		t.Fatal(err)
	}
	a := &kernelAudit{t: t, fd: fd}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ask(unix.AUDIT_GET, nil); errors.Is(err, unix.EPERM) || errors.Is(err, unix.ECONNREFUSED) {
		t.Skipf("audit does not answer here: %v", err)
	}
	a.before = a.set()
	switch {
	case a.before.enabled == 2:
		t.Skip("audit is locked: nothing can be set until the next boot")
	case a.before.pid != 0 || len(a.before.rules) > 0:
		t.Skip("audit is in use on this machine")
	}
	t.Cleanup(func() {
		if after := a.set(); !reflect.DeepEqual(after, a.before) {
			t.Errorf("audit was set to %+v, and is to %+v", a.before, after)
		}
	})
	return a
}

// ask sends a request and returns the answers to it, the confirmation left out.
func (a *kernelAudit) ask(kind uint16, content []byte) ([][]byte, error) {
	a.t.Helper()
	request := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(content))
	binary.NativeEndian.PutUint32(request, uint32(unix.NLMSG_HDRLEN+len(content)))
	binary.NativeEndian.PutUint16(request[4:], kind)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	if err := unix.Sendto(a.fd, append(request, content...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	var answers [][]byte
	confirmed, ended := false, kind != unix.AUDIT_GET && kind != unix.AUDIT_LIST_RULES
	for buf := make([]byte, 16<<10); !confirmed || !ended; {
		n, _, err := unix.Recvfrom(a.fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n < unix.NLMSG_HDRLEN {
			return nil, errors.Join(err, unix.EPROTO)
		}
		switch text := buf[unix.NLMSG_HDRLEN:n]; binary.NativeEndian.Uint16(buf[4:]) {
		case unix.NLMSG_ERROR:
			if errno := -int32(binary.NativeEndian.Uint32(text)); errno != 0 {
				return nil, unix.Errno(errno)
			}
			confirmed = true
		case unix.NLMSG_DONE:
			ended = true
		case kind:
			answers = append(answers, slices.Clone(text))
			ended = ended || kind == unix.AUDIT_GET
		}
	}
	return answers, nil
}

func (a *kernelAudit) must(kind uint16, content []byte) [][]byte {
	a.t.Helper()
	answers, err := a.ask(kind, content)
	if err != nil {
		a.t.Fatalf("audit, request %d: %v", kind, err)
	}
	return answers
}

// set is what it is set to now.
func (a *kernelAudit) set() auditSet {
	a.t.Helper()
	answers := a.must(unix.AUDIT_GET, nil)
	if len(answers) != 1 || len(answers[0]) < 32 {
		a.t.Fatalf("the status is %q", answers)
	}
	word := func(i int) uint32 { return binary.NativeEndian.Uint32(answers[0][4*i:]) }
	now := auditSet{enabled: word(1), failure: word(2), pid: word(3), rateLimit: word(4), backlogLimit: word(5)}
	for _, rule := range a.must(unix.AUDIT_LIST_RULES, nil) {
		now.rules = append(now.rules, string(rule))
	}
	return now
}

// enable switches audit on, and off at the end of the test.
func (a *kernelAudit) enable() {
	a.t.Helper()
	status := func(enabled uint32) []byte {
		s := make([]byte, 40) // struct audit_status
		binary.NativeEndian.PutUint32(s, unix.AUDIT_STATUS_ENABLED)
		binary.NativeEndian.PutUint32(s[4:], enabled)
		return s
	}
	a.t.Cleanup(func() { a.must(unix.AUDIT_SET, status(a.before.enabled)) })
	a.must(unix.AUDIT_SET, status(1))
}

// rule adds a rule for execve, which the function that is returned removes; it is
// removed at the end of the test anyway. Processes that it holds for can be
// narrowed by a field.
func (a *kernelAudit) rule(fields ...[3]uint32) (remove func()) {
	a.t.Helper()
	const mask, fieldsAt, each = 3, 3 + unix.AUDIT_BITMASK_SIZE, unix.AUDIT_MAX_FIELDS
	arch := uint32(unix.AUDIT_ARCH_X86_64)
	if runtime.GOARCH == "arm64" {
		arch = unix.AUDIT_ARCH_AARCH64
	}
	fields = append([][3]uint32{{unix.AUDIT_ARCH, arch, unix.AUDIT_EQUAL}}, fields...)
	r := make([]byte, 4*(fieldsAt+3*each+1)) // struct audit_rule_data
	put := func(at int, n uint32) { binary.NativeEndian.PutUint32(r[4*at:], n) }
	put(0, unix.AUDIT_FILTER_EXIT)
	put(1, unix.AUDIT_ALWAYS)
	put(2, uint32(len(fields)))
	put(mask+unix.SYS_EXECVE/32, 1<<(unix.SYS_EXECVE%32))
	for i, field := range fields {
		for part, n := range field {
			put(fieldsAt+part*each+i, n)
		}
	}
	a.must(unix.AUDIT_ADD_RULE, r)
	removed := false
	remove = func() {
		if !removed {
			removed = true
			a.must(unix.AUDIT_DEL_RULE, r)
		}
	}
	a.t.Cleanup(remove)
	return remove
}

// withoutEBPF starts spoor as root that may not load programs.
func withoutEBPF() []string {
	return []string{"setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin"}
}

// 200 senders that live for less than 2 ms, by the rule of the administrator.
func TestAuditSeesEveryExec(t *testing.T) {
	a := audit(t)
	s := start(t)
	s.hostile()
	a.enable()
	a.rule()
	set := a.set()
	for _, beside := range []int{1, 8} {
		const count = 200
		w := watchBy(t, s, withoutEBPF())
		wants(t, "the mechanism", w.mechanism, "audit")
		s.storm(count, beside, 100)
		list, sum := w.end()
		all, known := senders(list)
		t.Logf("%d at once: %d seen, of %d the caller is known; %+v", beside, all, known, sum.Gaps)
		if all != count || known != count {
			t.Errorf("%d are seen, and of %d the user is known, want %d", all, known, count)
		}
		for _, one := range list {
			if submission(one) && (!slices.Equal(one.Args, []string{"sendmail", "-t"}) || one.Mechanism != "audit" || one.Source != "user:web1" ||
				one.Program != "/usr/bin/msmtp" || one.Process.Exe != s.Dir+"/usr/bin/msmtp" || one.Process.Dir != "/") {
				t.Fatalf("it is told as %+v", *one)
			}
			if submission(one) && (len(one.Parents) == 0 || one.Parents[0].Comm != "hostile") {
				t.Fatalf("its parents are %+v", one.Parents)
			}
		}
		for _, gap := range sum.Gaps {
			if !strings.HasPrefix(gap.Reason, "told by its record alone") {
				t.Errorf("a gap: %+v", gap)
			}
		}
	}
	if now := a.set(); !reflect.DeepEqual(now, set) {
		t.Errorf("spoor has set audit from %+v to %+v", set, now)
	}
}

// It is told why audit is not used, and it is used alone where it tells of all.
func TestWhenAuditIsUsed(t *testing.T) {
	a := audit(t)
	s := start(t)
	s.hostile()
	refused := func(words string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "../../bin/spoor", "--root", s.Dir, "live", "--mechanism", "audit", "--for", "1s").CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), words) {
			t.Errorf("%v, and it does not say %q: %s", err, words, out)
		}
	}
	chosen := func(want, words string) {
		t.Helper()
		w := watchBy(t, s, withoutEBPF())
		wants(t, "the mechanism", w.mechanism, want)
		w.end()
		if !strings.Contains(w.problems.String(), words) {
			t.Errorf("it does not say %q: %s", words, w.problems.String())
		}
	}
	if a.before.enabled == 0 {
		refused("audit is not enabled")
	}
	a.enable()
	refused("audit has no rule for execve")
	some := a.rule([3]uint32{unix.AUDIT_LOGINUID, 1000, unix.AUDIT_GREATER_THAN_OR_EQUAL})
	chosen("proc", "each rule names which processes it holds for")
	w := watch(t, s, "--mechanism", "audit")
	wants(t, "the mechanism", w.mechanism, "audit")
	some()
	w.end()
	if words := "leave processes out (each rule names"; !strings.Contains(w.problems.String(), words) {
		t.Errorf("it does not say %q: %s", words, w.problems.String())
	}
	a.rule()
	chosen("audit", "not used: ebpf")
	out, err := exec.CommandContext(t.Context(), "setpriv", "--bounding-set=-audit_control", "../../bin/spoor", "--root", s.Dir, "live", "--mechanism", "audit").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the right for it is missing (CAP_AUDIT_CONTROL)") {
		t.Errorf("without the right it says %s", out)
	}
}

// The rule is removed while spoor watches: it is said that it was blind.
func TestARuleThatIsRemoved(t *testing.T) {
	a := audit(t)
	s := start(t)
	s.hostile()
	a.enable()
	remove := a.rule()
	w := watch(t, s, "--mechanism", "audit")
	s.storm(1, 1, 10)
	m := w.next(submission)
	wants(t, "the UID", *m.UID, mailtest.Web1)
	remove()
	_, sum := w.end()
	told := false
	for _, gap := range sum.Gaps {
		told = told || strings.Contains(gap.Reason, "without its rule")
	}
	if sum.Complete || !told {
		t.Errorf("it does not say so: %+v", sum.Gaps)
	}
}

// With a real server: who asked for which script, and sendmail and postdrop are one.
func TestWhoSendsThroughPHPByAudit(t *testing.T) {
	a := audit(t)
	s := start(t)
	s.web(true)
	for range 3 {
		s.post("shop.example", "/forms/mailer.php")
		s.post("forum.example", "/old/send.php")
	}
	a.enable()
	a.rule()
	w := watch(t, s, "--mechanism", "audit")
	s.fpm(t, w, true)
	s.modPHP(t, w, true)
	list, _ := w.end()
	for _, one := range list {
		if submission(one) {
			t.Errorf("more than six are told: %+v", *one)
		}
	}
}

// Records that come while spoor cannot read, and have no room, are counted.
func TestWhatAuditLosesIsCounted(t *testing.T) {
	a := audit(t)
	s := start(t)
	s.hostile()
	a.enable()
	a.rule()
	w := watch(t, s, "--mechanism", "audit")
	if err := w.command.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	const count = 9000
	s.storm(count, 8, 100)
	if err := w.command.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	var list []*sighting
	seen := make(chan bool, 1)
	go func() {
		w.next(func(m *sighting) bool {
			if len(m.Args) < 3 {
				list = append(list, m)
			}
			return len(m.Args) > 2
		})
		seen <- true
	}()
	s.Until("a submission after the storm", func() bool { // its number tells how many are missing
		s.Run(mailtest.Web1, "", "/usr/bin/hostile", "passwd")
		return len(seen) > 0
	})
	<-seen
	more, sum := w.end()
	for _, one := range more {
		if len(one.Args) < 3 {
			list = append(list, one)
		}
	}
	all, known := senders(list)
	t.Logf("%d of %d told, %+v", all, count, sum.Gaps)
	missing := 0
	for _, gap := range sum.Gaps {
		if !strings.HasPrefix(gap.Reason, "told by its record alone") {
			missing += gap.Count
		}
	}
	if all != known || all == count || all+missing < count || sum.Complete {
		t.Errorf("%d are told (%d with their user) and %d counted as lost, of %d", all, known, missing, count)
	}
}
