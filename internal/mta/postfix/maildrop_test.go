package postfix

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"spoor"
	"spoor/internal/mta"
)

// drop is a tree with the target in its maildrop, and the queue as if Postfix ran.
func drop(t *testing.T) (w *tree, s *spool, target *spoor.Target, name string) {
	t.Helper()
	w = newSmallTree(t)
	c, ok := w.mustOpen().(*controller)
	if !ok {
		t.Fatal("another controller")
	}
	t.Cleanup(func() { w.ok(c.Close()) })
	s = c.spools[0]
	w.ok(s.loadTaken())
	batch := w.targets()
	for i := range batch {
		if string(batch[i].ID) == w.ids["maildrop"] {
			target = &batch[i]
		}
	}
	return w, s, target, filepath.Join(w.dir, target.Path())
}

func TestMailInMaildropThatNobodyReadsIsTaken(t *testing.T) {
	w, s, target, name := drop(t)
	w.ok(s.takeDrop(target))
	if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still in maildrop: %v", err)
	}
	w.ok(s.takeFile(target)) // again
	w.ok(s.putBackFile(target))
	if info, err := os.Lstat(name); err != nil || info.Mode() != 0o700 {
		t.Errorf("it came back as %v, %v", info, err)
	}
}

// TestMailThatPickupCopiesIsLeftToIt plays pickup(8), which opens a file, copies
// it, and removes it, or leaves it if cleanup(8) is out of order.
func TestMailThatPickupCopiesIsLeftToIt(t *testing.T) {
	for want, finish := range map[error]func(name string) error{
		mta.ErrGone: os.Remove,
		mta.ErrBusy: func(string) error { return nil },
	} {
		w, s, target, name := drop(t)
		reading, err := os.Open(name)
		w.ok(err)
		done := make(chan error)
		go func() {
			for { // until it is back in maildrop, and says that it is not ready
				info, err := os.Lstat(name)
				if err == nil && info.Mode() == 0 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			done <- errors.Join(finish(name), reading.Close())
		}()
		err = s.takeDrop(target)
		w.ok(<-done)
		if !errors.Is(err, want) {
			t.Errorf("take gives %v, want %v", err, want)
		}
		info, err := os.Lstat(name)
		if errors.Is(want, mta.ErrBusy) && (err != nil || info.Mode() != 0o700) {
			t.Errorf("it was left as %v, %v", info, err)
		}
		if errors.Is(want, mta.ErrGone) && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it is there: %v", err)
		}
	}
}
