package qmail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"spoor"
	"spoor/internal/disk"
)

// Purge removes the old tree. Messages that are in it alone are handed to
// RebuildOptions.Store first; what was set aside, and what is no part of a queue,
// stays in the folder beside the queue. qmail may be running. It returns
// ErrUnstored, or ErrWriting.
func (r *Rebuild) Purge(ctx context.Context) (*spoor.Rebuilding, error) {
	rec, err := r.load()
	if err != nil {
		return nil, err
	}
	if rec.Phase != phaseDone && rec.Phase != phasePurging {
		return nil, fmt.Errorf("plan %s is not done: %w", r.plan, ErrUnfit)
	}
	p, err := r.locate(rec)
	if err != nil {
		return nil, err
	}
	if p.new != r.name {
		return nil, fmt.Errorf("the tree of plan %s is not in place: %w", r.plan, ErrUnfit)
	}
	if p.old != "" {
		if err := r.purgeTree(ctx, rec, p); err != nil {
			return nil, err
		}
	}
	report := rec.Report
	report.Phase, report.OldTree = "purged", ""
	return &report, r.retire()
}

// purgeTree saves what is in the old tree alone, and removes it.
func (r *Rebuild) purgeTree(ctx context.Context, rec *rebuildRecord, p places) error {
	old, made, err := r.openTrees(p)
	if err != nil {
		return err
	}
	defer closeTrees(old, made)
	if rec.Phase == phaseDone {
		if err := r.settle(ctx, rec, trees{old, made}); err != nil {
			return err
		}
		if rec.Report.Writing > 0 {
			return fmt.Errorf("by %d processes: %w", rec.Report.Writing, ErrWriting)
		}
		if err := r.store(ctx, old); err != nil {
			return err
		}
		if err := r.moveForeign(old); err != nil {
			return err
		}
		if err := r.save(rec, phasePurging); err != nil {
			return err
		}
	}
	return removeTree(r.home, p.old)
}

// retire removes the records of the plan, and the folder if nothing is set aside
// in it.
func (r *Rebuild) retire() error {
	dir, err := r.aside()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	// The record goes last: with it, what is left can be removed by another run.
	for _, name := range []string{movedTemp, movedFile, recordTemp, recordFile} {
		if err := removeIfThere(dir, name); err != nil {
			return err
		}
	}
	names, err := dir.Names()
	if err != nil || len(names) > 0 {
		return err
	}
	return r.home.RemoveDir(r.name + asideInfix + r.plan)
}

// store hands over the messages that were not carried over by choice.
func (r *Rebuild) store(ctx context.Context, old *disk.Dir) error {
	dir, err := r.aside()
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	known, _, err := readMoved(dir)
	if err != nil {
		return err
	}
	list, err := r.readTree(old, known.has)
	if err != nil {
		return err
	}
	from := newDirCache(old)
	defer from.close()
	for i := range list {
		m := &list[i]
		if !m.has(pieceMess) || !known.kept[m.newID()] {
			continue
		}
		if r.options.Store == nil {
			return fmt.Errorf("%d of them: %w", len(known.kept), ErrUnstored)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		parcel, err := r.parcel(from, m)
		if err != nil {
			return fmt.Errorf("pack message %d: %w", m.id, err)
		}
		if err := r.options.Store(ctx, parcel); err != nil {
			return fmt.Errorf("store message %d: %w", m.id, err)
		}
	}
	return nil
}

// parcel packs a message of the old tree. Its files have the names of the pieces
// as roles, and stay readable until the store has returned.
func (r *Rebuild) parcel(from *dirCache, m *queueMessage) (*spoor.Parcel, error) {
	mess := m.file[pieceMess]
	p := &spoor.Parcel{
		MTA: "qmail", CallerUID: -1,
		Target: spoor.Target{
			ID: spoor.QueueID(placeName(flat, m.id)), Folder: r.folderOf(mess), Arrived: time.Unix(0, mess.modified).UTC(),
			SizeBytes: mess.size, Inode: mess.inode,
		},
	}
	for _, f := range m.file {
		if f == nil {
			continue
		}
		name := placeName(flat, f.id)
		p.Files = append(p.Files, spoor.PackedFile{
			Role: shelfRules()[f.piece].name, Name: r.folderOf(f) + "/" + name,
			Mode: uint32(f.mode), UID: int(f.uid), GID: int(f.gid), SizeBytes: f.size,
			Accessed: time.Unix(0, f.accessed).UTC(), Modified: time.Unix(0, f.modified).UTC(),
			Open: func() (spoor.Content, error) {
				dir, err := from.dir(f.piece, f.folder)
				if err != nil {
					return nil, err
				}
				return dir.Open(name)
			},
		})
		if m.has(pieceTodo) && f.piece != pieceTodo {
			continue // left from a crash: qmail-send would remove it
		}
		if err := envelopeOf(from, f, p); err != nil {
			return nil, err
		}
	}
	p.Recipients = len(p.Envelope)
	for i := range p.Envelope {
		if p.Envelope[i].Done {
			p.Done++
		}
	}
	return p, nil
}

// folderOf is the folder in which a file was when the tree was the queue.
func (r *Rebuild) folderOf(f *queueFile) string {
	name := r.place + "/" + shelfRules()[f.piece].name
	if f.folder != flat {
		name += "/" + placeName(flat, uint64(f.folder))
	}
	return name
}

// envelopeOf adds what one file tells of the envelope.
func envelopeOf(from *dirCache, f *queueFile, p *spoor.Parcel) error {
	channel := map[piece]spoor.Channel{pieceTodo: spoor.ChannelUndecided, pieceLocal: spoor.ChannelLocal, pieceRemote: spoor.ChannelRemote}
	if _, ok := channel[f.piece]; !ok && f.piece != pieceInfo {
		return nil
	}
	data, err := from.read(f, nil)
	if err != nil {
		return err
	}
	for len(data) > 0 {
		letter, value, rest, ok := cutRecord(data)
		if !ok {
			return nil
		}
		data = rest
		switch letter {
		case 'F':
			p.Sender = string(value)
		case 'u':
			p.CallerUID = number(value)
		case 'T', 'D':
			if len(value) > 0 && f.piece != pieceInfo {
				p.Envelope = append(p.Envelope, spoor.Recipient{Channel: channel[f.piece], Done: letter == 'D', Address: string(value)})
			}
		}
	}
	return nil
}
