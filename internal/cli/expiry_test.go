package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spoor/internal/host/hosttest"
)

// later runs spoor on a server some time after the others, and wants a status.
func later(t *testing.T, after time.Duration, status int, words ...string) string {
	t.Helper()
	var out, problems bytes.Buffer
	env := testEnvironment(&out, &problems)
	env.Now = func() time.Time { return at().Add(after) }
	if got := Main(words, env); got != status {
		t.Fatalf("spoor %q ends with %d, want %d:\n%s%s", words, got, status, out.String(), problems.String())
	}
	return out.String() + problems.String()
}

func TestAStopTakesItselfBack(t *testing.T) {
	dir := hosttest.Unpack(t, "postfix")
	main := filepath.Join(dir, "etc/postfix/main.cf")
	before, err := os.ReadFile(main)
	must(t, err)
	same := func() bool {
		now, err := os.ReadFile(main)
		must(t, err)
		return bytes.Equal(now, before)
	}
	root := func(words ...string) []string { return append([]string{"--root", dir}, words...) }
	yes := []string{"--yes", "--reason", "test"}
	stop := func(source, lasts string) {
		later(t, 0, 0, append(root("stop", source, "--for", lasts), yes...)...)
	}

	stop("account:anna@example.com", "1h")
	if text := later(t, 30*time.Minute, 0, root()...); !strings.Contains(text, "In force") || !strings.Contains(text, "until") {
		t.Errorf("the answer does not tell of the stop:\n%s", text)
	}
	later(t, 30*time.Minute, 3, append(root("unstop", "--expired"), yes...)...)
	if text := later(t, 2*time.Hour, 0, root()...); !strings.Contains(text, "its time is") || !strings.Contains(text, "unstop --expired") {
		t.Errorf("the answer does not tell that it is over:\n%s", text)
	}
	if same() {
		t.Error("it was taken back by a command that only reads")
	}
	if text := later(t, 2*time.Hour, 0, append(root("unstop", "--expired"), yes...)...); !strings.Contains(text, "was over and is taken back") {
		t.Errorf("unstop --expired says\n%s", text)
	}
	if !same() {
		t.Error("what is over is still there")
	}

	// Any other command that changes something does it too, and the journal says who.
	stop("account:anna@example.com", "1h")
	stop("account:carl@example.com", "7d")
	later(t, 2*time.Hour, 0, append(root("queue", "hold", "from:@example.com"), yes...)...)
	if text := later(t, 3*time.Hour, 0, root("journal")...); strings.Count(text, "its time was over") != 2 {
		t.Errorf("the journal says\n%s", text)
	}
	table, err := os.ReadFile(filepath.Join(dir, "etc/postfix/spoor_sasl_access"))
	must(t, err)
	if strings.Contains(string(table), "anna") || !strings.Contains(string(table), "carl") {
		t.Errorf("the table holds %q", table)
	}
	later(t, 8*24*time.Hour, 0, append(root("unstop", "--expired"), yes...)...)
	if !same() {
		t.Error("the hook is left when the last one is over")
	}
}

// TestAStopAfterOneThatIsOver stops another source, and the same one again, when the
// time of a stop is over that nobody has taken back yet: what both need stays.
func TestAStopAfterOneThatIsOver(t *testing.T) {
	for _, source := range []string{"account:carl@example.com", "account:anna@example.com"} {
		dir := hosttest.Unpack(t, "postfix")
		main := filepath.Join(dir, "etc/postfix/main.cf")
		before, err := os.ReadFile(main)
		must(t, err)
		yes := []string{"--yes", "--reason", "test"}
		later(t, 0, 0, append([]string{"--root", dir, "stop", "account:anna@example.com", "--for", "1h"}, yes...)...)
		later(t, 2*time.Hour, 0, append([]string{"--root", dir, "stop", source}, yes...)...)
		now, err := os.ReadFile(main)
		must(t, err)
		table, err := os.ReadFile(filepath.Join(dir, "etc/postfix/spoor_sasl_access"))
		must(t, err)
		_, name, _ := strings.Cut(source, ":")
		if !strings.Contains(string(now), "check_sasl_access") || !strings.Contains(string(table), name) || strings.Count(string(table), "\n") != 1 {
			t.Errorf("%s sends: the table has %q, main.cf\n%s", source, table, now)
		}
		later(t, 3*time.Hour, 0, append([]string{"--root", dir, "unstop", source}, yes...)...)
		if now, err = os.ReadFile(main); err != nil || !bytes.Equal(now, before) {
			t.Errorf("%v: main.cf is\n%s", err, now)
		}
	}
}

// TestOneStateFolderOfTwoServers has the journals of two servers in one folder: a stop
// on one is none on the other, and no hook of one is kept for the other.
func TestOneStateFolderOfTwoServers(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	var dirs []string
	for range 2 {
		dirs = append(dirs, hosttest.Unpack(t, "postfix"))
	}
	run := func(dir string, words ...string) {
		later(t, 0, 0, append([]string{"--root", dir, "--state", state, "--log", "none"}, append(words, "--yes", "--reason", "test")...)...)
	}
	before, err := os.ReadFile(filepath.Join(dirs[0], "etc/postfix/main.cf"))
	must(t, err)
	for _, dir := range dirs {
		run(dir, "stop", "account:anna@example.com")
	}
	run(dirs[0], "unstop", "account:anna@example.com")
	for i, dir := range dirs {
		now, err := os.ReadFile(filepath.Join(dir, "etc/postfix/main.cf"))
		must(t, err)
		if bytes.Equal(now, before) != (i == 0) {
			t.Errorf("server %d: main.cf is\n%s", i, now)
		}
	}
	run(dirs[1], "unstop", "account:anna@example.com")
}

