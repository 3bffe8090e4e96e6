package recorder

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"spoor/internal/origin"
)

func openTestLog(t *testing.T, now func() time.Time) *log {
	t.Helper()
	l, err := openLog(t.TempDir()+"/log/origin.log", now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l
}

func record(uid int) *origin.Record {
	return &origin.Record{ID: "1.x", Facts: origin.Facts{UID: uid}, Claims: origin.Claims{URI: strings.Repeat("u", 1000)}}
}

// One user's flood leaves room for all others, and is still seen.
func TestAllowance(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	l := openTestLog(t, func() time.Time { return now })
	write := func(uid, n int) int64 {
		t.Helper()
		before := l.size
		for range n {
			if err := l.write(record(uid)); err != nil {
				t.Fatal(err)
			}
		}
		return l.size - before
	}
	if got := write(7, 20_000); got > allowance+400<<10 || got < allowance-10_000 {
		t.Errorf("one user wrote %d bytes", got)
	}
	text, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	last := text[bytes.LastIndexByte(text[:len(text)-1], '\n')+1:]
	if r, err := origin.ParseRecord(last); err != nil || r.Left != sampleEvery-1 {
		t.Errorf("%v %d were left out", err, r.Left)
	}
	if got := write(8, 100); got < 100_000 {
		t.Errorf("another wrote %d bytes", got)
	}
	now = now.Add(48 * time.Hour)
	if got := write(7, 100); got < 100_000 {
		t.Errorf("two days later he wrote %d bytes", got)
	}
}

func TestRotation(t *testing.T) {
	l := openTestLog(t, time.Now)
	for i := range (keptLogs + 3) * logBytes / 1000 {
		if err := l.write(record(i)); err != nil { // each with an allowance of his own
			t.Fatal(err)
		}
	}
	for i := range keptLogs + 2 {
		name := l.path
		if i > 0 {
			name += "." + strconv.Itoa(i)
		}
		info, err := os.Stat(name)
		if i > keptLogs {
			if err == nil {
				t.Errorf("%s is kept", name)
			}
			continue
		}
		if err != nil || info.Size() > logBytes || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, err, info)
		}
	}
}

func TestLogIsNotWrittenWhereOthersMayWrite(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := openLog(dir+"/origin.log", time.Now); err == nil {
		t.Error("a folder that all may write to is taken")
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", dir+"/origin.log"); err != nil {
		t.Fatal(err)
	}
	if _, err := openLog(dir+"/origin.log", time.Now); err == nil {
		t.Error("a link is followed")
	}
}

func TestStat(t *testing.T) {
	s, ok := parseStat([]byte("4711 (a) b (c) S 812 812 812 0 -1 4194624 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2"))
	if !ok || s.parent != 812 || s.start != 987654 {
		t.Errorf("%+v %v", s, ok)
	}
	for _, line := range []string{"", "1 (x", "1 (x) S", "1 (x) S a b c d e f g h i j k l m n o p q r s"} {
		if _, ok := parseStat([]byte(line)); ok {
			t.Errorf("%q is read", line)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("4711 (a) b (c) S 812 812 812 0 -1 4194624 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2"))
	f.Fuzz(func(_ *testing.T, line []byte) { parseStat(line) })
}

func FuzzParseNote(f *testing.F) {
	f.Add(`"note=u.dp2z8vqtc0f5.10003.4711" "name=sendmail" "recipients=1" "size=512" "cwd=/"`)
	f.Fuzz(func(t *testing.T, line string) {
		r, ok := parseNote(line, 7)
		if !ok {
			return
		}
		if r.Facts.UID != 7 || r.Facts.Script != "" || r.Facts.Exe != "" || r.From != origin.FromSpool {
			t.Errorf("a note made facts: %+v", r.Facts)
		}
		if text, err := r.Append(nil); err != nil || bytes.Count(text, []byte{'\n'}) != 1 {
			t.Errorf("%v: %q", err, text)
		}
	})
}
