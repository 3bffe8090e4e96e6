package disk_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
)

func open(t *testing.T, seam disk.Seam) (*disk.Dir, string) {
	t.Helper()
	name := t.TempDir()
	d, err := disk.Open(name, seam)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d, name
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, d *disk.Dir, name, content string) {
	t.Helper()
	f, err := d.Create(name, 0o640)
	must(t, err)
	_, err = f.Write([]byte(content))
	must(t, err)
	must(t, f.Close())
}

func TestNoLinkIsFollowed(t *testing.T) {
	d, name := open(t, nil)
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600))
	must(t, os.Symlink(outside, filepath.Join(name, "folder")))
	must(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(name, "file")))
	must(t, syscall.Mkfifo(filepath.Join(name, "pipe"), 0o600))
	refuses := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s followed a link", what)
		}
	}
	_, err := d.OpenDir("folder")
	refuses("OpenDir", err)
	_, err = d.OpenDir("folder/below")
	refuses("OpenDir below", err)
	_, err = d.MakeDir("folder", 0o700)
	refuses("MakeDir", err)
	_, err = d.Open("file")
	refuses("Open", err)
	_, err = d.OpenWrite("file")
	refuses("OpenWrite", err)
	_, err = d.Create("file", 0o600)
	refuses("Create", err)
	if _, err := d.Open("pipe"); !errors.Is(err, disk.ErrNotRegular) {
		t.Errorf("opening a pipe gives %v, want ErrNotRegular", err)
	}
	must(t, d.SetTimes("file", time.Unix(1, 0), time.Unix(2, 0)))
	must(t, d.Chown("file", os.Getuid(), os.Getgid()))
	info, err := os.Stat(filepath.Join(outside, "secret"))
	must(t, err)
	if info.ModTime().Unix() == 2 {
		t.Error("SetTimes followed a link")
	}
	below, err := d.OpenDir("../../etc")
	if err == nil {
		t.Errorf("OpenDir left the directory: %s", below.Name())
	}
}

func TestRenameOverwritesNothing(t *testing.T) {
	d, _ := open(t, nil)
	write(t, d, "a", "first")
	write(t, d, "b", "second")
	if err := d.Rename("a", d, "b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Rename over a file gives %v, want ErrExist", err)
	}
	must(t, d.Exchange("a", d, "b"))
	f, err := d.Open("a")
	must(t, err)
	got, err := io.ReadAll(f)
	must(t, err)
	must(t, f.Close())
	if string(got) != "second" {
		t.Errorf("after the exchange a holds %q", got)
	}
	must(t, d.Replace("a", d, "b"))
	names, err := d.Names()
	must(t, err)
	if len(names) != 1 || names[0] != "b" {
		t.Errorf("names are %v", names)
	}
}

func TestModesAndTimesAreExact(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	d, _ := open(t, nil)
	folder, err := d.MakeDir("folder", 0o755)
	must(t, err)
	defer func() { must(t, folder.Close()) }()
	write(t, folder, "file", "text")
	must(t, folder.Chmod("file", 0o5644))
	at, mod := time.Unix(1000, 5).UTC(), time.Unix(2000, 6).UTC()
	must(t, folder.SetTimes("file", at, mod))
	must(t, folder.MakeFIFO("fifo", 0o622))
	st, err := folder.Stat("file")
	must(t, err)
	if st.Mode != 0o5644 || !st.Accessed.Equal(at) || !st.Modified.Equal(mod) || st.SizeBytes != 4 || !st.Regular {
		t.Errorf("stat is %+v", st)
	}
	if st, err := d.Stat("folder"); err != nil || st.Mode != 0o755 || !st.Directory {
		t.Errorf("folder is %+v, %v", st, err)
	}
	if st, err := folder.Stat("fifo"); err != nil || st.Mode != 0o622 || !st.FIFO {
		t.Errorf("fifo is %+v, %v", st, err)
	}
}

func TestLocksExclude(t *testing.T) {
	d, _ := open(t, nil)
	write(t, d, "lock", "12345")
	first, err := d.OpenWrite("lock")
	must(t, err)
	second, err := d.OpenWrite("lock")
	must(t, err)
	must(t, first.Flock())
	if err := second.Flock(); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("a second flock gives %v, want ErrLocked", err)
	}
	must(t, first.LockRangeOFD(3))
	if err := second.LockRangeOFD(3); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("a second range lock gives %v, want ErrLocked", err)
	}
	must(t, first.Close())
	must(t, second.Flock())
	must(t, second.Close())
}

func TestACrashStopsEverything(t *testing.T) {
	script := &disktest.Script{Fault: disktest.Faults()[1], N: 4} // open, create, chmod, write
	d, name := open(t, script.Seam)
	f, err := d.Create("file", 0o600)
	must(t, err)
	if _, err := f.Write([]byte("12345678")); !errors.Is(err, disktest.ErrCrash) {
		t.Fatalf("the write gives %v, want a crash", err)
	}
	if err := d.Remove("file"); !errors.Is(err, disktest.ErrCrash) {
		t.Errorf("a call after the crash gives %v", err)
	}
	must(t, f.Close())
	got, err := os.ReadFile(filepath.Join(name, "file"))
	must(t, err)
	if string(got) != "1234" {
		t.Errorf("the torn write left %q", got)
	}
}

// A thread with descriptors of its own must not make a call hit another file.
func TestThreadsWithTheirOwnDescriptors(t *testing.T) {
	d, _ := open(t, nil)
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			runtime.LockOSThread()
			if err := unix.Unshare(unix.CLONE_FILES); err != nil {
				t.Error(err)
				return
			}
			name := strconv.Itoa(n)
			f, err := d.Create(name, 0o600)
			if err != nil {
				t.Error(err)
				return
			}
			when := time.Unix(int64(1000+n), 0).UTC()
			if err := errors.Join(f.SetTimes(when, when), d.Chmod(name, uint32(0o600|n))); err != nil {
				t.Error(err)
			}
			if st, err := f.Stat(); err != nil || !st.Modified.Equal(when) || st.Mode != uint32(0o600|n) {
				t.Errorf("%s is %+v, %v", name, st, err)
			}
		})
	}
	group.Wait()
}
