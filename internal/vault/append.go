package vault

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"spoor/internal/disk"
)

// Append makes the container of a plan, or opens it to add to it. What a crash
// has left behind the last whole frame is cut off; a message that was not synced
// and did not reach the disk whole is void. Damage further ahead is left alone.
// The container is locked until the Writer is closed: disk.ErrLocked.
func (v *Vault) Append(plan string) (*Writer, error) {
	f, err := v.lock(plan)
	if err != nil {
		return nil, err
	}
	w, err := v.writer(plan, f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s%s: %w", plan, extension, err)
	}
	return w, nil
}

// lock opens the container to write it, makes it if need be, and locks it.
func (v *Vault) lock(plan string) (*disk.File, error) {
	if !validPlan(plan) {
		return nil, fmt.Errorf("%q: %w", plan, ErrName)
	}
	f, err := v.dir.Create(plan+extension, 0o600)
	if errors.Is(err, fs.ErrExist) {
		f, err = v.dir.OpenWrite(plan + extension)
	}
	if err != nil {
		return nil, err
	}
	if err := v.lockFile(plan, f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// lockFile locks a container that is open. One that a purge has replaced or
// removed in between is as good as locked.
func (v *Vault) lockFile(plan string, f *disk.File) error {
	if err := checkOwner(f); err != nil {
		return err
	}
	if err := f.Flock(); err != nil {
		return err
	}
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := v.dir.Stat(plan + extension)
	if errors.Is(err, fs.ErrNotExist) || err == nil && mine.Inode != named.Inode {
		return fmt.Errorf("%s: %w", f.Name(), disk.ErrLocked)
	}
	return err
}

func (v *Vault) writer(plan string, f *disk.File) (*Writer, error) {
	own, err := newPacking()
	if err != nil {
		return nil, err
	}
	w := &Writer{vault: v, plan: plan, file: f, own: own, fates: map[uint64]fatePlace{}, next: 1}
	if err := w.begin(); err != nil {
		return nil, err
	}
	return w, nil
}

// begin brings the container into a state to which frames can be appended.
func (w *Writer) begin() error {
	if err := w.makeHead(); err != nil {
		return err
	}
	s, err := w.vault.scan(w.plan, w.file)
	if err != nil {
		return err
	}
	w.marker = s.marker
	tail, err := w.recover(s)
	if err != nil {
		return err
	}
	if s.guess && tail.whole == headSize {
		return fmt.Errorf("the head of the container: %w", ErrDamaged)
	}
	if s.beyond < tail.whole {
		return fmt.Errorf("the frame at %d would hide what is added: %w", s.beyond, ErrDamaged)
	}
	if tail.whole < s.size {
		if err := w.file.Truncate(tail.whole); err != nil {
			return err
		}
	}
	w.flushed = tail.whole
	if err := w.vault.dir.Sync(); err != nil {
		return err
	}
	if tail.synced {
		w.synced = w.flushed
		return nil
	}
	if err := w.markAgain(s, tail.unmarked); err != nil {
		return err
	}
	for _, sequence := range tail.torn {
		if _, marked := w.fates[sequence]; marked && !tail.unmarked[sequence] {
			continue
		}
		if err := w.putFate(sequence, Mark{Fate: FateVoid}); err != nil {
			return err
		}
	}
	// What an earlier run wrote and did not sync is relied upon from here on.
	return w.Sync()
}

// markAgain gives messages back the mark that they had before the last one, which
// is torn. That one was never durable, so nothing was done on the strength of it:
// what was about to be put back is not in the queue, and what was put back is noted
// again.
func (w *Writer) markAgain(s *scanner, unmarked map[uint64]bool) error {
	for _, sequence := range slices.Sorted(maps.Keys(unmarked)) {
		before, err := s.mark(w.fates, sequence)
		if unreadable(err) {
			return err
		}
		if err != nil {
			continue // that one is damaged too: somebody has to look
		}
		if err := w.putFate(sequence, before); err != nil {
			return err
		}
	}
	return nil
}

// makeHead writes the head of a new container, or of one that a crash left
// without a whole one.
func (w *Writer) makeHead() error {
	st, err := w.file.Stat()
	if err != nil || st.SizeBytes > headSize {
		return err
	}
	head := make([]byte, st.SizeBytes)
	if _, err := w.file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := decodeHead(head); err == nil || errors.Is(err, ErrVersion) {
		return err
	}
	if !begun(head) {
		return fmt.Errorf("the head of the container: %w", ErrDamaged)
	}
	if _, err := w.file.WriteAt(encodeHead(newMarker()), 0); err != nil {
		return err
	}
	return w.file.Sync()
}

// tail is what the end of a container is like.
type tail struct {
	whole  int64    // where the last frame ends that nothing is missing of
	synced bool     // all of that is durable
	torn   []uint64 // messages before it that are not whole

	unmarked map[uint64]bool // messages whose last mark before it is torn
}

// recover walks a container. Frames before the last kindSynced were durable
// once, so that only those behind it may be torn.
func (w *Writer) recover(s *scanner) (tail, error) {
	synced := int64(headSize)
	for {
		f, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			s.rewind()
			return w.checkTail(s, synced)
		case unreadable(err):
			return tail{}, err
		case err == nil && f.kind == kindSynced:
			synced = f.end()
		}
	}
}

// checkTail walks a container once more, and reads the frames that may be torn.
func (w *Writer) checkTail(s *scanner, synced int64) (tail, error) {
	t := tail{whole: headSize, unmarked: map[uint64]bool{}}
	parts := chain{}
	var torn []frame // since the last whole one
	for {
		f, err := s.next()
		if errors.Is(err, io.EOF) {
			t.synced = t.whole == synced
			return t, nil
		}
		framed := err == nil
		if framed && f.offset >= synced {
			_, err = s.packed(&f)
		}
		switch {
		case unreadable(err):
			return t, err
		case err != nil:
			parts = chain{}
			if framed {
				torn = append(torn, f)
			}
			continue
		case f.kind == kindMessage && f.offset >= synced && !parts.complete(&f):
			t.torn = append(t.torn, f.sequence)
		}
		parts.add(&f)
		w.note(torn, t.unmarked, true)
		w.note([]frame{f}, t.unmarked, false)
		torn = torn[:0]
		if f.completes() {
			t.whole = f.end()
		}
	}
}

// note takes from frames that stay what the writer has to know. Of marks that are
// torn, which all are behind the last kindSynced, the one before counts.
func (w *Writer) note(frames []frame, unmarked map[uint64]bool, torn bool) {
	for i := range frames {
		f := &frames[i]
		w.next = max(w.next, f.sequence+1)
		switch {
		case f.kind != kindFate:
		case torn:
			unmarked[f.sequence] = true
		default:
			delete(unmarked, f.sequence)
			w.fates[f.sequence] = fatePlace{fate: f.fate, offset: f.offset}
		}
	}
}

// unreadable is whether an error is one of the disk, so that nothing can be told
// of what is there.
func unreadable(err error) bool {
	var damage *Damage
	if errors.As(err, &damage) {
		return damage.Err != nil
	}
	return err != nil
}

// chain follows the frames of one message's content.
type chain struct {
	sequence uint64
	parts    uint32
	start    int64 // of the first
}

// add takes the next frame of a container.
func (c *chain) add(f *frame) {
	switch {
	case f.kind != kindContent:
		*c = chain{}
	case f.part == 0:
		*c = chain{sequence: f.sequence, parts: 1, start: f.offset}
	case f.sequence == c.sequence && f.part == c.parts && c.parts > 0:
		c.parts++
	default:
		*c = chain{}
	}
}

// complete is whether the frame of a message follows all of its content.
func (c *chain) complete(f *frame) bool {
	return f.part == 0 || f.sequence == c.sequence && f.part == c.parts
}
