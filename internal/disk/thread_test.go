package disk_test

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoor/internal/disk"
)

// TestThreadsWithDescriptorsOfTheirOwn changes a file whose descriptor the first
// thread of the process does not have.
func TestThreadsWithDescriptorsOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	changed := time.Date(2020, 1, 1, 0, 0, 0, 5, time.UTC)
	failed := make(chan error, 1)
	own := func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		failed <- errors.Join(unix.Unshare(unix.CLONE_FILES), dress(dir, changed))
	}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if unix.Gettid() != unix.Getpid() {
			own()
			return
		}
		done := make(chan struct{}) // this goroutine keeps the first thread from the other
		go func() { defer close(done); own() }()
		<-done
	}()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir + "/file")
	if err != nil {
		t.Fatal(err)
	}
	if !info.ModTime().Equal(changed) || info.Mode() != 0o640 {
		t.Errorf("the file has mode %v and is of %v", info.Mode(), info.ModTime())
	}
}

func dress(name string, changed time.Time) error {
	d, err := disk.Open(name, nil)
	if err != nil {
		return err
	}
	f, err := d.Create("file", 0o600)
	if err != nil {
		return err
	}
	if err := f.SetTimes(changed, changed); err != nil {
		return err
	}
	return d.Chmod("file", 0o640)
}
