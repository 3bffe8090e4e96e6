package qmail

import (
	"bytes"
	"cmp"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"spoor"
	"spoor/internal/host"
)

// presence says on which shelves a message was seen.
type presence uint8

const (
	inInfo presence = 1 << iota
	inLocal
	inRemote
	inTodo
	inIntd
	inBounce
	probeAll // not listed: look everywhere
)

// slot is one message in the listing.
type slot struct {
	id     uint64
	folder int // of mess, where the content really is
	seen   presence
}

// listing is the names in a queue at one time.
type listing struct {
	slots    []slot // by ID
	messages int    // as qmail-qstat(8) counts them
	todos    int    // as qmail-qstat(8) counts them
	gaps     *spoor.Gaps
	partial  atomic.Bool // a folder could not be listed
}

// list reads the names of all shelves. The content comes first: a message that
// is queued meanwhile is then seen on other shelves only and left for the next
// scan. One that moves on from todo to info may be seen on both or on neither:
// the reader looks where it went.
func (t *tree) list(gaps *spoor.Gaps) *listing {
	l := &listing{gaps: gaps}
	l.listMess(t.mess)
	shelves := []*shelf{t.todo, t.intd, t.info, t.local, t.remote, t.bounce}
	bits := []presence{inTodo, inIntd, inInfo, inLocal, inRemote, inBounce}
	found := make([][]uint64, len(shelves))
	var group sync.WaitGroup
	for i, s := range shelves {
		group.Go(func() { found[i] = l.listShelf(s) })
	}
	group.Wait()
	for i, s := range shelves {
		l.countStrays(t, s, l.mark(found[i], bits[i]))
	}
	l.todos = countFiles(t.todo.top, 0)
	return l
}

// listMess fills the slots. qmail-qstat counts every regular file at any depth,
// whatever its name.
func (l *listing) listMess(s *shelf) {
	if s.err != nil {
		l.skip(s.top.Name(), "some folders cannot be opened: "+s.err.Error())
	}
	l.messages = countTop(s.top, l.gaps)
	folders := make([]folderList, len(s.folders))
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.NumCPU(), len(folders)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(folders); i = int(next.Add(1)) - 1 {
				folders[i] = l.listFolder(s, i)
			}
		})
	}
	group.Wait()
	total := 0
	for _, f := range folders {
		total += len(f.slots)
	}
	l.slots = make([]slot, 0, total)
	for _, f := range folders {
		l.slots = append(l.slots, f.slots...)
		l.messages += f.files
	}
	l.sortSlots(s)
}

// folderList is the content of one folder of mess.
type folderList struct {
	slots []slot
	files int // regular files at any depth
}

func (l *listing) listFolder(s *shelf, i int) (f folderList) {
	folder := s.folders[i]
	if folder == nil {
		if len(s.folders) > 1 { // a queue without folders has none to miss
			l.skip(s.path(i), "folder is missing or no directory")
		}
		return f
	}
	for entry, err := range folder.Entries() {
		if err != nil {
			l.skip(folder.Name(), err.Error())
			break
		}
		f.files += countEntry(folder, entry, 0)
		if id, ok := l.number(folder, entry); ok {
			f.slots = append(f.slots, slot{id: id, folder: i})
		}
	}
	return f
}

// skip counts a folder that is left out.
func (l *listing) skip(folder, reason string) {
	l.partial.Store(true)
	l.gaps.Add(folder, reason)
}

// sortSlots brings the slots into the order of their IDs, which are inode
// numbers: reading in that order is kind to a disk. Of two files with one name
// the one in the right folder stays.
func (l *listing) sortSlots(s *shelf) {
	slices.SortFunc(l.slots, func(a, b slot) int { return cmp.Compare(a.id, b.id) })
	kept := l.slots[:0]
	for _, one := range l.slots {
		misfiled := one.folder != s.index(one.id)
		if misfiled {
			l.gaps.Add(s.path(one.folder)+"/"+strconv.FormatUint(one.id, 10), "in the wrong split folder: qmail does not find it there")
		}
		if last := len(kept) - 1; last >= 0 && kept[last].id == one.id {
			if !misfiled {
				kept[last] = one
			}
			continue
		}
		kept = append(kept, one)
	}
	l.slots = kept
}

// path is the name of one of the folders, whether it is there or not.
func (s *shelf) path(folder int) string { return s.name + "/" + strconv.Itoa(folder) }