// TestAnExpiryThatFails has a file that cannot be changed for a while: it is tried again
// from hour to hour, not at every command, and each command tells of it in one line.
func TestAnExpiryThatFails(t *testing.T) {
	dir := hosttest.Unpack(t, "postfix")
	main := filepath.Join(dir, "etc/postfix/main.cf")
	before, err := os.ReadFile(main)
	must(t, err)
	root := func(words ...string) []string { return append([]string{"--root", dir, "--log", "none"}, words...) }
	yes := []string{"--yes", "--reason", "test"}
	const plan = "20261123T120000-stop"
	tries := func(at time.Duration) int {
		return strings.Count(later(t, at, 0, root("journal")...), "its time was over")
	}
	told := func(text string) {
		t.Helper()
		if strings.Count(text, "could not be taken back") != 1 || !strings.Contains(text, "hard links") ||
			!strings.Contains(text, "unstop "+plan) || !strings.Contains(text, "journal abandon "+plan) {
			t.Errorf("it says\n%s", text)
		}
	}
	later(t, 0, 0, append(root("stop", "account:anna@example.com", "--for", "1h"), yes...)...)
	must(t, os.Link(main, main+".second"))
	told(later(t, 2*time.Hour, 4, append(root("unstop", "--expired"), yes...)...))
	if n := tries(2 * time.Hour); n != 1 {
		t.Fatalf("tried %d times", n)
	}
	for _, words := range [][]string{{"queue", "stat"}, {"journal"}, {"queue", "ls"}, append([]string{"queue", "hold", "from:@example.com"}, yes...)} {
		told(later(t, 2*time.Hour+30*time.Minute, 0, root(words...)...))
	}
	told(later(t, 2*time.Hour+30*time.Minute, 5, append(root("stop", "account:anna@example.com"), yes...)...))
	if text := later(t, 2*time.Hour+30*time.Minute, 4, append(root("unstop", "--expired"), yes...)...); !strings.Contains(text, "an hour after the last time") {
		t.Errorf("it says\n%s", text)
	}
	if n := tries(150 * time.Minute); n != 1 {
		t.Errorf("tried %d times within an hour", n)
	}
	told(later(t, 3*time.Hour+time.Minute, 0, append(root("queue", "release", "from:@example.com"), yes...)...))
	if n := tries(3*time.Hour + time.Minute); n != 2 {
		t.Errorf("tried %d times in two hours", n)
	}
	must(t, os.Remove(main+".second"))
	later(t, 3*time.Hour+2*time.Minute, 0, append(root("unstop", plan), yes...)...)
	if now, err := os.ReadFile(main); err != nil || !bytes.Equal(now, before) {
		t.Errorf("%v: main.cf is\n%s", err, now)
	}
	if text := later(t, 5*time.Hour, 0, root()...); strings.Contains(text, "In force") || strings.Contains(text, plan) {
		t.Errorf("it is told of still:\n%s", text)
	}
}

// TestAnExpiryThatSomebodyHasOvertaken has an administrator edit the line that a stop has
// changed. The answer tells of it until he says that it is to stay.
func TestAnExpiryThatSomebodyHasOvertaken(t *testing.T) {
	dir := hosttest.Unpack(t, "postfix")
	main := filepath.Join(dir, "etc/postfix/main.cf")
	text, err := os.ReadFile(main)
	must(t, err)
	must(t, os.WriteFile(main, append(text, "smtpd_sender_restrictions = reject_unknown_sender_domain\n"...), 0o644))
	root := func(words ...string) []string { return append([]string{"--root", dir, "--log", "none"}, words...) }
	yes := []string{"--yes", "--reason", "test"}
	const plan = "20261123T120000-stop"
	later(t, 0, 3, append(root("journal", "abandon", plan), yes...)...)
	later(t, 0, 0, append(root("stop", "account:anna@example.com", "--for", "1h"), yes...)...)
	later(t, 0, 3, append(root("journal", "abandon", plan), yes...)...) // it is in force
	text, err = os.ReadFile(main)
	must(t, err)
	edited := bytes.Replace(text, []byte("\nsmtpd_sender_restrictions ="), []byte("\nsmtpd_sender_restrictions = permit_mynetworks"), 1)
	must(t, os.WriteFile(main, edited, 0o644))
	later(t, 2*time.Hour, 4, append(root("unstop", "--expired"), yes...)...)
	for _, after := range []time.Duration{2 * time.Hour, 30 * time.Hour} {
		if text := later(t, after, 0, root()...); !strings.Contains(text, "In force") || !strings.Contains(text, "was changed since") ||
			!strings.Contains(text, "account:anna@example.com") || !strings.Contains(text, "unstop "+plan) {
			t.Errorf("the answer does not tell of it:\n%s", text)
		}
	}
	later(t, 31*time.Hour, 0, root("journal", "abandon", "-n", plan)...)
	if text := later(t, 31*time.Hour, 0, append(root("journal", "abandon", plan), yes...)...); !strings.Contains(text, "is not taken back any more") {
		t.Errorf("it says\n%s", text)
	}
	if text := later(t, 32*time.Hour, 0, root()...); strings.Contains(text, plan) {
		t.Errorf("it is told of still:\n%s", text)
	}
	later(t, 32*time.Hour, 3, append(root("unstop", plan), yes...)...)
	if now, err := os.ReadFile(main); err != nil || !bytes.Equal(now, edited) {
		t.Errorf("%v: main.cf is\n%s", err, now)
	}
}
