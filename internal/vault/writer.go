package vault

import (
	"errors"
	"fmt"
	"time"

	"spoor"
	"spoor/internal/disk"
)

// ErrBroken is returned by every method of a Writer after an error that leaves
// it unknown what is in the container. What was synced is safe; the plan has to
// be opened again.
var ErrBroken = errors.New("the writer of the container has failed")

// ErrStored is returned for a message that is in the container already.
var ErrStored = errors.New("is stored already")

// Writer adds to one container. One goroutine uses it at a time. What it adds is
// durable after Sync, and seen by readers no earlier.
type Writer struct {
	vault  *Vault
	plan   string
	file   *disk.File
	marker marker
	own    packing // of Add and Mark
	broken error

	flushed int64  // how long the file is
	synced  int64  // how much of the file is known to be durable
	out     []byte // frames that follow
	next    uint64 // sequence of the next message
	last    place  // of the message whose frames were taken last

	fates map[uint64]fatePlace // of messages that are marked
	index map[spoor.Key]place  // of all messages; nil until it is needed

	text []byte // of a mark, reused
}

// place is where a message is.
type place struct {
	sequence uint64
	offset   int64
}

// fatePlace is the last mark of a message.
type fatePlace struct {
	fate   Fate
	offset int64 // of its frame
}

// flushSize is how many bytes are gathered before they are written.
const flushSize = 1 << 20

// end is how long the container will be once all is written.
func (w *Writer) end() int64 { return w.flushed + int64(len(w.out)) }

// put appends a frame.
func (w *Writer) put(f frame, raw []byte) {
	start := len(w.out)
	w.out = appendFrame(w.out, w.own.zip, &f, raw)
	f.encode(w.out[start:], w.marker)
}

// flush writes what was gathered. After an error all of it is still to be
// written, to the same place.
func (w *Writer) flush() error {
	if len(w.out) == 0 {
		return nil
	}
	if _, err := w.file.WriteAt(w.out, w.flushed); err != nil {
		_ = w.file.Truncate(w.flushed) // where it is not cut, it is overwritten
		return err
	}
	w.flushed += int64(len(w.out))
	w.out = w.out[:0]
	return nil
}

// cut takes back all that was added since the container was this long.
func (w *Writer) cut(end int64) {
	if end >= w.flushed {
		w.out = w.out[:end-w.flushed]
		return
	}
	w.out = w.out[:0]
	if err := w.file.Truncate(end); err != nil {
		w.broken = fmt.Errorf("%w: %w", ErrBroken, err)
	}
	w.flushed = end
}

// Mark records the fate of a stored message. It is durable after Sync.
func (w *Writer) Mark(ref Ref, m Mark) error {
	if w.broken != nil {
		return w.broken
	}
	if ref.Plan != w.plan || ref.Sequence == 0 || ref.Sequence >= w.next {
		return fmt.Errorf("mark message %d of %s: not in the container of %s", ref.Sequence, ref.Plan, w.plan)
	}
	return w.putFate(ref.Sequence, m)
}

func (w *Writer) putFate(sequence uint64, m Mark) error {
	start := w.end()
	w.text = appendMark(w.text[:0], &m)
	w.put(frame{kind: kindFate, fate: m.Fate, sequence: sequence}, w.text)
	if err := w.flushFull(); err != nil {
		w.cut(start)
		return fmt.Errorf("mark message %d of %s: %w", sequence, w.plan, err)
	}
	w.fates[sequence] = fatePlace{fate: m.Fate, offset: start}
	return nil
}

func (w *Writer) flushFull() error {
	if len(w.out) < flushSize {
		return nil
	}
	return w.flush()
}

// Sync makes all that was added durable. After an error of the disk the
// container is cut back to what was durable before, and the Writer is broken.
func (w *Writer) Sync() error {
	if w.broken != nil {
		return w.broken
	}
	if err := w.flush(); err != nil {
		return fmt.Errorf("write %s%s: %w", w.plan, extension, err)
	}
	if w.synced == w.flushed {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		// The kernel may take for written what it could not write (fsync(2)).
		if w.synced > 0 {
			_ = w.file.Truncate(w.synced)
		}
		w.broken = fmt.Errorf("%w: %w", ErrBroken, err)
		return w.broken
	}
	w.synced = w.flushed
	w.put(frame{kind: kindSynced}, nil)
	if w.flush() != nil {
		w.out = w.out[:0] // nothing needs it, and a full disk must not keep others from reading
	}
	return nil
}

