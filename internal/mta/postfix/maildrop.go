package postfix

import (
	"errors"
	"fmt"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// takeDrop takes a message from maildrop while pickup(8) runs. pickup locks
// nothing (pickup.c): it opens the file, copies it to cleanup(8), closes and
// removes it. The rename makes sure that it does not begin; whether it has begun,
// the kernel tells: a file that somebody has open can get no write lease
// (fcntl(2), F_SETLEASE).
func (s *spool) takeDrop(t *spoor.Target) error {
	f, err := s.locate(t)
	if err != nil {
		return err
	}
	defer func() { _ = f.file.Close() }()
	if queueOf(f.folder) != "maildrop" {
		return fmt.Errorf("%s has left maildrop just now: %w", t.ID, mta.ErrBusy)
	}
	if err := s.moveOut(string(t.ID), f); err != nil {
		return err
	}
	open, err := isOpen(f.file)
	switch {
	case err != nil:
		return errors.Join(err, s.moveBack(string(t.ID), kept{folder: f.folder}))
	case open:
		return s.giveBackDrop(t, f)
	}
	return nil
}

// isOpen reports whether anybody else has a file open. Nobody can be told to wait
// meanwhile: the name is out of everybody's reach.
func isOpen(file *disk.File) (bool, error) {
	_, err := unix.FcntlInt(uintptr(file.Descriptor()), unix.F_SETLEASE, unix.F_WRLCK)
	if errors.Is(err, unix.EAGAIN) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("lease of %s: %w", file.Name(), err)
	}
	_, err = unix.FcntlInt(uintptr(file.Descriptor()), unix.F_SETLEASE, unix.F_UNLCK)
	return false, err
}

// giveBackDrop returns a message that pickup is copying to where pickup will
// remove it. Until pickup is done its mode says that it is not ready
// (mail_open_ok.c), so that pickup does not begin again.
func (s *spool) giveBackDrop(t *spoor.Target, f *found) error {
	if err := f.file.Chmod(f.stat.Mode &^ modeReady); err != nil {
		return errors.Join(err, s.moveBack(string(t.ID), kept{folder: f.folder}))
	}
	err := s.moveBack(string(t.ID), kept{folder: f.folder})
	if err == nil {
		err = s.awaitPickup(f.file)
	}
	if errors.Is(err, mta.ErrGone) {
		return err
	}
	return errors.Join(err, f.file.Chmod(f.stat.Mode))
}

// awaitPickup waits until nobody has a file open. It returns mta.ErrGone if it was
// removed: it is in the queue now, under another ID.
func (s *spool) awaitPickup(file *disk.File) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(moment) {
		st, err := file.Stat()
		switch {
		case err != nil:
			return err
		case st.Links == 0:
			return fmt.Errorf("%s: %w: pickup has taken it", path.Base(file.Name()), mta.ErrGone)
		}
		if open, err := isOpen(file); err != nil || !open {
			return errors.Join(err, mta.ErrBusy)
		}
	}
	return mta.ErrBusy
}
