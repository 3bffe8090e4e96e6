package qmail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// swap puts a file in the place of a control file and back. Both are always there,
// under the control file's name and that of keep, and change places in one step:
// at any moment the control file is the one or the other, whole. What it takes
// the place of is looked at afterwards; if somebody has edited it at that moment,
// they change places again.
type swap struct {
	dir *disk.Dir
	r   *Frozen
}

// keep is where the original is while the other is in its place.
func (s swap) keep() string { return s.r.Name + ".spoor-" + s.r.Plan }

// between is a third name, for file systems that cannot exchange two.
func (s swap) between() string { return s.keep() + ".swap" }

func (s swap) freeze() error {
	if err := s.finish(); err != nil {
		return err
	}
	now, found, err := s.read(s.r.Name)
	if err != nil {
		return err
	}
	if !s.isContent(now, found) {
		if !s.isOriginal(now, found) {
			return s.changed(now, s.r.Original)
		}
		if err := s.putContent(); err != nil {
			return err
		}
	}
	if err := s.checkKept(); err != nil {
		return err
	}
	return s.dir.Sync()
}

func (s swap) putContent() error {
	if err := s.dispose(); err != nil {
		return err
	}
	if err := s.write(s.r.Content, false); err != nil {
		return err
	}
	if s.r.Existed {
		return s.exchange()
	}
	err := s.dir.Rename(s.keep(), s.dir, s.r.Name)
	if errors.Is(err, fs.ErrExist) { // somebody has made one at this moment
		return s.changed(nil, nil)
	}
	return err
}

// checkKept makes sure that what gave way is what the plan knows.
func (s swap) checkKept() error {
	kept, found, err := s.read(s.keep())
	if err != nil || !found || !s.r.Existed || bytes.Equal(kept, s.r.Original) {
		return err
	}
	if err := s.exchange(); err != nil {
		return err
	}
	return errors.Join(s.changed(kept, s.r.Original), s.dispose(), s.dir.Sync())
}

func (s swap) thaw(force bool) error {
	if err := s.finish(); err != nil {
		return err
	}
	now, found, err := s.read(s.r.Name)
	if err != nil {
		return err
	}
	if !s.isOriginal(now, found) {
		if !force && !s.isContent(now, found) {
			return s.changed(now, s.r.Content)
		}
		if err := s.putOriginal(found, force); err != nil {
			return err
		}
		if err := s.dir.Sync(); err != nil {
			return err
		}
	}
	return errors.Join(s.dispose(), s.dir.Sync())
}

// putOriginal makes the two change places, and back if it was not the expected one
// that gave way.
func (s swap) putOriginal(found, force bool) error {
	if err := s.haveOriginal(); err != nil {
		return err
	}
	switch {
	case !s.r.Existed:
		if err := s.dir.Rename(s.r.Name, s.dir, s.keep()); err != nil {
			return err
		}
	case !found:
		return s.dir.Rename(s.keep(), s.dir, s.r.Name)
	default:
		if err := s.exchange(); err != nil {
			return err
		}
	}
	gone, _, err := s.read(s.keep())
	if err != nil || force || bytes.Equal(gone, s.r.Content) {
		return err
	}
	if s.r.Existed {
		err = s.exchange()
	} else {
		err = s.dir.Rename(s.keep(), s.dir, s.r.Name)
	}
	return errors.Join(s.changed(gone, s.r.Content), err)
}

// haveOriginal makes sure that the original lies beside its place, if there was one;
// if it was lost it is written again from the record.
func (s swap) haveOriginal() error {
	kept, found, err := s.read(s.keep())
	if err != nil || (found && s.r.Existed && bytes.Equal(kept, s.r.Original)) {
		return err
	}
	if err := s.dispose(); err != nil || !s.r.Existed {
		return err
	}
	return s.write(s.r.Original, true)
}

// exchange makes the control file and the one beside it change places.
func (s swap) exchange() error {
	err := s.dir.Exchange(s.keep(), s.dir, s.r.Name)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	if err := s.dir.Link(s.r.Name, s.dir, s.between()); err != nil {
		return err
	}
	if err := s.dir.Replace(s.keep(), s.dir, s.r.Name); err != nil {
		return err
	}
	return s.dir.Rename(s.between(), s.dir, s.keep())
}

