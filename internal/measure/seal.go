package measure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
)

// seal takes a script from its owner: it belongs to root, has mode 000, and cannot
// be renamed, removed or replaced where the file system knows that. Its folder
// stays as it is. Its time of modification is another one: PHP's OPcache runs what it
// has compiled, and does not ask who may read the file, until that time changes
// (opcache.validate_timestamps, opcache.validate_permission).
type seal struct {
	server *Server
	spec   *spoor.Seal
}

// sealRecord is the script as it was. Its content is beside it.
type sealRecord struct {
	File     fileState `json:"file"`
	Flags    uint32    `json:"flags,omitempty"`
	HasFlags bool      `json:"has_flags,omitempty"`
	Name     string    `json:"name"` // it was opened under
}

// scriptLimit bounds the scripts that are kept, in bytes.
const scriptLimit = 64 << 20

// LookAtScript is the identity of a script, to be sealed later. name and home are
// absolute below top; home must have no links in it. It returns ErrUnsafe for what
// would not be sealed.
func LookAtScript(top *disk.Dir, name, home string) (*spoor.Seal, error) {
	s := &seal{server: &Server{Top: top}, spec: &spoor.Seal{Path: name, Home: home}}
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	st, digest, err := s.identity(f)
	if err != nil {
		return nil, err
	}
	return &spoor.Seal{
		Path: name, Home: home, Device: st.Device, Inode: st.Inode, SizeBytes: st.SizeBytes, Modified: st.Modified, SHA256: digest,
	}, nil
}

// open opens the script by its path below the home. Links on the way may not leave
// the home; the script itself is none.
func (s *seal) open() (*disk.File, error) {
	inside, ok := strings.CutPrefix(path.Clean(s.spec.Path), path.Clean(s.spec.Home)+"/")
	if !ok || s.spec.Home == "" || path.Clean(s.spec.Home) == "/" {
		return nil, fmt.Errorf("%s does not lie in the site's folder %s: %w", s.spec.Path, s.spec.Home, ErrUnsafe)
	}
	home, err := s.server.Top.OpenDir(s.spec.Home)
	if err != nil {
		return nil, err
	}
	defer func() { _ = home.Close() }()
	f, err := home.OpenBelow(inside)
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, fmt.Errorf("%s is a symbolic link: %w", s.spec.Path, ErrUnsafe)
	case errors.Is(err, unix.EXDEV):
		return nil, fmt.Errorf("%s leads out of the site's folder: %w", s.spec.Path, ErrUnsafe)
	case errors.Is(err, disk.ErrNotRegular):
		return nil, fmt.Errorf("%s is no file: %w", s.spec.Path, ErrUnsafe)
	}
	return f, err
}

// identity describes the open script and hashes its content.
func (s *seal) identity(f *disk.File) (disk.Stat, string, error) {
	st, err := f.Stat()
	if err != nil {
		return st, "", err
	}
	if st.Links > 1 {
		return st, "", fmt.Errorf("%s has %d names (hard links), and may be somebody else's file: %w", s.spec.Path, st.Links, ErrUnsafe)
	}
	if st.SizeBytes > scriptLimit {
		return st, "", fmt.Errorf("%s has %d bytes: %w", s.spec.Path, st.SizeBytes, ErrUnsafe)
	}
	digest := sha256.New()
	if _, err := io.Copy(digest, io.NewSectionReader(f, 0, scriptLimit+1)); err != nil {
		return st, "", err
	}
	return st, hex.EncodeToString(digest.Sum(nil)), nil
}

// same reports whether a file is the one that the plan was made for. Its time is that of
// the seal where an earlier run was cut off.
func (s *seal) same(st *disk.Stat, digest string) bool {
	w := s.spec
	return st.Device == w.Device && st.Inode == w.Inode && st.SizeBytes == w.SizeBytes && digest == w.SHA256 &&
		(st.Modified.Equal(w.Modified) || st.Modified.Equal(sealed(w.Modified)))
}

// sealed is the time of modification of a sealed script: OPcache compares seconds.
func sealed(modified time.Time) time.Time { return modified.Add(time.Second) }

func (s *seal) do(_ context.Context, records *disk.Dir) (string, error) {
	f, err := s.open()
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	st, digest, err := s.identity(f)
	if err != nil {
		return "", err
	}
	if !s.same(&st, digest) {
		return "", fmt.Errorf("%s is another file now, or has another content, than when the plan was made: %w", s.spec.Path, ErrUnsafe)
	}
	record, err := s.record(f, &st, records)
	if err != nil {
		return "", err
	}
	return s.close(f, record)
}

