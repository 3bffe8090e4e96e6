package measure

import (
	"bytes"
	"context"
	"fmt"

	"spoor"
	"spoor/internal/disk"
)

// edit replaces a file by one with other lines.
type edit struct {
	server *Server
	spec   *spoor.Edit
}

// editRecord is what an edit has found.
type editRecord struct {
	Edit   spoor.Edit  `json:"edit"` // that was made
	File   fileState   `json:"file"`
	Folder folderTimes `json:"folder"`
	After  string      `json:"after"`          // SHA-256 of the content that it makes
	Same   bool        `json:"same,omitempty"` // there was nothing to change
}

func (e *edit) do(ctx context.Context, records *disk.Dir) (string, error) {
	at, err := e.server.place(e.spec.Path)
	if err != nil {
		return "", err
	}
	defer at.close()
	unlock, err := at.lockAccounts(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	now, err := at.look()
	if err != nil {
		return "", err
	}
	record, err := e.record(at, &now, records)
	if err != nil {
		return "", err
	}
	switch {
	case record.Same:
		return "it was so already", nil
	case !now.Absent && now.SHA256 == record.After: // an earlier run has come so far
		return "", at.settled(record.Folder, records)
	case now.Absent != record.File.Absent || now.SHA256 != record.File.SHA256:
		return "", fmt.Errorf("%s was changed by somebody else meanwhile: %w", e.spec.Path, ErrUnsafe)
	}
	after, err := e.after(&now)
	if err != nil {
		return "", err
	}
	if err := at.put(&now, after, false); err != nil {
		return "", err
	}
	return "", at.settled(record.Folder, records)
}

// settled notes that the folder is in order again: from now on its times are other
// people's.
func (p *place) settled(times folderTimes, records *disk.Dir) error {
	if err := p.settle(times); err != nil {
		return err
	}
	return save(records, settledName, true)
}

// record returns the record of an earlier run, or makes one.
func (e *edit) record(at *place, now *fileState, records *disk.Dir) (*editRecord, error) {
	record := &editRecord{}
	found, err := load(records, beforeName, record)
	if err != nil || found {
		return record, err
	}
	after, err := e.after(now)
	if err != nil {
		return nil, err
	}
	record.Edit, record.File, record.After = *e.spec, *now, after.SHA256
	record.Same = !now.Absent && now.SHA256 == after.SHA256
	if record.Folder, err = at.folderTimes(); err != nil {
		return nil, err
	}
	if err := records.Put(contentName, 0o600, now.content); err != nil {
		return nil, err
	}
	return record, save(records, beforeName, record)
}

// after is the file as it is to be.
func (e *edit) after(now *fileState) (*fileState, error) {
	after := *now
	if now.Absent {
		after = fileState{Mode: e.spec.Mode, UID: e.spec.UID, GID: e.spec.GID}
	}
	if e.spec.Content != nil {
		if now.SHA256 != e.spec.Was {
			return nil, fmt.Errorf("%s is not what it was when the plan was made: %w", e.spec.Path, ErrUnsafe)
		}
		after.content = []byte(*e.spec.Content)
	} else {
		content, err := apply(now.content, e.spec.Changes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", e.spec.Path, err, ErrUnsafe)
		}
		after.content = content
	}
	if !bytes.Contains(after.content, []byte(e.spec.Want)) {
		return nil, fmt.Errorf("%s was changed since the plan was made: %q is not in it any more: %w", e.spec.Path, e.spec.Want, ErrUnsafe)
	}
	after.SHA256 = sum(after.content)
	return &after, nil
}

func (e *edit) undo(ctx context.Context, records *disk.Dir) (string, error) {
	record := &editRecord{}
	if found, err := load(records, beforeName, record); err != nil || !found || record.Same {
		return "", err
	}
	at, err := e.server.place(e.spec.Path)
	if err != nil {
		return "", err
	}
	defer at.close()
	unlock, err := at.lockAccounts(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	now, err := at.look()
	if err != nil {
		return "", err
	}
	folder, err := at.undoing(record.Folder, records)
	if err != nil {
		return "", err
	}
	remark, err := e.restore(at, &now, record, records)
	if err != nil {
		return "", err
	}
	return remark, at.settle(folder)
}

// undoing are the times of the folder before an undo began, or before the step if
// that was cut off.
func (p *place) undoing(before folderTimes, records *disk.Dir) (times folderTimes, err error) {
	var settled bool
	if _, err := load(records, settledName, &settled); err != nil || !settled {
		return before, err
	}
	found, err := load(records, undoingName, &times)
	if err != nil || found {
		return times, err
	}
	if times, err = p.folderTimes(); err != nil {
		return times, err
	}
	return times, save(records, undoingName, times)
}

func (e *edit) restore(at *place, now *fileState, record *editRecord, records *disk.Dir) (remark string, err error) {
	was := record.File
	if was.content, err = records.Get(contentName, fileLimit); err != nil {
		return "", err
	}
	switch {
	case was.Absent && now.Absent, !was.Absent && now.SHA256 == was.SHA256:
		return "", nil
	case !now.Absent && now.SHA256 == record.After:
		return e.putBack(at, now, &was, record)
	case now.Absent:
		return "", fmt.Errorf("%s %w: it is gone. What was in it is in %s/%s", e.spec.Path, spoor.ErrConflict, records.Name(), contentName)
	case record.Edit.Content != nil:
		return "", fmt.Errorf("%s %w: nothing was put back. What was in it is in %s/%s: compare the two", e.spec.Path, spoor.ErrConflict, records.Name(), contentName)
	}
	content, err := takeBack(now.content, was.content, record.Edit.Changes)
	if err != nil {
		return "", fmt.Errorf("%s %w: %w. What was in it is in %s/%s", e.spec.Path, spoor.ErrConflict, err, records.Name(), contentName)
	}
	back := *now
	back.content = content
	if len(content) == 0 && (was.Absent || record.Edit.Ours) {
		back = fileState{Absent: true}
	}
	remark, err = e.putBack(at, now, &back, record)
	if remark == "" && !record.Edit.Ours {
		remark = "somebody has edited the file since: only spoor's own lines were taken back"
	}
	return remark, err
}

// putBack gives the file the state from before. One that is still named elsewhere
// stays, empty: without it the MTA that reads it would take no mail at all.
func (e *edit) putBack(at *place, now, was *fileState, record *editRecord) (string, error) {
	if !was.Absent {
		return "", at.put(now, was, was.SHA256 != "" && was.SHA256 == record.File.SHA256)
	}
	for _, name := range record.Edit.NamedIn {
		named, err := e.names(name)
		if err != nil {
			return "", err
		}
		if named {
			empty := *now
			empty.content, empty.SHA256 = nil, ""
			return "it is empty and stays, since " + name + " names it", at.put(now, &empty, false)
		}
	}
	return "", at.restore(now, was)
}

// names reports whether a file names the path of this one.
func (e *edit) names(name string) (bool, error) {
	at, err := e.server.place(name)
	if err != nil {
		return false, err
	}
	defer at.close()
	state, err := at.look()
	return err == nil && bytes.Contains(state.content, []byte(e.spec.Path)), err
}

// restore puts back exactly what was there.
func (p *place) restore(now, was *fileState) error {
	if !was.Absent {
		return p.put(now, was, true)
	}
	if err := p.unchanged(now); err != nil {
		return err
	}
	return p.dir.Remove(p.name)
}