// number returns the message that an entry of a shelf belongs to. What is no
// message is a gap.
func (l *listing) number(folder *host.Dir, entry host.Entry) (uint64, bool) {
	id, canonical := parseID(entry.Name)
	switch {
	case entry.Type == host.TypeSymlink:
		l.gaps.Add(folder.Name()+"/"+string(entry.Name), "symbolic link: not followed")
	case entry.Type != host.TypeRegular:
		l.gaps.Add(folder.Name()+"/"+string(entry.Name), "not a regular file")
	case !canonical:
		l.gaps.Add(folder.Name()+"/"+string(entry.Name), "name is no message number")
	default:
		return id, true
	}
	return 0, false
}

// parseID reads a queue ID the way qmail writes it: decimal, no leading zero.
func parseID(name []byte) (uint64, bool) {
	if len(name) == 0 || len(name) > 19 || (name[0] == '0' && len(name) > 1) {
		return 0, false
	}
	var id uint64
	for _, c := range name {
		if c < '0' || c > '9' {
			return 0, false
		}
		id = id*10 + uint64(c-'0')
	}
	return id, true
}

// listShelf returns the IDs that a shelf holds, sorted.
func (l *listing) listShelf(s *shelf) []uint64 {
	if s.top == nil {
		l.skip(s.name, "cannot be opened: "+s.err.Error())
		return nil
	}
	if s.err != nil {
		l.skip(s.top.Name(), "some folders cannot be opened: "+s.err.Error())
	}
	var ids []uint64
	for i, folder := range s.folders {
		if folder == nil {
			continue
		}
		for entry, err := range folder.Entries() {
			if err != nil {
				l.skip(folder.Name(), err.Error())
				break
			}
			id, ok := l.number(folder, entry)
			if !ok {
				continue
			}
			if s.index(id) != i {
				l.gaps.Add(folder.Name()+"/"+string(entry.Name), "in the wrong split folder: qmail does not find it there")
				continue
			}
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// mark sets a bit on the slots of ids, which are sorted, and returns the ids
// that have no slot.
func (l *listing) mark(ids []uint64, bit presence) (strays []uint64) {
	i := 0
	for _, id := range ids {
		for i < len(l.slots) && l.slots[i].id < id {
			i++
		}
		if i == len(l.slots) || l.slots[i].id != id {
			strays = append(strays, id)
			continue
		}
		l.slots[i].seen |= bit
	}
	return strays
}

// countStrays makes gaps of envelope files without content. A message that was
// queued or removed since the listing began is none.
func (l *listing) countStrays(t *tree, s *shelf, strays []uint64) {
	for _, id := range strays {
		name := strconv.AppendUint(nil, id, 10)
		if f, err := t.mess.open(id, name); err == nil {
			f.Close()
			continue
		}
		f, err := s.open(id, name)
		if err != nil {
			continue
		}
		f.Close()
		l.gaps.Add(s.folder(id).Name()+"/"+string(name), "no content in mess: the message itself is lost")
	}
}

// countTop counts the regular files that lie directly in mess, where nothing
// belongs. The shell pattern of qmail-qstat leaves dot files out.
func countTop(top *host.Dir, gaps *spoor.Gaps) int {
	n := 0
	for entry, err := range top.Entries() {
		if err != nil {
			gaps.Add(top.Name(), err.Error())
			break
		}
		name := string(entry.Name)
		if bytes.HasPrefix(entry.Name, []byte(".")) {
			continue
		}
		if entry.Type == host.TypeRegular {
			n++
			gaps.Add(top.Name()+"/"+name, "outside the split folders")
			continue
		}
		if _, err := strconv.Atoi(name); err != nil {
			gaps.Add(top.Name()+"/"+name, "not a split folder")
			if entry.Type == host.TypeDirectory {
				n += countSub(top, name, 1)
			}
		}
	}
	return n
}

// maxDepth bounds the descent into directories that have no place in a queue.
const maxDepth = 16

// countFiles counts regular files at any depth, as find(1) does.
func countFiles(d *host.Dir, depth int) int {
	if d == nil || depth > maxDepth {
		return 0
	}
	n := 0
	for entry, err := range d.Entries() {
		if err != nil {
			break
		}
		n += countEntry(d, entry, depth)
	}
	return n
}

func countEntry(d *host.Dir, entry host.Entry, depth int) int {
	switch entry.Type {
	case host.TypeRegular:
		return 1
	case host.TypeDirectory:
		return countSub(d, string(entry.Name), depth+1)
	case host.TypeUnknown, host.TypeSymlink:
	}
	return 0
}

func countSub(d *host.Dir, name string, depth int) int {
	sub, err := d.OpenDir(name)
	if err != nil {
		return 0
	}
	defer func() { _ = sub.Close() }()
	return countFiles(sub, depth)
}
