package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"spoor"
)

// makeRoot makes a root with a file, a folder and links of every kind.
func makeRoot(t *testing.T) (*Root, string) {
	t.Helper()
	base := t.TempDir()
	dir := filepath.Join(base, "root")
	for _, folder := range []string{"etc", "var/log", "opt/real"} {
		must(t, os.MkdirAll(filepath.Join(dir, folder), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(base, "secret"), []byte("outside"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte("inside"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "opt/real/file"), []byte("real"), 0o600))
	must(t, syscall.Mkfifo(filepath.Join(dir, "etc/fifo"), 0o600))
	for link, target := range map[string]string{
		"relative": "opt/real/file", "absolute": "/opt/real/file", "folder": "/opt/real",
		"climbs": "../secret", "climbs-far": "../../../../../../etc/passwd", "absolute-outside": base + "/secret",
		"loop": "loop", "self": "/self/x", "dots": "/etc/../etc/passwd",
	} {
		must(t, os.Symlink(target, filepath.Join(dir, link)))
	}
	root, err := Open(dir)
	must(t, err)
	t.Cleanup(func() { must(t, root.Close()) })
	return root, dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNamesStayBelowTheRoot(t *testing.T) {
	root, _ := makeRoot(t)
	reads := func(name, want string) {
		t.Helper()
		got, err := root.ReadFile(name, 100)
		if err != nil || string(got) != want {
			t.Errorf("ReadFile(%q) = %q, %v; want %q", name, got, err, want)
		}
	}
	reads("etc/passwd", "inside")
	reads("/etc/passwd", "inside")
	reads("//etc/./passwd", "inside")
	reads("/var/log/../../etc/passwd", "inside")
	reads("relative", "real")
	reads("absolute", "real")
	reads("folder/file", "real")
	reads("/folder/../../etc/passwd", "inside") // .. of a link is that of its target
	reads("dots", "inside")
}

func TestPathsThatLeaveTheRootAreRefusedAndCounted(t *testing.T) {
	root, _ := makeRoot(t)
	fails := func(name string, want error) {
		t.Helper()
		if data, err := root.ReadFile(name, 100); !errors.Is(err, want) {
			t.Errorf("ReadFile(%q) = %q, %v; want %v", name, data, err, want)
		}
	}
	fails("../secret", ErrEscapes)
	fails("/../secret", ErrEscapes)
	fails("climbs", ErrEscapes)
	fails("climbs-far", ErrEscapes)
	fails("loop", ErrLinkLoop)
	fails("self", ErrLinkLoop)
	fails("absolute-outside", fs.ErrNotExist) // starts again at the root, where there is no such file
	count := 0
	for _, gap := range root.Refused() {
		count += gap.Count
	}
	if count != 6 {
		t.Errorf("%d refusals are counted, want 6: %v", count, root.Refused())
	}
}

func TestOnlyRegularFilesAreRead(t *testing.T) {
	root, _ := makeRoot(t)
	for _, name := range []string{"etc", "etc/fifo", "."} {
		if _, err := root.ReadFile(name, 100); !errors.Is(err, ErrNotRegular) {
			t.Errorf("ReadFile(%q) gives %v, want ErrNotRegular", name, err)
		}
	}
	if _, err := root.ReadFile("etc/passwd", 5); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a file over the limit gives %v, want ErrTooLarge", err)
	}
}

func TestDirOpensNoLinks(t *testing.T) {
	root, dir := makeRoot(t)
	must(t, os.Symlink("passwd", filepath.Join(dir, "etc/link")))
	etc, err := root.OpenDir("/etc")
	must(t, err)
	defer func() { must(t, etc.Close()) }()

	types := map[string]FileType{}
	for entry, err := range etc.Entries() {
		must(t, err)
		types[string(entry.Name)] = entry.Type
	}
	if len(types) != 3 || types["passwd"] != TypeRegular || types["link"] != TypeSymlink {
		t.Errorf("entries of /etc are %v", types)
	}
	if _, err := etc.Open([]byte("link")); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("opening a link gives %v, want ELOOP", err)
	}
	if _, err := etc.Open([]byte("a\x00b")); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("opening a name with a NUL gives %v, want EINVAL", err)
	}
	if _, err := etc.Open([]byte("missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening a missing file gives %v, want ErrNotExist", err)
	}
	if _, err := root.OpenDir("/folder"); err != nil {
		t.Errorf("a folder behind a link inside the root: %v", err)
	}
}

