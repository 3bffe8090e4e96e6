package live

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/host"
)

// watched makes a root with a copy of true(1) as its sendmail.
func watched(t *testing.T) (*host.Root, string) {
	t.Helper()
	root := tree(t, map[string]string{"usr/sbin/": ""})
	program, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(root.Dir(), "usr/sbin/sendmail")
	if err := os.WriteFile(name, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return root, name
}

// config watches the sendmail of a root.
func config(root *host.Root, mechanism string) Config {
	return Config{
		Root: root, Programs: []string{"/usr/sbin/sendmail"}, Mechanism: mechanism, Now: time.Now,
		InSite: func(string) bool { return false }, Mail: func(*spoor.Process) bool { return false },
	}
}

// open starts a watch, or skips where this machine does not allow it.
func open(t *testing.T, c Config) *Watch {
	t.Helper()
	w, err := Open(c)
	if errors.Is(err, fs.ErrPermission) || os.Geteuid() != 0 {
		t.Skipf("not as this user: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// seeOne runs a program until it was seen, with its arguments if they are wanted:
// one that is ending has none any more. A shell runs it, because a Go program that
// forks holds its whole runtime up until the exec: where the exec waits for an
// answer of the same program, nothing goes on any more.
func seeOne(t *testing.T, w *Watch, name string, args bool) *spoor.Sighting {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "/bin/sh", "-c", `while :; do "$0" -t victim@x.test; done`, name)
	shell.Dir, shell.Env = t.TempDir(), []string{"REMOTE_ADDR=203.0.113.9", "SECRET=hunter2"}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	var seen *spoor.Sighting
	w.Run(ctx, func(s *spoor.Sighting) {
		ours := len(s.Parents) > 0 && s.Parents[0].PID == shell.Process.Pid
		if s.Activity == spoor.ActivitySubmission && s.Process.UID >= 0 && ours && seen == nil && (!args || len(s.Args) > 0 && len(s.Claims) > 0) {
			seen = s
			cancel()
		}
	})
	cancel()
	_ = shell.Wait()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if seen == nil {
		t.Fatalf("nothing was seen: %v %v", w.Failed(), w.Lost())
	}
	return seen
}

func TestEveryMechanismSeesASubmission(t *testing.T) {
	f := func(mechanism string, permission, args bool) {
		t.Helper()
		root, name := watched(t)
		c := config(root, mechanism)
		c.Permission = permission
		w := open(t, c)
		s := seeOne(t, w, name, args)
		if w.Mechanism() != mechanism || s.Mechanism != mechanism || s.Program != "/usr/sbin/sendmail" || s.Process.UID != os.Getuid() {
			t.Errorf("%s: it is %+v", mechanism, s)
		}
		if len(s.Parents) < 2 || s.Parents[1].PID != os.Getpid() {
			t.Errorf("%s: its parents are %+v", mechanism, s.Parents)
		}
		if args && (!slices.Equal(s.Args, []string{name, "-t", "victim@x.test"}) || !slices.Equal(s.Recipients, []string{"victim@x.test"})) {
			t.Errorf("%s: its arguments are %q", mechanism, s.Args)
		}
		if args && claimOf(s.Claims, "REMOTE_ADDR") != "203.0.113.9" {
			t.Errorf("%s: it claims %+v", mechanism, s.Claims)
		}
	}
	f(EBPF, false, true)
	f(Fanotify, false, false)
	f(Fanotify, true, false)
	f(Proc, false, true)
}

// Before Linux 5.0 a program that is merely read is told too, and left out.
func TestAProgramThatIsReadIsNotRun(t *testing.T) {
	root, name := watched(t)
	c := config(root, Fanotify)
	w := open(t, c)
	n, ok := w.main.(*notifier)
	if !ok {
		t.Fatalf("it is a %T", w.main)
	}
	n.mask = unix.FAN_OPEN
	if err := n.watch(w.programs.list()); err != nil {
		t.Fatal(err)
	}
	reader := exec.CommandContext(t.Context(), "/bin/sh", "-c", "exec 9<"+name+"; read x")
	in, err := reader.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = reader.Wait() })
	if s := seeOne(t, w, name, false); s.Process.PID == reader.Process.Pid {
		t.Errorf("it is %+v", s.Process)
	}
}

// When an answer takes too long, nobody waits any more, and it is said.
func TestTheWatchdogLetsGo(t *testing.T) {
	root, name := watched(t)
	c := config(root, Fanotify)
	c.Permission = true
	w := open(t, c)
	g, ok := w.main.(*gatekeeper)
	if !ok {
		t.Fatalf("it is a %T", w.main)
	}
	g.asked.Store(time.Now().Add(-time.Hour).UnixNano())
	if err := g.run(t.Context(), make(chan *spoor.Sighting, 1)); !errors.Is(err, errTripped) {
		t.Errorf("it ends with %v", err)
	}
	if err := exec.CommandContext(t.Context(), name).Run(); err != nil {
		t.Errorf("the program does not run: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestAMechanismThatDoesNotWorkIsReplaced(t *testing.T) {
	root, _ := watched(t)
	if _, err := Open(config(root, "magic")); err == nil {
		t.Error("a mechanism that there is not works")
	}
	w := open(t, config(root, ""))
	if got := w.Mechanism(); !slices.Contains(Mechanisms(), got) || len(w.Refused()) != slices.Index(Mechanisms(), got) {
		t.Errorf("it is %q, after %v", got, w.Refused())
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzNotices(f *testing.F) {
	event := make([]byte, 24)
	event[0], event[4], event[16], event[20] = 24, unix.FANOTIFY_METADATA_VERSION, 7, 9
	f.Add(event)
	f.Add(slices.Concat(event, event))
	f.Fuzz(func(t *testing.T, buf []byte) {
		if list := parseNotices(buf); len(list) > len(buf)/24 {
			t.Errorf("%d events in %d bytes", len(list), len(buf))
		}
	})
}
