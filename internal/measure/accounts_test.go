package measure

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
)

// holdAccounts takes the lock as another program does.
func (s *stand) holdAccounts() *os.File {
	s.t.Helper()
	f, err := os.OpenFile(filepath.Join(s.dir, "etc/.pwd.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	must(s.t, err)
	must(s.t, unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}))
	return f
}

func shadowStep() *spoor.Step {
	return &spoor.Step{Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: "/etc/shadow", Changes: []spoor.LineChange{{Old: "anna:$6$x:1", New: "anna:!$6$x:1"}}}}
}

const shadow = "root:*:1\nanna:$6$x:1\n"

func TestNoPasswordIsLockedWhileOthersChangeUsers(t *testing.T) {
	s := newStand(t)
	s.write("etc/shadow", shadow, 0o640)
	holder := s.holdAccounts()
	synctest.Test(t, func(t *testing.T) {
		if _, err := s.do(shadowStep()); !errors.Is(err, disk.ErrLocked) || !strings.Contains(err.Error(), "/etc/.pwd.lock") || s.read("etc/shadow") != shadow {
			t.Errorf("%v; it holds %q", err, s.read("etc/shadow"))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(3*time.Second, func() { _ = holder.Close() })
		if _, err := s.do(shadowStep()); err != nil || s.read("etc/shadow") == shadow {
			t.Errorf("when the other one is ready: %v", err)
		}
	})
	holder = s.holdAccounts()
	synctest.Test(t, func(t *testing.T) {
		if _, err := s.server.Undo(t.Context(), shadowStep(), s.records); !errors.Is(err, disk.ErrLocked) || errors.Is(err, spoor.ErrConflict) {
			t.Errorf("the undo: %v", err)
		}
	})
	must(t, holder.Close())
	if _, err := s.server.Undo(t.Context(), shadowStep(), s.records); err != nil || s.read("etc/shadow") != shadow {
		t.Errorf("the undo: %v; it holds %q", err, s.read("etc/shadow"))
	}
}

// TestTheListOfUsersIsLockedMeanwhile looks for the lock at each call that changes the
// list; other files need none, and make none.
func TestTheListOfUsersIsLockedMeanwhile(t *testing.T) {
	s := newStand(t)
	s.write("etc/shadow", shadow, 0o640)
	s.write("etc/other", shadow, 0o640)
	folder, err := os.Stat(filepath.Join(s.dir, "etc"))
	must(t, err)
	lock := filepath.Join(s.dir, "etc/.pwd.lock")
	renamed := 0
	seam := func(op disk.Op) error {
		if op.Name == "rename" || op.Name == "write" {
			renamed++
			f, err := os.OpenFile(lock, os.O_RDWR, 0)
			must(t, err)
			defer func() { _ = f.Close() }()
			if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); !errors.Is(err, unix.EAGAIN) {
				t.Errorf("%s of %s: the list is not locked: %v", op.Name, op.Path, err)
			}
		}
		return nil
	}
	other := &spoor.Step{Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: "/etc/other", Changes: []spoor.LineChange{{New: "more"}}}}
	if _, err := s.do(other); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(lock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lock for another file: %v", err)
	}
	s.records, err = s.records.MakeDir("1", 0o700)
	must(t, err)
	s.server.Top, err = disk.Open(s.dir, seam)
	must(t, err)
	if _, err := s.do(shadowStep()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.server.Undo(t.Context(), shadowStep(), s.records); err != nil {
		t.Fatal(err)
	}
	if renamed < 4 {
		t.Errorf("%d calls were seen", renamed)
	}
	if after, err := os.Stat(filepath.Join(s.dir, "etc")); err != nil || !after.ModTime().Equal(folder.ModTime()) {
		t.Errorf("the folder has another time: %v", err)
	}
}
