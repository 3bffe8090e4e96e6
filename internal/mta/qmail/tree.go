package qmail

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"spoor/internal/host"
)

// tree is the directories of a queue, open.
type tree struct {
	closed    bool
	name      string // of the queue, below the root
	split     int    // subdirectories of mess, info, local and remote
	todoSplit bool   // todo and intd are split too (big-todo, ext-todo)

	mess, info, local, remote, todo, intd, bounce *shelf
}

// shelf is one directory of the queue with its numbered subdirectories. A flat
// shelf has a single folder, the directory itself. Folders may be nil: not
// there, or not readable.
type shelf struct {
	name    string // path below the root, such as /var/qmail/queue/mess
	top     *host.Dir
	folders []*host.Dir
	err     error // why top is nil
}

// openTree opens the directories of the queue. It detects the split from the
// subdirectories of mess, and big-todo from those of todo.
func openTree(root *host.Root, name string) (*tree, error) {
	t := &tree{name: name}
	t.mess = openShelf(root, name, "mess")
	if t.mess.top == nil {
		return nil, fmt.Errorf("open queue: %w", t.mess.err)
	}
	t.info = openShelf(root, name, "info")
	t.local = openShelf(root, name, "local")
	t.remote = openShelf(root, name, "remote")
	t.todo = openShelf(root, name, "todo")
	t.intd = openShelf(root, name, "intd")
	t.bounce = openShelf(root, name, "bounce")

	t.split = t.mess.fit(agreedSplit(t.mess, t.info, t.local, t.remote))
	t.todoSplit = t.todo.subdirectories() > 0
	for _, s := range []*shelf{t.mess, t.info, t.local, t.remote} {
		s.openFolders(root, t.split)
	}
	for _, s := range []*shelf{t.todo, t.intd} {
		if t.todoSplit {
			s.openFolders(root, t.split)
		} else {
			s.folders = []*host.Dir{s.top}
		}
	}
	t.bounce.folders = []*host.Dir{t.bounce.top}
	return t, nil
}

// agreedSplit is the number of subdirectories that most shelves have. A single
// stray folder must not move every message into the wrong one.
func agreedSplit(shelves ...*shelf) int {
	split, votes := 1, 0
	for _, s := range shelves {
		n := s.subdirectories()
		agree := 0
		for _, other := range shelves {
			if other.subdirectories() == n {
				agree++
			}
		}
		if n > 0 && agree > votes {
			split, votes = n, agree
		}
	}
	return split
}

// fit returns the split under which the most files of the shelf are where they
// belong. That is the number of subdirectories, unless the last ones are lost.
func (s *shelf) fit(subdirectories int) int {
	places := s.sample(subdirectories)
	right := func(split int) (n int) {
		for id, folder := range places {
			if id%uint64(split) == uint64(folder) {
				n++
			}
		}
		return n
	}
	best, most := subdirectories, right(subdirectories)
	if most > len(places)/2 {
		return best
	}
	for split := subdirectories + 1; split < 2*subdirectories+maxLost; split++ {
		if n := right(split); n > most && n > len(places)*9/10 {
			best, most = split, n
		}
	}
	return best
}

// maxLost bounds how many subdirectories may be missing beyond the highest.
const maxLost = 100

// sample returns the folders of some messages.
func (s *shelf) sample(subdirectories int) map[uint64]int {
	const each = 20
	places := map[uint64]int{}
	for i := range subdirectories {
		folder, err := s.top.OpenDir(strconv.Itoa(i))
		if err != nil {
			continue
		}
		taken := 0
		for entry, err := range folder.Entries() {
			if err != nil || taken == each {
				break
			}
			if id, ok := parseID(entry.Name); ok {
				places[id] = i
				taken++
			}
		}
		_ = folder.Close()
	}
	return places
}

func openShelf(root *host.Root, queue, name string) *shelf {
	top, err := root.OpenDir(queue + "/" + name)
	return &shelf{name: queue + "/" + name, top: top, err: err}
}

// subdirectories is one more than the highest numbered subdirectory.
func (s *shelf) subdirectories() int {
	if s.top == nil {
		return 0
	}
	highest := -1
	for entry, err := range s.top.Entries() {
		if err != nil {
			break
		}
		if n, err := strconv.Atoi(string(entry.Name)); err == nil && entry.Type == host.TypeDirectory && n >= 0 && n < maxSplit {
			highest = max(highest, n)
		}
	}
	return highest + 1
}

// maxSplit bounds the split that is believed; conf-split is 23, and builds for
// very large queues use some hundreds.
const maxSplit = 10007

// openFolders opens the numbered subdirectories. An administrator may have
// moved one and left a link: it is followed where it stays below the root.
func (s *shelf) openFolders(root *host.Root, split int) {
	s.folders = make([]*host.Dir, split)
	if s.top == nil {
		return
	}
	for i := range s.folders {
		folder, err := s.top.OpenDir(strconv.Itoa(i))
		if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
			folder, err = root.OpenDir(s.path(i))
		}
		if err == nil {
			s.folders[i] = folder
		} else if errors.Is(err, fs.ErrPermission) {
			s.err = err
		}
	}
}

// folder returns the directory in which s keeps a message, or nil.
func (s *shelf) folder(id uint64) *host.Dir { return s.folders[s.index(id)] }

// index is the number of that directory: fmtqfn.c.
func (s *shelf) index(id uint64) int { return int(id % uint64(len(s.folders))) }

// open opens the file of a message on this shelf.
func (s *shelf) open(id uint64, name []byte) (host.File, error) {
	folder := s.folder(id)
	if folder == nil {
		return -1, unix.ENOENT
	}
	return folder.Open(name)
}

// findMess returns the folder of mess that holds a message: the one it belongs
// to, or else any other that has it.
func (t *tree) findMess(id uint64) int {
	home := t.mess.index(id)
	name := strconv.AppendUint(nil, id, 10)
	for _, i := range append([]int{home}, indices(len(t.mess.folders))...) {
		if t.mess.folders[i] == nil {
			continue
		}
		if f, err := t.mess.folders[i].Open(name); err == nil {
			f.Close()
			return i
		}
	}
	return home
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func (t *tree) shelves() []*shelf {
	return []*shelf{t.mess, t.info, t.local, t.remote, t.todo, t.intd, t.bounce}
}

func (t *tree) close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	var errs []error
	for _, s := range t.shelves() {
		if s.top == nil {
			continue
		}
		for _, folder := range s.folders {
			if folder != nil && folder != s.top {
				errs = append(errs, folder.Close())
			}
		}
		errs = append(errs, s.top.Close())
	}
	return errors.Join(slices.DeleteFunc(errs, func(err error) bool { return err == nil })...)
}