func TestFileTellsThatItWasRemoved(t *testing.T) {
	root, dir := makeRoot(t)
	etc, err := root.OpenDir("/etc")
	must(t, err)
	defer func() { must(t, etc.Close()) }()
	file, err := etc.Open([]byte("passwd"))
	must(t, err)
	defer file.Close()

	buf := make([]byte, 100)
	n, err := file.Read(buf)
	if err != nil || string(buf[:n]) != "inside" {
		t.Fatalf("read %q, %v", buf[:n], err)
	}
	st, err := file.Stat()
	if err != nil || st.Links != 1 || st.SizeBytes != 6 || !st.Regular {
		t.Fatalf("stat is %+v, %v", st, err)
	}
	must(t, os.Remove(filepath.Join(dir, "etc/passwd")))
	if st, err = file.Stat(); err != nil || st.Links != 0 {
		t.Errorf("after removal the file has %d links, %v; want 0", st.Links, err)
	}
}

func TestReadingLeavesAccessTimesAlone(t *testing.T) {
	root, dir := makeRoot(t)
	name := filepath.Join(dir, "etc/passwd")
	old := int64(1_000_000_000)
	must(t, os.Chtimes(name, unixTime(old), unixTime(old)))
	_, err := root.ReadFile("etc/passwd", 100)
	must(t, err)
	etc, err := root.OpenDir("etc")
	must(t, err)
	defer func() { must(t, etc.Close()) }()
	file, err := etc.Open([]byte("passwd"))
	must(t, err)
	_, err = file.Read(make([]byte, 10))
	must(t, err)
	file.Close()
	var st syscall.Stat_t
	must(t, syscall.Stat(name, &st))
	if st.Atim.Sec != old {
		t.Errorf("access time moved to %d; qmail's clean-up reads it", st.Atim.Sec)
	}
}

func TestPasswd(t *testing.T) {
	var gaps spoor.Gaps
	p := ParsePasswd([]byte("# comment\nroot:$1$hash$:0:0:root:/root:/bin/sh\r\n+::::::\nsite1:x:10003:2523::/var/www/vhosts/site1.example:/bin/false\n"+
		"second:x:10003:2523::/home/second:/bin/false\nbroken:x:ten:1::/:/\nshort:x:1\n\nlast:x:7:8::/:"), &gaps)
	if got := len(p.All()); got != 4 {
		t.Errorf("%d accounts, want 4", got)
	}
	if a, ok := p.ByUID(10003); !ok || a.Login != "site1" || a.Line != 4 {
		t.Errorf("the first line of a UID wins: got %+v", a)
	}
	if a, _ := p.ByUID(0); a.Text != "root:x:0:0:root:/root:/bin/sh" {
		t.Errorf("a hash must never be quoted: %q", a.Text)
	}
	if _, ok := p.ByLogin("last"); !ok {
		t.Error("a last line without line end is missing")
	}
	if gaps.Total() != 2 {
		t.Errorf("%d gaps, want 2: %v", gaps.Total(), gaps.List())
	}
}

func FuzzPasswd(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/sh\n"))
	f.Add([]byte("a:b:c:d:e:f:g\n\x00:::::\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var gaps spoor.Gaps
		p := ParsePasswd(data, &gaps)
		for _, a := range p.All() {
			if got, ok := p.ByLogin(a.Login); !ok || got.Login != a.Login {
				t.Fatalf("%q is listed and not found", a.Login)
			}
			if a.UID < 0 || a.GID < 0 || a.Line < 1 {
				t.Fatalf("impossible account %+v", a)
			}
		}
	})
}

func unixTime(seconds int64) time.Time { return time.Unix(seconds, 0) }
