package postfix

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// states are the folders that hold messages, in the order of listing. active is
// listed before and after deferred: messages move both ways between them.
var states = [...]struct {
	name  string
	state spoor.State
}{
	{"active", spoor.StateActive},
	{"maildrop", spoor.StateMaildrop},
	{"incoming", spoor.StateIncoming},
	{"deferred", spoor.StateDeferred},
	{"active", spoor.StateActive},
	{"hold", spoor.StateHold},
	{"corrupt", spoor.StateCorrupt},
}

// folder is an open directory of a queue.
type folder struct {
	dir   *host.Dir
	state spoor.State
	queue int // number of the instance
}

// slot is one name in a listing.
type slot struct {
	id     string
	folder *folder
}

// maxDepth is the most that hash_queue_depth(5) allows.
const maxDepth = 16

// listing is the names in the queues at one time.
type listing struct {
	queue   *Queue
	gaps    *spoor.Gaps
	slots   []slot // by ID, then by instance
	bounces map[string]bool
	partial bool
}

// list reads the names. One goroutine at a time.
func (q *Queue) list(gaps *spoor.Gaps) *listing {
	l := &listing{queue: q, gaps: gaps, bounces: map[string]bool{}}
	for i, dir := range q.dirs {
		for _, s := range states {
			l.walk(path.Join(dir, s.name), i, s.state, 0)
		}
		l.listBounces(path.Join(dir, "bounce"), 0)
	}
	slices.SortStableFunc(l.slots, func(a, b slot) int {
		return cmp.Or(strings.Compare(a.id, b.id), cmp.Compare(a.folder.queue, b.folder.queue))
	})
	l.slots = slices.CompactFunc(l.slots, func(a, b slot) bool { return a.id == b.id && a.folder.queue == b.folder.queue })
	return l
}

// open returns the open folder of a path, or nil with a gap.
func (l *listing) open(name string, queue int, state spoor.State) *folder {
	if known, ok := l.queue.folders[name]; ok {
		return known
	}
	dir, err := l.queue.root.OpenDir(name)
	if err != nil {
		l.missing(name, err)
		return nil
	}
	f := &folder{dir: dir, state: state, queue: queue}
	l.queue.folders[name] = f
	return f
}

// missing notes a folder that is not there, or is a link that leads nowhere:
// Postfix makes all of them when it starts.
func (l *listing) missing(name string, err error) {
	l.gaps.Add(name, "folder could not be listed: "+cause(err))
	l.partial = true
}

// walk lists a folder and its hash directories, whose names are one character
// long (hash_queue_depth of postconf(5)).
func (l *listing) walk(name string, queue int, state spoor.State, depth int) {
	f := l.open(name, queue, state)
	if f == nil {
		return
	}
	var names []byte
	var ends []int
	var below []string
	for entry, err := range f.dir.Entries() {
		switch {
		case err != nil:
			l.gaps.Add(name, "folder could not be listed to its end: "+cause(err))
			l.partial = true
		case len(entry.Name) == 1 && entry.Type == host.TypeSymlink:
			l.gaps.Add(name+"/"+string(entry.Name), "symbolic link: not followed")
			l.partial = true
		case entry.Type == host.TypeDirectory:
			if len(entry.Name) == 1 && depth < maxDepth {
				below = append(below, string(entry.Name))
			} else {
				l.gaps.Add(name, "a directory that is not of the queue: not read")
			}
		case entry.Type != host.TypeRegular:
			l.gaps.Add(name, "not a regular file: not read")
		case !isQueueID(entry.Name):
			l.gaps.Add(name, "a file whose name is no queue ID: not read")
		default:
			names = append(names, entry.Name...)
			ends = append(ends, len(names))
		}
	}
	start, all := 0, string(names)
	for _, end := range ends {
		l.slots = append(l.slots, slot{all[start:end], f})
		start = end
	}
	for _, one := range below {
		l.walk(name+"/"+one, queue, state, depth+1)
	}
}

// listBounces notes which messages have recipients that failed.
func (l *listing) listBounces(name string, depth int) {
	dir, err := l.queue.root.OpenDir(name)
	if err != nil {
		return
	}
	defer func() { _ = dir.Close() }()
	for entry, err := range dir.Entries() {
		switch {
		case err != nil:
			return
		case entry.Type == host.TypeDirectory && len(entry.Name) == 1 && depth < maxDepth:
			l.listBounces(name+"/"+string(entry.Name), depth+1)
		case entry.Type == host.TypeRegular:
			l.bounces[string(entry.Name)] = true
		}
	}
}

// find looks a message up where it may have gone. It returns nil where there is
// none.
func (q *Queue) find(id string, queue int) (file host.File, f *folder, ok bool) {
	q.listing.Lock()
	defer q.listing.Unlock()
	l := &listing{queue: q, gaps: &spoor.Gaps{}}
	for i, dir := range q.dirs {
		if queue >= 0 && i != queue {
			continue
		}
		for _, s := range states {
			for _, hashed := range hashedPaths(id) {
				f := l.open(path.Join(dir, s.name, hashed), i, s.state)
				if f == nil {
					continue
				}
				if file, err := f.dir.Open([]byte(id)); err == nil {
					return file, f, true
				}
			}
		}
	}
	return -1, nil, false
}

// hashedPaths are the subdirectories in which an ID may be: none, and one for
// each depth of hashing (mail_queue.c).
func hashedPaths(id string) []string {
	digits := hashDigits(id)
	paths := []string{""}
	for depth := 1; depth <= min(4, len(digits)); depth++ {
		paths = append(paths, strings.Join(strings.Split(digits[:depth], ""), "/"))
	}
	return paths
}

// hashDigits are what an ID is hashed by: of a long one the microseconds, as a
// short one begins with them.
func hashDigits(id string) string {
	if t, ok := idTime(id); ok {
		return fmt.Sprintf("%05X", t.Nanosecond()/1000)
	}
	return id
}

// cause is the innermost reason of an error, without the path.
func cause(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}
