package qmail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"spoor/internal/disk"
)

func isLoop(err error) bool { return errors.Is(err, syscall.ELOOP) }

// carrier carries messages from one tree into another one. One goroutine uses it.
type carrier struct {
	from, to *dirCache
	layout   layout // of the tree that they go to
	crew     crew
	pid      *disk.Dir // of that tree; nil where nobody can look into it yet
	buf      []byte
}

func (c *carrier) close() {
	c.from.close()
	c.to.close()
	if c.pid != nil {
		_ = c.pid.Close()
	}
}

// prepare puts all of a message into the other tree but the file that makes it
// visible there.
func (c *carrier) prepare(m *queueMessage) error {
	if err := c.content(m); err != nil {
		return err
	}
	switch m.stage() {
	case stageTodo:
		return c.copy(m, pieceTodo, pieceIntd)
	case stagePartial:
		if m.has(pieceIntd) {
			return c.copy(m, pieceIntd, pieceIntd)
		}
	case stageQueued:
		for _, p := range [...]piece{pieceBounce, pieceLocal, pieceRemote} {
			if !m.has(p) {
				continue
			}
			if err := c.copy(m, p, p); err != nil {
				return err
			}
		}
	case stageLost, stageBeheaded:
	}
	return nil
}

// publish makes a prepared message visible. One that is visible stays as it is.
func (c *carrier) publish(m *queueMessage) error {
	switch m.stage() {
	case stageTodo:
		id := m.newID()
		intd, todo := c.layout.folder(pieceIntd, id), c.layout.folder(pieceTodo, id)
		err := c.link(queueFile{piece: pieceIntd, folder: intd, id: id}, c.to, queueFile{piece: pieceTodo, folder: todo, id: id})
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	case stageQueued:
		return c.copy(m, pieceInfo, pieceInfo)
	case stageLost, stagePartial, stageBeheaded:
	}
	return nil
}

// newID is the name of a message in the other tree.
func (m *queueMessage) newID() uint64 { return m.file[pieceMess].inode }

// content gives the content a name in the other tree. It stays the same file, so
// a wrong owner or mode is put right in both.
func (c *carrier) content(m *queueMessage) error {
	old := m.file[pieceMess]
	place := queueFile{piece: pieceMess, folder: c.layout.folder(pieceMess, m.newID()), id: m.newID()}
	if err := c.linkFrom(old, place); err != nil {
		return err
	}
	dir, err := c.to.dir(place.piece, place.folder)
	if err != nil {
		return err
	}
	name := placeName(flat, place.id)
	if int(old.uid) != c.crew.queue {
		if err := dir.Chown(name, c.crew.queue, -1); err != nil {
			return err
		}
	}
	if rule := shelfRules()[pieceMess]; uint32(old.mode) != rule.fileMode {
		return dir.Chmod(name, rule.fileMode)
	}
	return nil
}

// linkFrom links a file of the old tree into the new one. An interrupted run may
// have done so.
func (c *carrier) linkFrom(old *queueFile, place queueFile) error {
	from, err := c.from.dir(old.piece, old.folder)
	if err != nil {
		return err
	}
	to, err := c.to.dir(place.piece, place.folder)
	if err != nil {
		return err
	}
	name := placeName(flat, place.id)
	err = from.Link(placeName(flat, old.id), to, name)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	st, statErr := to.Stat(name)
	if statErr != nil {
		return statErr
	}
	if st.Inode != old.inode {
		return err
	}
	return nil
}

// link links inside the new tree.
func (c *carrier) link(old queueFile, s *dirCache, place queueFile) error {
	from, err := s.dir(old.piece, old.folder)
	if err != nil {
		return err
	}
	to, err := s.dir(place.piece, place.folder)
	if err != nil {
		return err
	}
	return from.Link(placeName(flat, old.id), to, placeName(flat, place.id))
}

// copy writes a file of a message anew, with the times that it had, and the
// owner and mode that it should have.
func (c *carrier) copy(m *queueMessage, p, as piece) error {
	old := m.file[p]
	data, err := c.from.read(old, c.buf)
	if err != nil {
		return err
	}
	c.buf = data
	place := queueFile{piece: as, folder: c.layout.folder(as, m.newID()), id: m.newID()}
	dir, err := c.to.dir(place.piece, place.folder)
	if err != nil {
		return err
	}
	if c.pid == nil {
		return c.write(dir, placeName(flat, place.id), old, as)
	}
	return c.replace(dir, place, old)
}

// replace writes a file in pid and renames it: it may make a message visible, or
// have been left by an interrupted run.
func (c *carrier) replace(dir *disk.Dir, place queueFile, old *queueFile) error {
	name := placeName(flat, place.id)
	temp := "spoor." + name
	if err := removeIfThere(c.pid, temp); err != nil {
		return err
	}
	if err := c.write(c.pid, temp, old, place.piece); err != nil {
		return err
	}
	return c.pid.Replace(temp, dir, name)
}

// write makes a file of what is in the buffer.
func (c *carrier) write(dir *disk.Dir, name string, old *queueFile, as piece) error {
	rule := shelfRules()[as]
	file, err := dir.Create(name, rule.fileMode)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Write(c.buf); err != nil {
		return err
	}
	gid := c.crew.group
	if !rule.send {
		gid = int(old.gid) // the caller's: it is evidence of who queued the message
	}
	if err := file.Chown(c.crew.owner(rule), gid); err != nil {
		return err
	}
	return file.SetTimes(time.Unix(0, old.accessed), time.Unix(0, old.modified))
}

// fill carries messages into a tree that nobody looks into.
func (r *Rebuild) fill(ctx context.Context, s *survey, to *disk.Dir) error {
	return inShares(s.taken, r.workers(), func(share []*queueMessage) error {
		c := &carrier{from: newDirCache(s.top), to: newDirCache(to), layout: s.after, crew: r.crew}
		defer c.close()
		for _, m := range share {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := c.prepare(m); err != nil {
				return fmt.Errorf("carry over message %d: %w", m.id, err)
			}
			if err := c.publish(m); err != nil {
				return fmt.Errorf("carry over message %d: %w", m.id, err)
			}
		}
		return nil
	})
}
