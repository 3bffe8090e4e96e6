package qmail

import (
	"errors"
	"io/fs"
	"path"

	"spoor/internal/disk"
)

// Folders beside the queue. A file is under the path that it had below the queue:
// quarantine/mess/3/967333.
const (
	quarantineDir = "quarantine" // of messages that were never queued whole, or cannot be delivered
	lostDir       = "lost+found" // pieces of messages
)

// setAside gives every file of the old tree that was not carried over a name
// beside the queue, so that it outlives that tree. While messages are being
// written there, unfinished ones are left alone.
func (r *Rebuild) setAside(rec *rebuildRecord, old *disk.Dir, list []queueMessage) error {
	dir, err := r.aside()
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	known, _, err := readMoved(dir)
	if err != nil {
		return err
	}
	from := newDirCache(old)
	defer from.close()
	rec.Report.Quarantined, rec.Report.Lost = 0, 0
	for i := range list {
		m := &list[i]
		if m.has(pieceMess) {
			if known.kept[m.newID()] {
				continue // it stays where it is, whole
			}
			id, was := known.oldID[m.newID()]
			m.twin = !was || id != m.id
		}
		if m.stage() == stagePartial && rec.Report.Writing > 0 {
			continue
		}
		quarantined, lost := m.leftovers()
		rec.Report.Quarantined += len(quarantined)
		rec.Report.Lost += len(lost)
		if err := linkAside(from, dir, quarantineDir, quarantined); err != nil {
			return err
		}
		if err := linkAside(from, dir, lostDir, lost); err != nil {
			return err
		}
	}
	return dir.SyncAll()
}

func linkAside(from *dirCache, aside *disk.Dir, folder string, files []*queueFile) error {
	for _, f := range files {
		to, err := makePath(aside, path.Dir(folder+"/"+f.path()))
		if err != nil {
			return err
		}
		dir, err := from.dir(f.piece, f.folder)
		if err == nil {
			err = dir.Link(placeName(flat, f.id), to, placeName(flat, f.id))
		}
		_ = to.Close()
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// makePath makes the directories of a path below dir, for root alone, and opens
// the last.
func makePath(dir *disk.Dir, name string) (*disk.Dir, error) {
	parent, base := path.Split(name)
	if parent == "" {
		return dir.MakeDir(base, 0o700)
	}
	above, err := makePath(dir, path.Clean(parent))
	if err != nil {
		return nil, err
	}
	defer func() { _ = above.Close() }()
	return above.MakeDir(base, 0o700)
}

// moveForeign moves what is no part of a queue from the old tree to lost+found.
func (r *Rebuild) moveForeign(old *disk.Dir) error {
	c, err := takeCensus(old)
	if err != nil {
		return err
	}
	if err := c.incomplete(); err != nil {
		return err
	}
	dir, err := r.aside()
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	for _, f := range c.foreign {
		if err := moveAside(old, dir, f.path); err != nil {
			return err
		}
	}
	return dir.SyncAll()
}

func moveAside(old, aside *disk.Dir, name string) error {
	from, err := old.OpenDir(path.Dir(name))
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	to, err := makePath(aside, path.Dir(lostDir+"/"+name))
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }()
	err = from.Rename(path.Base(name), to, path.Base(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
