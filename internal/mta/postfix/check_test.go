package postfix

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/mta"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checked is what a check of the server below dir counts.
func checked(t *testing.T, dir string, now time.Time) map[string]int {
	t.Helper()
	root, err := host.Open(dir)
	must(t, err)
	defer func() { _ = root.Close() }()
	passwd, err := root.Passwd(&spoor.Gaps{})
	must(t, err)
	q, err := Adapter().Open(&mta.Server{Root: root, Passwd: passwd, Gaps: &spoor.Gaps{}})
	must(t, err)
	defer func() { _ = q.Close() }()
	checker, ok := q.(mta.Checker)
	if !ok {
		t.Fatal("the queue cannot be checked")
	}
	c, err := checker.Check(t.Context(), now)
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

// inodeNamed renames the messages of an unpacked queue to what they would be
// called with their inodes of now, and their logs with them.
func inodeNamed(t *testing.T, queue string) {
	t.Helper()
	renamed := map[string]string{}
	for _, shelf := range []string{"maildrop", "incoming", "active", "deferred", "hold", "corrupt", "bounce", "defer", "trace"} {
		must(t, filepath.WalkDir(filepath.Join(queue, shelf), func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			id := filepath.Base(name)
			if shelf == "bounce" || shelf == "defer" || shelf == "trace" {
				if renamed[id] == "" {
					return nil
				}
				return os.Rename(name, filepath.Join(filepath.Dir(name), renamed[id]))
			}
			renamed[id] = withInode(t, name)
			return os.Rename(name, filepath.Join(filepath.Dir(name), renamed[id]))
		}))
	}
}

// withInode is the ID that a file should have.
func withInode(t *testing.T, name string) string {
	info, err := os.Lstat(name)
	must(t, err)
	st, _ := info.Sys().(*syscall.Stat_t)
	id := filepath.Base(name)
	if end := strings.LastIndexByte(id, 'z'); end >= minSecondDigits+microDigits {
		digits := ""
		for n := st.Ino; n > 0; n /= 51 {
			digits = string(base51[n%51]) + digits
		}
		return id[:end+1] + digits
	}
	return id[:shortMicros] + strings.ToUpper(strconv.FormatUint(st.Ino, 16))
}

func TestIDsHoldInodes(t *testing.T) {
	f := func(id string, inode uint64, long, ok bool) {
		t.Helper()
		if n, l, o := idInode(id); n != inode && ok || l != long || o != ok {
			t.Errorf("%s holds %d, long %v, %v", id, n, l, o)
		}
	}
	f("4jY1nY4zyYz5vTZ", 786807, true, true) // as stat(1) shows it
	f("8976EC00C9", 0xC00C9, false, true)
	f("12345", 0, false, false)
	f("1234567890z", 0, true, false)
	if got := hashDigits("4jY1nY4zyYz5vTZ"); got != "AB9F5" {
		t.Errorf("hash of a long ID is %s", got)
	}
}

func TestEachDamageOfAQueueIsFound(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("tar keeps owners for root alone")
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	unpacked := checked(t, hosttest.Unpack(t, "postfix"), now)
	if unpacked["misnamed"]+unpacked["long-id"] == 0 {
		t.Errorf("an unpacked queue is not misnamed: %v", unpacked)
	}
	sound := hosttest.Unpack(t, "postfix")
	queue := filepath.Join(sound, "var/spool/postfix")
	inodeNamed(t, queue)
	base := checked(t, sound, now)
	if base["misnamed"]+base["long-id"]+base["owner"]+base["misfiled"]+base["stale-log"] > 0 {
		t.Fatalf("a sound queue has %v", base)
	}
	deferred := ""
	must(t, filepath.WalkDir(filepath.Join(queue, "deferred"), func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			deferred = name
		}
		return err
	}))
	owner, err := os.Stat(deferred)
	must(t, err)
	st, _ := owner.Sys().(*syscall.Stat_t)
	put := func(name string, mode os.FileMode) string {
		full := filepath.Join(queue, name)
		must(t, os.MkdirAll(filepath.Dir(full), 0o700))
		must(t, os.WriteFile(full, []byte("x"), mode))
		must(t, os.Chmod(full, mode))
		must(t, os.Chown(full, int(st.Uid), int(st.Gid)))
		return full
	}
	more := func(check string, n int) {
		t.Helper()
		got := checked(t, sound, now)
		base[check] += n
		for word, count := range got {
			if count != base[word] {
				t.Errorf("after one %s: %s is %d, want %d", check, word, count, base[word])
			}
		}
		if got[check] != base[check] {
			t.Errorf("%s is not told", check)
		}
	}
	put("defer/4/4711F00", 0o600)
	more("stale-log", 1)
	must(t, os.Chtimes(put("incoming/ABCDE1", 0o600), now.Add(-48*time.Hour), now.Add(-48*time.Hour)))
	more("unfinished", 1)
	put("active/notes.txt", 0o700)
	more("foreign", 1)
	put("active/ABCDE1#FIX", 0o700)
	more("fix-unfinished", 1)
	must(t, os.Symlink("/etc/passwd", filepath.Join(queue, "hold/ABCDE2")))
	more("not-regular", 1)
	must(t, os.Chmod(deferred, 0o744))
	more("mode", 1)
	must(t, os.Chown(deferred, 0, 0))
	more("owner", 1)
	must(t, os.Chmod(deferred, 0o700))
	more("mode", -1)
	hash := filepath.Base(filepath.Dir(deferred))
	other := filepath.Join(queue, "deferred", map[bool]string{true: "1", false: "0"}[hash == "0"])
	must(t, os.MkdirAll(other, 0o700))
	must(t, os.Rename(deferred, filepath.Join(other, filepath.Base(deferred))))
	more("misfiled", 1)
	must(t, os.Remove(filepath.Join(other, filepath.Base(deferred))))
	must(t, os.RemoveAll(filepath.Join(queue, "trace")))
	if got := checked(t, sound, now); got["missing-folder"] != base["missing-folder"]+1 {
		t.Errorf("a missing folder: %v", got)
	}
}
