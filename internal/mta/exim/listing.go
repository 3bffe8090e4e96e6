package exim

import (
	"cmp"
	"errors"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// folder is an open directory of the spool: input itself, or one of those that
// split_spool_directory makes.
type folder struct {
	dir   *host.Dir
	queue string // the name of a named queue, or ""
}

// slot is one message in a listing.
type slot struct {
	id      string
	folder  *folder
	journal bool // there is a -J file
}

type listing struct {
	queue   *Queue
	gaps    *spoor.Gaps
	slots   []slot
	partial bool
}

// list reads the names in the spool: the -H files are the messages. One
// goroutine at a time.
func (q *Queue) list(gaps *spoor.Gaps) *listing {
	l := &listing{queue: q, gaps: gaps}
	if q.spool != "" {
		l.walk(path.Join(q.spool, "input"), "", true)
		l.named()
	}
	slices.SortFunc(l.slots, func(a, b slot) int {
		return cmp.Or(strings.Compare(a.id, b.id), strings.Compare(a.folder.queue, b.folder.queue), strings.Compare(a.folder.dir.Name(), b.folder.dir.Name()))
	})
	l.slots = slices.CompactFunc(l.slots, func(a, b slot) bool { return a.id == b.id })
	return l
}

func (l *listing) open(name, queue string) *folder {
	if known, ok := l.queue.folders[name]; ok {
		return known
	}
	dir, err := l.queue.root.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		l.gaps.Add(name, "folder could not be listed: "+cause(err))
		l.partial = true
		return nil
	}
	f := &folder{dir, queue}
	l.queue.folders[name] = f
	return f
}

// walk lists a folder. split_spool_directory spreads messages over folders of
// one character; Exim looks in both places, whatever is set now.
func (l *listing) walk(name, queue string, top bool) {
	f := l.open(name, queue)
	if f == nil {
		return
	}
	var names []byte
	var ends []int
	var below []string
	journals := map[string]bool{}
	for entry, err := range f.dir.Entries() {
		switch {
		case err != nil:
			l.gaps.Add(name, "folder could not be listed to its end: "+cause(err))
			l.partial = true
		case top && len(entry.Name) == 1 && entry.Type == host.TypeSymlink:
			l.gaps.Add(name+"/"+string(entry.Name), "symbolic link: not followed")
			l.partial = true
		case entry.Type == host.TypeDirectory:
			if top && len(entry.Name) == 1 {
				below = append(below, string(entry.Name))
			}
		case entry.Type != host.TypeRegular:
			l.gaps.Add(name, "not a regular file: not read")
		default:
			id, kind := cutName(entry.Name)
			switch kind {
			case 'H':
				names = append(names, id...)
				ends = append(ends, len(names))
			case 'J':
				journals[string(id)] = true
			case 'D', 'K':
			default:
				l.other(name, entry.Name)
			}
		}
	}
	start, all := 0, string(names)
	for _, end := range ends {
		id := all[start:end]
		l.slots = append(l.slots, slot{id, f, journals[id]})
		start = end
	}
	for _, one := range below {
		l.walk(name+"/"+one, queue, false)
	}
}

// named lists the queues with a name (-qG, queue_name; an ACL puts messages there):
// folders of the spool that have an input of their own.
func (l *listing) named() {
	for name := range l.queue.named() {
		if input := path.Join(l.queue.spool, name, "input"); l.hasMessages(input, true) {
			l.walk(input, name, true)
		}
	}
}

// named yields the names that a named queue may have.
func (q *Queue) named() iter.Seq[string] {
	return func(yield func(string) bool) {
		names, _ := q.root.List(q.spool, maxSpoolNames)
		for _, name := range names {
			if name != holding && name != "input" && !yield(name) {
				return
			}
		}
	}
}

// maxSpoolNames bounds how many names are looked at for a named queue.
const maxSpoolNames = 1 << 16

// hasMessages reports whether there are messages in an input, or below it.
func (l *listing) hasMessages(input string, top bool) bool {
	names, _ := l.queue.root.List(input, maxSpoolNames)
	for _, name := range names {
		if _, kind := cutName([]byte(name)); kind == 'H' || top && len(name) == 1 && l.hasMessages(path.Join(input, name), false) {
			return true
		}
	}
	return false
}

// cutName splits ID-H and its like.
func cutName(name []byte) (id []byte, kind byte) {
	n := len(name)
	if n < 3 || name[n-2] != '-' || !isID(name[:n-2]) {
		return nil, 0
	}
	return name[:n-2], name[n-1]
}

// other counts files that are no part of a message; hdr.ID is a header that is
// being written.
func (l *listing) other(folder string, name []byte) {
	if !strings.HasPrefix(string(name), "hdr.") {
		l.gaps.Add(folder, "a file whose name is not of the spool: not read")
	}
}

// cause is the innermost reason of an error, without the path.
func cause(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}
