//go:build e2e

package live

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"spoor/e2e/mailtest"
)

// hostile compiles what tenants run, and a program that takes mail for them.
func (s *server) hostile() {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), "gcc", "-static", "-O2", "-o", filepath.Join(s.Dir, "/usr/bin/hostile"), "testdata/hostile.c").CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
	s.install()
}

// install puts a new file in the place of the program that takes mail, as a
// package does.
func (s *server) install() {
	s.t.Helper()
	text := s.Read("/usr/bin/hostile")
	s.Write("/usr/bin/msmtp.new", text)
	s.Own("/usr/bin/msmtp.new", 0o755, 0, 0)
	if err := os.Rename(filepath.Join(s.Dir, "/usr/bin/msmtp.new"), filepath.Join(s.Dir, "/usr/bin/msmtp")); err != nil {
		s.t.Fatal(err)
	}
}

// script writes a file that belongs to the tenant.
func (s *server) script(name string) {
	s.Write(name, "<?php")
	s.Own(name, 0o644, mailtest.Web1, mailtest.Web1)
}

func TestATenantWhoHides(t *testing.T) {
	s := start(t)
	s.hostile()
	evil := shopFolder + "/httpdocs/\x1b[2J\x1b]0;x\x07evil\n.php"
	gone := shopFolder + "/httpdocs/gone.php"
	for _, name := range []string{evil, gone} {
		s.script(name)
	}
	w := watch(t, s)
	run := func(args ...string) *sighting {
		t.Helper()
		s.Run(mailtest.Web1, "", "/usr/bin/hostile", args...)
		m := w.next(submission)
		wants(t, "the source", m.Source, "user:web1")
		wants(t, "its certainty", m.SourceKnown.Certainty, "exact")
		wants(t, "the UID", *m.UID, mailtest.Web1)
		wants(t, "the program", m.Program, "/usr/bin/msmtp")
		wants(t, "the parent's name for itself", m.Parents[0].Comm, "qmgr")
		wants(t, "the parent's program", m.Parents[0].Exe, s.Dir+"/usr/bin/hostile")
		return m
	}
	m := run("passwd")
	wants(t, "the script of one that has /etc/passwd open", m.Script, "")

	m = run("forge")
	wants(t, "the script that is claimed", m.Script, forumScript)
	wants(t, "its certainty", m.ScriptKnown.Certainty, "claim")
	wants(t, "the client that is claimed", m.Client, "198.51.100.99")
	wants(t, "its certainty", m.ClientKnown.Certainty, "claim")
	wants(t, "the request that is claimed", m.Request, "POST /old/send.php")

	m = run("open", forumScript)
	wants(t, "the script of another site", m.Script, forumScript)
	wants(t, "its certainty", m.ScriptKnown.Certainty, "claim")

	m = run("open", evil)
	wants(t, "the script with escape sequences", m.Script, evil)
	wants(t, "its certainty", m.ScriptKnown.Certainty, "exact")

	m = run("rename", gone, shopFolder+"/httpdocs/innocent.php")
	wants(t, "the script that was renamed", m.Script, gone)

	w.end()
	if bytes.Contains(w.raw.Bytes(), []byte("hunter2")) {
		t.Errorf("a secret is shown:\n%s", w.raw.Bytes())
	}
	if bytes.ContainsAny(w.raw.Bytes(), "\x1b\x07") {
		t.Errorf("the terminal is reached:\n%q", w.raw.Bytes())
	}
}

// storm starts short-lived senders, so many at once, each with an environment of
// so many bytes.
func (s *server) storm(count, beside, bytes int) {
	s.t.Helper()
	s.Run(mailtest.Web1, "", "/usr/bin/hostile", "storm", strconv.Itoa(count), strconv.Itoa(beside), strconv.Itoa(bytes))
}

// senders counts the different processes that were told, and those of which the
// user is known.
func senders(list []*sighting) (all, known int) {
	seen := map[int]bool{}
	for _, one := range list {
		if !submission(one) || seen[one.Process.PID] {
			continue
		}
		seen[one.Process.PID] = true
		if one.UID != nil && *one.UID == mailtest.Web1 {
			known++
		}
	}
	return len(seen), known
}

// Each lives for less than 2 ms. The numbers are in docs/live.md.
func TestAThousandShortLives(t *testing.T) {
	s := start(t)
	s.hostile()
	f := func(beside int, args ...string) (all, known int, sum summary) {
		t.Helper()
		w := watch(t, s, args...)
		s.storm(1000, beside, 100)
		list, sum := w.end()
		all, known = senders(list)
		for _, one := range list {
			if w.mechanism == "ebpf" && (len(one.Parents) == 0 || one.Parents[0].Exe != s.Dir+"/usr/bin/hostile" || one.Process.Dir != "/") {
				t.Fatalf("eBPF says %+v", *one)
			}
		}
		t.Logf("%s, %d at once: %d seen, of %d the caller is known; %+v", w.mechanism, beside, all, known, sum.Gaps)
		return all, known, sum
	}
	for _, beside := range []int{1, 8} {
		all, known, sum := f(beside, "--mechanism", "ebpf")
		if all != 1000 || known != 1000 || !sum.Complete {
			t.Errorf("eBPF saw %d and knew %d, want 1000: %+v", all, known, sum.Gaps)
		}
		all, known, sum = f(beside, "--mechanism", "fanotify")
		if all != 1000 {
			t.Errorf("fanotify saw %d", all)
		}
		if known == 0 || known+lost(sum) < all {
			t.Errorf("fanotify knew %d of %d, and says that it does not know %d", known, all, lost(sum))
		}
		all, known, sum = f(beside, "--permission")
		if all != 1000 || known+lost(sum) < all {
			t.Errorf("fanotify with permission saw %d and knew %d, want 1000, and says that it does not know %d", all, known, lost(sum))
		}
		f(beside, "--mechanism", "proc")
	}
}

// lost is how much a summary says that is missing.
func lost(sum summary) int {
	n := 0
	for _, gap := range sum.Gaps {
		n += gap.Count
	}
	return n
}

// A burst while spoor cannot read: what the ring buffer has no room for is
// counted, none is lost in silence.
func TestWhatABurstLosesIsCounted(t *testing.T) {
	s := start(t)
	s.hostile()
	w := watch(t, s)
	if err := w.command.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	const count = 4000
	s.storm(count, 8, 11_000)
	if err := w.command.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	list, sum := w.end()
	all, known := senders(list)
	t.Logf("%d of %d told, %+v", all, count, sum.Gaps)
	if all != known || all == count || all+lost(sum) != count || sum.Complete {
		t.Errorf("%d are told (%d with their caller) and %d counted as lost, of %d", all, known, lost(sum), count)
	}
	if status := w.command.ProcessState.ExitCode(); status != 4 {
		t.Errorf("it ends with %d, want 4", status)
	}
	if strings.Contains(w.raw.String(), "hunter2") {
		t.Error("a secret is shown")
	}
}

// A package replaces the program while it is watched.
func TestAProgramThatIsReplaced(t *testing.T) {
	for _, mechanism := range []string{"ebpf", "fanotify"} {
		s := start(t)
		s.hostile()
		w := watch(t, s, "--mechanism", mechanism)
		s.install()
		seen := make(chan bool, 1)
		go func() {
			w.next(submission)
			seen <- true
		}()
		s.Until("a submission by the new program with "+mechanism, func() bool {
			s.storm(1, 1, 10)
			return len(seen) > 0
		})
		w.end()
	}
}
