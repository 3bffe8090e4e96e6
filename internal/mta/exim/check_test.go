package exim

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func checked(t *testing.T, dir string, now time.Time) map[string]int {
	t.Helper()
	root, err := host.Open(dir)
	must(t, err)
	defer func() { _ = root.Close() }()
	q, err := Open(root, Config{Spool: "/var/spool/exim4"})
	must(t, err)
	defer func() { _ = q.Close() }()
	c, err := q.Check(t.Context(), now)
	must(t, err)
	if len(c.Unread) > 0 || c.Messages == 0 {
		t.Errorf("%d messages; not read: %v", c.Messages, c.Unread)
	}
	counts := map[string]int{}
	for _, d := range c.Damages {
		counts[d.Check] = d.Count
	}
	return counts
}

// TestEachDamageOfASpoolIsFound does one thing after another to a captured spool.
func TestEachDamageOfASpoolIsFound(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("tar keeps owners for root alone")
	}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	dir := hosttest.Unpack(t, "exim")
	spool := filepath.Join(dir, "var/spool/exim4")
	must(t, os.RemoveAll(filepath.Join(spool, "db")))
	base := checked(t, dir, now)
	t.Logf("the capture has %v", base)
	told := map[string]bool{}
	for check := range base {
		told[check] = true
	}
	more := func(check string, do func()) {
		t.Helper()
		do()
		base[check]++
		told[check] = true
		got := checked(t, dir, now)
		for word := range told {
			if got[word] != base[word] {
				t.Errorf("after %s: %s is %d, want %d", check, word, got[word], base[word])
			}
		}
		for word := range got {
			if !told[word] {
				t.Errorf("after %s: %s is told too", check, word)
			}
		}
		base = got
	}
	headers, err := filepath.Glob(spool + "/input/*/*-H")
	must(t, err)
	var whole []string // messages with both files
	for _, header := range headers {
		_, err := os.Stat(strings.TrimSuffix(header, "H") + "D")
		text, errRead := os.ReadFile(header)
		var h spoolHeader
		if err == nil && errRead == nil && h.parse(text, strings.TrimSuffix(filepath.Base(header), "-H")) == nil {
			whole = append(whole, strings.TrimSuffix(header, "-H"))
		}
	}
	aged := func(name, content string) {
		must(t, os.MkdirAll(filepath.Dir(name), 0o750))
		must(t, os.WriteFile(name, []byte(content), 0o640))
		must(t, os.Chtimes(name, now.Add(-time.Hour), now.Add(-time.Hour)))
		info, err := os.Stat(filepath.Join(spool, "input"))
		must(t, err)
		must(t, chownLike(name, info))
	}
	more("header-damaged", func() { must(t, os.Truncate(whole[0]+"-H", 120)) })
	more("data-damaged", func() { aged(whole[1]+"-D", "another") })
	more("no-data", func() { must(t, os.Remove(whole[2]+"-D")) })
	more("no-header", func() { must(t, os.Remove(whole[3]+"-H")) })
	more("owner", func() { must(t, os.Chown(whole[4]+"-H", 0, 0)) })
	more("scattered", func() {
		must(t, os.Rename(whole[5]+"-D", filepath.Join(spool, "input", filepath.Base(whole[5])+"-D")))
	})
	more("twice", func() {
		data, err := os.ReadFile(whole[6] + "-D")
		must(t, err)
		aged(filepath.Join(spool, "input", filepath.Base(whole[6])+"-D"), string(data))
	})
	more("stray-journal", func() { aged(spool+"/input/1xVRRq-0000aa-00-J", "x@y.test\n") })
	more("stale-msglog", func() { aged(spool+"/msglog/q/1xVRRq-0000ab-00", "x\n") })
	more("foreign", func() { aged(spool+"/input/notes.txt", "x") })
	more("not-regular", func() { must(t, os.Symlink("/etc/passwd", spool+"/input/1xVRRq-0000ac-00-H")) })
	more("hints-damaged", func() { aged(spool+"/db/retry", "") })
	more("hints-owner", func() {
		aged(spool+"/db/retry.lockfile", "")
		must(t, os.Chown(spool+"/db/retry.lockfile", 0, 0))
	})
	more("hints-large", func() {
		aged(spool+"/db/callout", "TDB file\n")
		must(t, os.Truncate(spool+"/db/callout", hintsLarge+1))
	})
	for _, kind := range damageKinds() {
		if !told[kind.Check] {
			t.Errorf("no test does %s", kind.Check)
		}
		if kind.Severity > spoor.SeverityLow || kind.Means == "" || kind.Advice == "" {
			t.Errorf("%s is not explained", kind.Check)
		}
	}
}

func TestADatabaseIsKnownByItsHead(t *testing.T) {
	f := func(name, head string, want bool) {
		t.Helper()
		if got := isDatabase(name, []byte(head)); got != want {
			t.Errorf("%s %q is %v", name, head, got)
		}
	}
	pad := strings.Repeat("\x00", 12)
	f("retry", pad+"\x61\x15\x06\x00", true)
	f("retry", pad+"\x00\x06\x15\x61", true)
	f("retry", "\xce\x9a\x57\x13"+pad, true)
	f("retry", "SQLite format 3\x00", true)
	f("retry.pag", "", true)
	f("retry", "", false)
	f("retry", "hello, this is no database at all", false)
}

// chownLike gives a file the owner of another.
func chownLike(name string, like os.FileInfo) error {
	st, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return os.ErrInvalid
	}
	return os.Chown(name, int(st.Uid), int(st.Gid))
}