// finish ends an exchange in three steps that was interrupted.
func (s swap) finish() error {
	between, err := s.dir.Stat(s.between())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err = s.dir.Stat(s.keep()); errors.Is(err, fs.ErrNotExist) && between.Regular {
		return s.dir.Rename(s.between(), s.dir, s.keep())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	now, err := s.dir.Stat(s.r.Name)
	if err != nil || !between.Regular || now.Inode != between.Inode {
		return fmt.Errorf("%s is in the way: %w", path.Join(s.dir.Name(), s.between()), errors.Join(mta.ErrChanged, err))
	}
	return s.dir.Remove(s.between())
}

// dispose removes the file beside the control file. It is called where the original
// is in its place, or in the record alone. What is neither the original nor the
// other, nor a part of them that was being written, is somebody's: it is put
// aside.
func (s swap) dispose() error {
	data, found, err := s.read(s.keep())
	if err != nil || !found {
		return err
	}
	if bytes.HasPrefix(s.r.Original, data) || bytes.HasPrefix(s.r.Content, data) {
		return s.dir.Remove(s.keep())
	}
	const most = 100
	for i := 1; i <= most; i++ {
		err = s.dir.Rename(s.keep(), s.dir, fmt.Sprintf("%s.edited-%s-%d", s.r.Name, s.r.Plan, i))
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return err
}

// write writes the file beside the control file, durably, with its owner and mode.
// The original gets back its time too.
func (s swap) write(data []byte, original bool) error {
	f, err := s.dir.Create(s.keep(), 0o600)
	if err != nil {
		return err
	}
	steps := []func() error{
		func() error { _, err := f.Write(data); return err },
		func() error { return f.Chown(s.r.UID, s.r.GID) },
		func() error { return f.Chmod(s.r.Mode) },
		func() error {
			if !original {
				return nil
			}
			return f.SetTimes(s.r.Modified, s.r.Modified)
		},
		f.Sync,
	}
	for _, step := range steps {
		if err = step(); err != nil {
			break
		}
	}
	return errors.Join(err, f.Close())
}

// read reads a control file; found is false if there is none.
func (s swap) read(name string) (data []byte, found bool, err error) {
	f, err := s.dir.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	data, err = io.ReadAll(io.LimitReader(f, controlLimit+1))
	if err == nil && len(data) > controlLimit {
		err = fmt.Errorf("%s has more than %d bytes", f.Name(), controlLimit)
	}
	return data, true, errors.Join(err, f.Close())
}

func (s swap) isOriginal(data []byte, found bool) bool {
	return found == s.r.Existed && bytes.Equal(data, s.r.Original)
}

func (s swap) isContent(data []byte, found bool) bool { return found && bytes.Equal(data, s.r.Content) }

// changed tells that a file is not what it was expected to be.
func (s swap) changed(now, want []byte) error {
	return &spoor.Problem{
		What: path.Join(s.dir.Name(), s.r.Name) + " was edited by somebody else",
		So:   "it was left as it is; " + difference(now, want),
		Err:  mta.ErrChanged,
	}
}

// difference says in one line how text differs from what was expected.
func difference(now, want []byte) string {
	const most = 5
	var list []string
	count := 0
	tell := func(sign string, a, b []byte) {
		left := map[string]int{}
		for line := range strings.Lines(string(b)) {
			left[strings.TrimRight(line, "\n")]++
		}
		for line := range strings.Lines(string(a)) {
			line = strings.TrimRight(line, "\n")
			if left[line]--; left[line] >= 0 {
				continue
			}
			if count++; count <= most {
				list = append(list, sign+fmt.Sprintf("%q", line))
			}
		}
	}
	tell("+", now, want)
	tell("-", want, now)
	switch {
	case count == 0:
		return "the same lines are in another order, or end otherwise"
	case count > most:
		list = append(list, fmt.Sprintf("and %d lines more", count-most))
	}
	return "compared with what was expected: " + strings.Join(list, " ")
}