// record returns the record of an earlier run, or keeps the script as it is.
func (s *seal) record(f *disk.File, st *disk.Stat, records *disk.Dir) (*sealRecord, error) {
	record := &sealRecord{}
	if found, err := load(records, beforeName, record); err != nil || found {
		return record, err
	}
	content, err := f.All(scriptLimit)
	if err != nil {
		return nil, err
	}
	if sum(content) != s.spec.SHA256 {
		return nil, fmt.Errorf("%s is being written to: %w", s.spec.Path, ErrUnsafe)
	}
	record.Name = s.spec.Path
	record.File = fileState{
		Mode: st.Mode, UID: st.UID, GID: st.GID, Accessed: st.Accessed, Modified: st.Modified, Device: st.Device, Inode: st.Inode,
		SHA256: s.spec.SHA256,
	}
	if record.File.Attrs, err = f.Attrs(); err != nil {
		return nil, err
	}
	if record.Flags, record.HasFlags, err = f.Flags(); err != nil {
		return nil, err
	}
	if err := records.Put(contentName, 0o600, content); err != nil {
		return nil, err
	}
	return record, save(records, beforeName, record)
}

// close shuts the open file, and looks whether it is still the one that the path
// leads to, with the content that was kept.
func (s *seal) close(f *disk.File, record *sealRecord) (remark string, err error) {
	if shut, err := isShut(f); err != nil || shut {
		return "", errors.Join(err, s.stillThere(record))
	}
	if record.HasFlags { // somebody may have made it unchangeable as it was
		if _, err := f.SetFlags(record.Flags &^ disk.Immutable); err != nil && !errors.Is(err, unix.EPERM) {
			return "", err
		}
	}
	if err := f.Chown(0, 0); err != nil {
		return "", err
	}
	if err := f.Chmod(0); err != nil {
		return "", err
	}
	if err := f.SetTimes(record.File.Accessed, sealed(record.File.Modified)); err != nil {
		return "", err
	}
	ok, err := f.SetFlags(record.Flags | disk.Immutable)
	if err != nil && !errors.Is(err, unix.EPERM) {
		return "", err
	}
	if !ok || err != nil {
		remark = "this file system cannot make a file unchangeable: the owner of the folder can remove it and put another in its place"
	}
	return remark, s.stillThere(record)
}

// isShut reports whether an earlier run has done all that can be done.
func isShut(f *disk.File) (bool, error) {
	flags, ok, err := f.Flags()
	if err != nil || !ok || flags&disk.Immutable == 0 {
		return false, err
	}
	st, err := f.Stat()
	return err == nil && st.UID == 0 && st.GID == 0 && st.Mode&0o7777 == 0, err
}

func (s *seal) stillThere(record *sealRecord) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	st, digest, err := s.identity(f)
	if err != nil {
		return err
	}
	if st.Device != record.File.Device || st.Inode != record.File.Inode {
		return fmt.Errorf("%s was replaced meanwhile: %w", s.spec.Path, ErrUnsafe)
	}
	if was := record.File.Modified; digest != record.File.SHA256 || !st.Modified.Equal(was) && !st.Modified.Equal(sealed(was)) {
		return fmt.Errorf("%s was written to meanwhile: %w", s.spec.Path, ErrUnsafe)
	}
	return nil
}

func (s *seal) undo(_ context.Context, records *disk.Dir) (string, error) {
	record := &sealRecord{}
	if found, err := load(records, beforeName, record); err != nil || !found {
		return "", err
	}
	kept := records.Name() + "/" + contentName
	f, err := s.open()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUnsafe) {
		return "", fmt.Errorf("%s %w: it is not there any more, perhaps since its folder was renamed. A copy of it is %s", s.spec.Path, spoor.ErrConflict, kept)
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	if st.Device != record.File.Device || st.Inode != record.File.Inode {
		return "", fmt.Errorf("%s %w: another file is there now, which was left as it is. A copy of the sealed one is %s", s.spec.Path, spoor.ErrConflict, kept)
	}
	return "", s.reopen(f, &st, record)
}

// reopen gives the script back as it was. Times come after what needs the file to
// be changeable, and the flags it had come last.
func (s *seal) reopen(f *disk.File, st *disk.Stat, record *sealRecord) error {
	if record.HasFlags {
		if _, err := f.SetFlags(record.Flags &^ disk.Immutable); err != nil {
			return err
		}
	}
	was := record.File
	if !st.Modified.Equal(was.Modified) && !st.Modified.Equal(sealed(was.Modified)) {
		was.Accessed, was.Modified = st.Accessed, st.Modified // somebody could still write to it
	}
	if err := dress(f, &was, true); err != nil {
		return err
	}
	if record.HasFlags {
		if _, err := f.SetFlags(record.Flags); err != nil {
			return err
		}
	}
	return f.Sync()
}
