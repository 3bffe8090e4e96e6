package vault

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cespare/xxhash/v2"

	"spoor/internal/disk"
)

// PurgeReport is what a purge has done to a container.
type PurgeReport struct {
	Kept       int // messages
	Purged     int // messages that are not in the vault any more
	Damaged    int // stretches that could not be read, which stay as they are while anything is kept
	FreedBytes int64
	Removed    bool // the container, of which nothing was left
}

// Purge removes messages from a container: those that keep denies, and those
// that are void or purged already. What is kept is copied byte by byte to a new
// container, which takes the place of the old one in one step: a crash leaves
// the one or the other. Where there is no room for a copy, nothing changes.
// disk.ErrLocked is returned while a Writer has the container.
func (v *Vault) Purge(plan string, keep func(Entry) bool) (PurgeReport, error) {
	report, err := v.purge(plan, keep)
	if err != nil {
		return PurgeReport{}, fmt.Errorf("purge %s%s: %w", plan, extension, err)
	}
	return report, nil
}

func (v *Vault) purge(plan string, keep func(Entry) bool) (report PurgeReport, err error) {
	if !validPlan(plan) {
		return report, fmt.Errorf("%q: %w", plan, ErrName)
	}
	f, err := v.dir.OpenWrite(plan + extension)
	if err != nil {
		return report, err
	}
	defer func() { _ = f.Close() }()
	if err := v.lockFile(plan, f); err != nil {
		return report, err
	}
	s, err := v.scan(plan, f)
	if err != nil {
		return report, err
	}
	kept, err := s.sift(keep, &report)
	switch {
	case err != nil:
		return report, err
	case report.Kept == 0 && (report.Purged > 0 || report.Damaged == 0):
		report.Removed, report.FreedBytes = true, s.size
		err = v.dir.Remove(plan + extension)
	case report.Purged > 0:
		report.FreedBytes, err = v.rewrite(plan, s, kept)
	}
	if err != nil {
		return report, err
	}
	return report, v.dir.Sync()
}

// stretch is a piece of a file.
type stretch struct{ start, end int64 }

// stretches are pieces of a file, from front to back.
type stretches []stretch

func (list *stretches) add(start, end int64) {
	if n := len(*list); n > 0 && (*list)[n-1].end == start {
		(*list)[n-1].end = end
		return
	}
	*list = append(*list, stretch{start, end})
}

// sift returns the pieces of a container that stay. Marks are kept after all
// messages have been judged, since they follow them.
func (s *scanner) sift(keep func(Entry) bool, report *PurgeReport) (stretches, error) {
	fates := s.fates()
	purged := map[uint64]bool{}
	var gone stretches
	behind := int64(headSize) // the message before: no message takes another with it
	for entry, err := range s.entries(fates) {
		switch {
		case unreadable(err):
			return nil, err
		case err != nil:
			report.Damaged++
		case entry.Mark.Fate == FateVoid, entry.Mark.Fate == FatePurged, !keep(entry):
			report.Purged++
			purged[entry.Sequence] = true
			gone.add(max(entry.contentStart, behind), entry.contentStart+entry.PackedBytes)
		default:
			report.Kept++
		}
		if err == nil {
			behind = entry.contentStart + entry.PackedBytes
		}
	}
	return s.without(gone, purged, fates)
}

// without returns the pieces of a container that are not gone, are no mark of a
// message that is purged, and no mark that another has followed.
func (s *scanner) without(gone stretches, purged map[uint64]bool, fates map[uint64]fatePlace) (stretches, error) {
	var kept stretches
	s.rewind()
	for {
		start := s.offset
		f, err := s.next()
		if errors.Is(err, io.EOF) {
			return kept, nil
		}
		if unreadable(err) {
			return nil, err
		}
		for len(gone) > 0 && gone[0].end <= start {
			gone = gone[1:]
		}
		stale := err == nil && (f.kind == kindSynced || f.kind == kindFate && (purged[f.sequence] || fates[f.sequence].offset != f.offset))
		if !stale && (len(gone) == 0 || start < gone[0].start) {
			kept.add(start, s.offset)
		}
	}
}

// rewrite copies what is kept to a new container and puts it in the place of the
// old one. It returns how much smaller the new one is.
func (v *Vault) rewrite(plan string, s *scanner, kept stretches) (int64, error) {
	name := plan + extension
	fresh, err := v.fresh(name + ".new")
	if err != nil {
		return 0, err
	}
	size, err := copyKept(fresh, s, kept)
	if err := errors.Join(err, fresh.Close()); err != nil {
		_ = v.dir.Remove(name + ".new")
		return 0, err
	}
	return s.size - size, v.dir.Replace(name+".new", v.dir, name)
}

// fresh makes a file, in place of one that a crash has left.
func (v *Vault) fresh(name string) (*disk.File, error) {
	f, err := v.dir.Create(name, 0o600)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if err := v.dir.Remove(name); err != nil {
		return nil, err
	}
	return v.dir.Create(name, 0o600)
}

// copyKept writes a container and makes it durable. It returns its size.
func copyKept(to *disk.File, s *scanner, kept stretches) (int64, error) {
	out := encodeHead(s.marker)
	size := int64(0)
	write := func() error {
		n, err := to.WriteAt(out, size)
		size += int64(n)
		out = out[:0]
		return err
	}
	for _, one := range kept {
		for one.start < one.end {
			piece, err := s.at(one.start, int(min(windowSize, one.end-one.start)))
			if err != nil {
				return 0, err
			}
			out = append(out, piece...)
			one.start += int64(len(piece))
			if len(out) < flushSize {
				continue
			}
			if err := write(); err != nil {
				return 0, err
			}
		}
	}
	// It is true by the time that anybody can read it.
	synced := frame{kind: kindSynced, sum: xxhash.Sum64(nil)}
	out = append(out, make([]byte, frameSize)...)
	synced.encode(out[len(out)-frameSize:], s.marker)
	if err := write(); err != nil {
		return 0, err
	}
	return size, to.Sync()
}
