package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
)

// acl forbids one user to run a program: an entry user:UID:--- in its access
// control list. Mode, owner, set-id bits and everybody else's rights stay.
type acl struct {
	server *Server
	spec   *spoor.ACL
}

type aclRecord struct {
	Mode   uint32 `json:"mode"`
	Had    bool   `json:"had,omitempty"` // a list
	Before []byte `json:"before,omitempty"`
	After  []byte `json:"after"`
}

func (a *acl) do(_ context.Context, records *disk.Dir) (string, error) {
	if a.spec.UID <= 0 {
		return "", fmt.Errorf("uid %d: %w", a.spec.UID, ErrUnsafe)
	}
	f, err := a.open()
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	record, entries, err := a.record(f, records)
	if err != nil {
		return "", err
	}
	if perm, there := permOf(entries, a.spec.UID); there && perm == 0 {
		return "", nil
	}
	err = f.SetAttr(disk.ACLName, encodeACL(withUser(entries, a.spec.UID, 0)))
	if errors.Is(err, unix.ENOTSUP) {
		return "", fmt.Errorf("the file system of %s has no access control lists: %w", a.spec.Path, ErrUnsafe)
	}
	if err != nil {
		return "", err
	}
	return "", a.keepMode(f, record.Mode)
}

func (a *acl) open() (*disk.File, error) {
	at, err := a.server.place(a.spec.Path)
	if err != nil {
		return nil, err
	}
	defer at.close()
	return at.dir.Open(at.name)
}

// record returns what the program had before, and its list as it is now.
func (a *acl) record(f *disk.File, records *disk.Dir) (*aclRecord, []aclEntry, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if st.UID == a.spec.UID {
		return nil, nil, fmt.Errorf("%s belongs to uid %d, whom no list can keep from it: %w", a.spec.Path, a.spec.UID, ErrUnsafe)
	}
	data, had, err := f.Attr(disk.ACLName)
	if err != nil {
		return nil, nil, err
	}
	entries := aclOfMode(st.Mode)
	if had {
		if entries, err = decodeACL(data); err != nil {
			return nil, nil, fmt.Errorf("%s: %w: %w", a.spec.Path, err, ErrUnsafe)
		}
	}
	record := &aclRecord{}
	if found, err := load(records, beforeName, record); err != nil {
		return nil, nil, err
	} else if !found {
		*record = aclRecord{Mode: st.Mode, Had: had, Before: data, After: encodeACL(withUser(entries, a.spec.UID, 0))}
		if err := save(records, beforeName, record); err != nil {
			return nil, nil, err
		}
	} else if !bytes.Equal(data, record.After) {
		record.Mode = st.Mode // an upgrade has put another file here since
	}
	return record, entries, nil
}

// keepMode undoes what the kernel makes of set-id bits when a list is written.
func (a *acl) keepMode(f *disk.File, mode uint32) error {
	st, err := f.Stat()
	if err != nil || st.Mode == mode {
		return err
	}
	return f.Chmod(mode)
}

func (a *acl) undo(_ context.Context, records *disk.Dir) (string, error) {
	record := &aclRecord{}
	if found, err := load(records, beforeName, record); err != nil || !found {
		return "", err
	}
	f, err := a.open()
	if errors.Is(err, fs.ErrNotExist) {
		return "the program is gone, and its list with it", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	data, there, err := f.Attr(disk.ACLName)
	if err != nil || !there {
		return "", err
	}
	mode := st.Mode
	if bytes.Equal(data, record.After) {
		err = a.set(f, record.Before, record.Had)
	} else {
		mode, err = a.takeOut(f, data, record, mode)
	}
	if err != nil {
		return "", err
	}
	return "", a.keepMode(f, mode)
}

func (a *acl) set(f *disk.File, data []byte, there bool) error {
	if !there {
		return f.RemoveAttr(disk.ACLName)
	}
	return f.SetAttr(disk.ACLName, data)
}

// takeOut restores what the user had, in a list that others have changed since. It
// returns the mode that the program is to have: without a list the bits of the group
// are its own again and not the mask, which may allow more.
func (a *acl) takeOut(f *disk.File, data []byte, record *aclRecord, mode uint32) (uint32, error) {
	entries, err := decodeACL(data)
	if err != nil {
		return mode, fmt.Errorf("%s %w: %w", a.spec.Path, spoor.ErrConflict, err)
	}
	if perm, there := permOf(entries, a.spec.UID); !there || perm != 0 {
		return mode, nil // somebody has taken it out
	}
	entries = withoutUser(entries, a.spec.UID)
	if before, err := decodeACL(record.Before); err == nil {
		if perm, had := permOf(before, a.spec.UID); had {
			entries = withUser(entries, a.spec.UID, perm)
		}
	}
	if !named(entries) {
		mode = mode&^0o070 | uint32(groupOf(entries))<<3
	}
	return mode, a.set(f, encodeACL(entries), named(entries))
}
