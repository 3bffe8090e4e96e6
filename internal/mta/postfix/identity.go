package postfix

import (
	"errors"
	"fmt"
	"iter"
	"path"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/host"
	"spoor/internal/mta"
)

// found is a message of a queue, with its file open.
type found struct {
	folder string // below the queue directory
	dir    *disk.Dir
	file   *disk.File
	stat   disk.Stat
}

// locate finds a message where the plan saw it, or in another queue of the same
// instance: messages move. It returns mta.ErrGone, or mta.ErrChanged where the ID
// belongs to another message. The caller closes the file.
func (s *spool) locate(t *spoor.Target) (*found, error) {
	why := mta.ErrGone
	const rounds = 2 // what moves from one queue to one that was looked at is seen in the next
	for range rounds {
		for name := range s.likely(t) {
			f, err := s.openAs(t, name)
			if err == nil || !errors.Is(err, mta.ErrGone) && !errors.Is(err, mta.ErrChanged) {
				return f, err
			}
			if errors.Is(err, mta.ErrChanged) {
				why = err
			}
		}
	}
	return nil, why
}

// likely are the folders in which a message may be, that where the plan saw it
// first.
func (s *spool) likely(t *spoor.Target) iter.Seq[string] {
	return func(yield func(string) bool) {
		if name, ok := s.rel(t.Folder); ok && !yield(name) {
			return
		}
		for _, name := range s.everywhere(string(t.ID)) {
			if !yield(name) {
				return
			}
		}
	}
}

// everywhere are all folders in which an ID may be.
func (s *spool) everywhere(id string) []string {
	var all []string
	for _, queue := range messageQueues {
		all = append(all, s.places(queue, id)...)
	}
	return all
}

// openAs opens the file of a target in a folder below the queue directory. It
// returns mta.ErrGone, or mta.ErrChanged where the file is of another message.
func (s *spool) openAs(t *spoor.Target, folder string) (*found, error) {
	dir, err := s.folder(folder)
	if err != nil {
		return nil, disown(err)
	}
	file, err := dir.Open(string(t.ID))
	if err != nil {
		return nil, disown(err)
	}
	st, err := file.Stat()
	if err == nil && !isMessage(t, file, st, queueOf(folder) == "maildrop") {
		err = fmt.Errorf("%s: %w", path.Join(folder, string(t.ID)), mta.ErrChanged)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &found{folder: folder, dir: dir, file: file, stat: st}, nil
}

// isMessage reports whether a file is the message that the plan means: inode, time
// of arrival and size are the same.
func isMessage(t *spoor.Target, file *disk.File, st disk.Stat, maildrop bool) bool {
	if t.Inode != 0 && st.Inode != t.Inode {
		return false
	}
	arrived, size := headOf(file, st, maildrop)
	if arrived.IsZero() {
		arrived = st.Modified
		if at, ok := idTime(string(t.ID)); ok {
			arrived = at
		}
	}
	return arrived.Equal(t.Arrived) && size == t.SizeBytes
}

// identityBytes is how far the first records are looked for; the time of arrival
// is the second.
const identityBytes = 512

// headOf is the time of arrival and the size that the reader gives a message, from
// its first records.
func headOf(file *disk.File, st disk.Stat, maildrop bool) (arrived time.Time, size int64) {
	var buffer [identityBytes]byte
	size = st.SizeBytes
	n, err := host.File(file.Descriptor()).ReadAt(buffer[:], 0)
	if err != nil {
		return arrived, size
	}
	rest := buffer[:n]
	for first := true; len(rest) > 1; first = false {
		kind := rest[0]
		length, used := recordLength(rest[1:])
		end := 1 + used + length
		if used == 0 || length > len(rest)-1-used {
			break
		}
		value := rest[1+used : end]
		rest = rest[end:]
		if kind == recSize && first {
			if known, ok := parseSizes(value); ok {
				size = known.content
			} else if !maildrop {
				break
			}
			continue
		}
		if kind == recTime {
			return arrival(value), size
		}
		if kind == recMessage || kind == recEnd {
			break
		}
	}
	return arrived, size
}
