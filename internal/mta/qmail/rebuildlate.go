package qmail

import (
	"context"
	"fmt"
	"time"

	"spoor/internal/disk"
)

const (
	lookPause = 200 * time.Millisecond
	maxLooks  = 50
)

// late carries over messages that were queued into the old tree after it was
// read, and waits for those that are being written there, a while. It returns the
// messages of the old tree as it saw them last.
func (r *Rebuild) late(ctx context.Context, rec *rebuildRecord, t trees) ([]queueMessage, error) {
	st, err := t.old.Stat(".")
	if err != nil {
		return nil, err
	}
	looks := r.options.Looks
	if looks == 0 {
		looks = maxLooks
	}
	for {
		// Who writes is asked first: what it has queued by then is found after that.
		rec.Report.Writing = writers(st)
		n, list, err := r.carryLate(rec, t)
		rec.Report.Late += n
		if err != nil {
			return nil, err
		}
		if looks--; rec.Report.Writing == 0 || looks <= 0 {
			return list, nil
		}
		if err := r.pause(ctx); err != nil {
			return nil, err
		}
	}
}

func (r *Rebuild) pause(ctx context.Context) error {
	if r.options.Pause != nil {
		return r.options.Pause(ctx)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(lookPause):
		return nil
	}
}

// carryLate carries over the messages in todo of the old tree that are not known
// yet, and those that an interrupted run began with.
func (r *Rebuild) carryLate(rec *rebuildRecord, t trees) (int, []queueMessage, error) {
	dir, err := r.aside()
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = dir.Close() }()
	known, _, err := readMoved(dir)
	if err != nil {
		return 0, nil, err
	}
	list, err := r.readTree(t.old, known.has)
	if err != nil {
		return 0, nil, err
	}
	c, err := r.careful(t.old, t.made, rec.After.layout())
	if err != nil {
		return 0, nil, err
	}
	defer c.close()
	fresh := func(m *queueMessage) bool { return m.stage() == stageTodo && !known.has(m.newID()) }
	again := func(m *queueMessage) bool {
		_, was := known.undone[m.newID()]
		return m.stage() == stageTodo && was
	}
	n, err := c.bring(dir, list, choice{lineMoved, fresh, again})
	if err == nil && n > 0 {
		err = poke(t.made)
	}
	return n, list, err
}

// poke wakes a qmail-send that works on a tree.
func poke(tree *disk.Dir) error {
	dir, err := tree.OpenDir("lock")
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return dir.Poke("trigger")
}

// readTree reads the messages of a tree, with the envelopes of those whose inode is
// not known.
func (r *Rebuild) readTree(tree *disk.Dir, known func(inode uint64) bool) ([]queueMessage, error) {
	c, err := takeCensus(tree)
	if err != nil {
		return nil, err
	}
	if err := c.incomplete(); err != nil {
		return nil, err
	}
	list := c.messages()
	var unknown []*queueMessage
	for i := range list {
		if m := &list[i]; !m.has(pieceMess) || !known(m.newID()) {
			unknown = append(unknown, m)
		}
	}
	if err := c.readEnvelopesOf(unknown, r.workers()); err != nil {
		return nil, err
	}
	for i := range list {
		m := &list[i]
		m.foreignOwner = m.has(pieceMess) && int(m.file[pieceMess].uid) != r.crew.queue
	}
	return list, nil
}

// careful is a carrier into a tree that qmail may look into.
func (r *Rebuild) careful(from, to *disk.Dir, l layout) (*carrier, error) {
	pid, err := to.OpenDir("pid")
	if err != nil {
		return nil, err
	}
	return &carrier{from: newDirCache(from), to: newDirCache(to), layout: l, crew: r.crew, pid: pid}, nil
}

// choice is which messages to bring: new ones, and those that an earlier run has
// recorded and may not have made visible.
type choice struct {
	line       byte
	new, again func(m *queueMessage) bool
}

// bring carries chosen messages into a tree that qmail may look into: all but
// the last file, the record of it, the last file. What is recorded and not there
// any more was visible, and is not brought again.
func (c *carrier) bring(record *disk.Dir, list []queueMessage, which choice) (int, error) {
	var fresh, rest []*queueMessage
	var lines []byte
	for i := range list {
		m := &list[i]
		switch {
		case !m.has(pieceMess) || !m.carried() && m.stage() != stagePartial:
		case which.new(m):
			if err := c.prepare(m); err != nil {
				return 0, fmt.Errorf("carry over message %d: %w", m.id, err)
			}
			fresh = append(fresh, m)
			lines = appendMoved(lines, which.line, m)
		case which.again(m):
			hidden, err := c.hidden(m)
			if err != nil {
				return 0, err
			}
			if hidden {
				rest = append(rest, m)
			}
		}
	}
	if len(fresh) > 0 {
		if err := c.pid.SyncAll(); err != nil {
			return 0, err
		}
		if err := logMoved(record, lines); err != nil {
			return 0, err
		}
	}
	for _, m := range append(rest, fresh...) {
		if err := c.publish(m); err != nil {
			return 0, fmt.Errorf("carry over message %d: %w", m.id, err)
		}
	}
	if len(rest)+len(fresh) == 0 {
		return 0, nil
	}
	return len(rest) + len(fresh), c.pid.SyncAll()
}

// hidden reports whether a message is in the other tree and qmail has never seen
// it: a run was interrupted before the last file. qmail removes the others before
// that one, so what it has finished with does not look like this.
func (c *carrier) hidden(m *queueMessage) (bool, error) {
	wanted := map[piece]bool{pieceMess: true, pieceTodo: false, pieceInfo: false}
	switch m.stage() {
	case stageTodo:
		wanted[pieceIntd] = true
	case stageQueued:
		for _, p := range [...]piece{pieceBounce, pieceLocal, pieceRemote} {
			if m.has(p) {
				wanted[p] = true
			}
		}
	case stageLost, stagePartial, stageBeheaded:
		return false, nil
	}
	for p, want := range wanted {
		inode, err := c.to.inode(p, c.layout.folder(p, m.newID()), m.newID())
		if err != nil {
			return false, err
		}
		if (inode != 0) != want {
			return false, nil
		}
	}
	return true, nil
}
