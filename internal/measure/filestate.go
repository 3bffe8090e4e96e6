package measure

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"time"

	"spoor/internal/disk"
)

// fileLimit bounds the files that are edited, in bytes.
const fileLimit = 64 << 20

// fileState is a file as it was found. Its content is beside it on disk.
type fileState struct {
	Absent   bool       `json:"absent,omitempty"`
	Mode     uint32     `json:"mode"`
	UID      int        `json:"uid"`
	GID      int        `json:"gid"`
	Accessed time.Time  `json:"accessed"`
	Modified time.Time  `json:"modified"`
	Attrs    disk.Attrs `json:"attrs,omitempty"`
	Device   uint64     `json:"device"`
	Inode    uint64     `json:"inode"`
	SHA256   string     `json:"sha256"` // of the content; "" if Absent

	content []byte
}

func sum(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

// like reports whether two files have the same content, mode, owner and attributes.
func (f *fileState) like(other *fileState) bool {
	return !f.Absent && !other.Absent && f.SHA256 == other.SHA256 && f.Mode == other.Mode && f.UID == other.UID && f.GID == other.GID &&
		maps.EqualFunc(f.Attrs, other.Attrs, bytes.Equal)
}

// look reads the file of a place. A file with a second name is refused: what is
// put in its place would not be what the other name leads to.
func (p *place) look() (fileState, error) {
	f, err := p.dir.Open(p.name)
	if errors.Is(err, fs.ErrNotExist) {
		return fileState{Absent: true}, nil
	}
	if err != nil {
		return fileState{}, err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return fileState{}, err
	}
	if st.Links > 1 {
		return fileState{}, fmt.Errorf("%s has %d names (hard links): %w", p.path, st.Links, ErrUnsafe)
	}
	state := fileState{
		Mode: st.Mode, UID: st.UID, GID: st.GID, Accessed: st.Accessed, Modified: st.Modified, Device: st.Device, Inode: st.Inode,
	}
	if state.content, err = f.All(fileLimit); err != nil {
		return fileState{}, err
	}
	state.SHA256 = sum(state.content)
	state.Attrs, err = f.Attrs()
	return state, err
}

// unchanged reports whether the file is still the one that was looked at.
func (p *place) unchanged(was *fileState) error {
	st, err := p.dir.Stat(p.name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && was.Absent:
		return nil
	case err == nil && !was.Absent && st.Inode == was.Inode && st.Device == was.Device && st.Modified.Equal(was.Modified):
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return fmt.Errorf("%s is being changed by somebody else: %w", p.path, ErrUnsafe)
}

// put writes a file in place of the one that was looked at, in one step, with
// mode, owner and attributes of want; its times too if exact.
func (p *place) put(was, want *fileState, exact bool) error {
	temporary := p.temporary()
	if err := p.dir.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := p.write(temporary, want, exact)
	if err == nil {
		err = p.unchanged(was)
	}
	if err == nil {
		err = p.dir.Replace(temporary, p.dir, p.name)
	}
	if err != nil {
		_ = p.dir.Remove(temporary)
	}
	return err
}

// temporary is the name of a file before it is in its place.
func (p *place) temporary() string { return ".spoor-" + p.name }

func (p *place) write(name string, want *fileState, exact bool) error {
	f, err := p.dir.Create(name, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Write(want.content); err != nil {
		return err
	}
	if err := dress(f, want, exact); err != nil {
		return err
	}
	return f.Sync()
}

// dress gives an open file mode, owner and attributes; owner first, since that
// clears set-id bits, and times last.
func dress(f *disk.File, want *fileState, exact bool) error {
	if err := f.Chown(want.UID, want.GID); err != nil {
		return err
	}
	if err := f.Chmod(want.Mode); err != nil {
		return err
	}
	if err := f.SetAttrs(want.Attrs); err != nil {
		return err
	}
	if exact {
		return f.SetTimes(want.Accessed, want.Modified)
	}
	return nil
}

// folderTimes are those of a folder in which a file was replaced: its list of names
// is the same afterwards, and so are they.
type folderTimes struct {
	Accessed time.Time `json:"accessed"`
	Modified time.Time `json:"modified"`
}

func (p *place) folderTimes() (folderTimes, error) {
	st, err := p.dir.Stat(".")
	return folderTimes{Accessed: st.Accessed, Modified: st.Modified}, err
}

// settle sets the times of the folder back and makes its names durable.
func (p *place) settle(times folderTimes) error {
	// What a crash has left of an earlier run is no part of the folder.
	if err := p.dir.Remove(p.temporary()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.dir.SetTimes(".", times.Accessed, times.Modified); err != nil {
		return err
	}
	return p.dir.Sync()
}