// Abandon closes the Writer and takes back what was added since the last Sync:
// where it returns nil, none of that is in the container, and no crash brings it
// back. It needs no room on the disk, and works after ErrBroken.
func (w *Writer) Abandon() error {
	err := w.file.Truncate(w.synced)
	if err == nil {
		err = w.file.Sync()
	}
	w.broken, w.out = ErrBroken, nil
	return errors.Join(err, w.file.Close(), w.own.zip.Close())
}

// Close ends the writing. What was not synced may be lost.
func (w *Writer) Close() error {
	var err error
	if w.broken == nil {
		err = w.flush()
	}
	w.broken = ErrBroken
	return errors.Join(err, w.file.Close(), w.own.zip.Close())
}

// Find looks for a message that is stored already: same ID, arrived at the same
// time, neither void nor purged. Its content is read, since the copy in the queue
// may be removed on the strength of this one: a message that is damaged becomes
// void, and is not found.
func (w *Writer) Find(id spoor.QueueID, arrived time.Time) (Entry, bool) {
	at, ok := w.find(spoor.Key{ID: id, Arrived: arrived.UnixNano()})
	if !ok {
		return Entry{}, false
	}
	entry, err := w.entry(at, (*scanner).verify)
	if err != nil && !unreadable(err) {
		err = w.putFate(at.sequence, Mark{Fate: FateVoid})
		ok = false
	}
	if err != nil {
		w.broken = fmt.Errorf("%w: %w", ErrBroken, err)
		return Entry{}, false
	}
	return entry, ok
}

// Look is Find for a message that is to leave the vault: its content is not read,
// and nothing is marked. It returns ErrDamaged where its metadata is.
func (w *Writer) Look(id spoor.QueueID, arrived time.Time) (entry Entry, ok bool, err error) {
	at, ok := w.find(spoor.Key{ID: id, Arrived: arrived.UnixNano()})
	if w.broken != nil || !ok {
		return Entry{}, false, w.broken
	}
	entry, err = w.entry(at, func(*scanner, *record) error { return nil })
	return entry, err == nil, err
}

func (w *Writer) find(key spoor.Key) (place, bool) {
	if w.broken == nil && w.index == nil {
		if err := w.makeIndex(); err != nil {
			w.broken = fmt.Errorf("%w: %w", ErrBroken, err)
		}
	}
	at, ok := w.index[key]
	return at, ok && !w.useless(at.sequence)
}

// useless is whether a message does not count as stored.
func (w *Writer) useless(sequence uint64) bool {
	fate := w.fates[sequence].fate
	return fate == FateVoid || fate == FatePurged
}

// makeIndex reads the metadata of all messages that are in the container.
func (w *Writer) makeIndex() error {
	if err := w.flush(); err != nil {
		return err
	}
	s, err := w.vault.scan(w.plan, w.file)
	if err != nil {
		return err
	}
	index := map[spoor.Key]place{}
	for r, err := range s.records() {
		if unreadable(err) {
			return err
		}
		if err == nil && !w.useless(r.Sequence) {
			index[r.Key()] = place{sequence: r.Sequence, offset: r.Offset}
		}
	}
	w.index = index
	return nil
}

// entry reads a message's metadata and its last mark, and lets its content be
// checked.
func (w *Writer) entry(at place, check func(*scanner, *record) error) (Entry, error) {
	if err := w.flush(); err != nil {
		return Entry{}, err
	}
	s, err := w.vault.scanAhead(w.plan, w.file, glimpse)
	if err != nil {
		return Entry{}, err
	}
	r, err := s.recordAt(Ref{Plan: w.plan, Sequence: at.sequence, Offset: at.offset})
	if err != nil {
		return Entry{}, err
	}
	if err := check(s, r); err != nil {
		return Entry{}, err
	}
	r.Mark, err = s.mark(w.fates, at.sequence)
	if unreadable(err) {
		return Entry{}, err
	}
	return r.Entry, nil
}
