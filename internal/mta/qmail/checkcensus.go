package qmail

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"strconv"

	"spoor"
	"spoor/internal/disk"
)

// piece is one of the files that a message may have.
type piece uint8

// The pieces, in the order in which a message gets them.
const (
	pieceMess piece = iota
	pieceIntd
	pieceTodo
	pieceBounce
	pieceLocal
	pieceRemote
	pieceInfo
	pieces
)

// shelfRule is a directory of the queue as hier.c makes it, with its files.
type shelfRule struct {
	name     string
	send     bool   // owned by qmails; else by qmailq
	mode     uint32 // of the directory and its split folders
	split    bool   // always
	todo     bool   // with big-todo alone
	fileMode uint32
}

// shelfRules are by piece.
func shelfRules() [pieces]shelfRule {
	return [pieces]shelfRule{
		pieceMess:   {name: "mess", mode: 0o750, split: true, fileMode: 0o644},
		pieceIntd:   {name: "intd", mode: 0o700, todo: true, fileMode: 0o644},
		pieceTodo:   {name: "todo", mode: 0o750, todo: true, fileMode: 0o644},
		pieceBounce: {name: "bounce", send: true, mode: 0o700, fileMode: 0o600},
		pieceLocal:  {name: "local", send: true, mode: 0o700, split: true, fileMode: 0o600},
		pieceRemote: {name: "remote", send: true, mode: 0o700, split: true, fileMode: 0o600},
		pieceInfo:   {name: "info", send: true, mode: 0o700, split: true, fileMode: 0o600},
	}
}

// flat is the folder number of a file that lies in no split folder.
const flat = -1

// queueFile is one file of a message.
type queueFile struct {
	id       uint64
	inode    uint64
	size     int64
	accessed int64 // nanoseconds since the Unix epoch
	modified int64
	uid, gid int32
	links    int32
	folder   int32 // number of the split folder it lies in, or flat
	mode     uint16
	piece    piece
}

// path is where the file is, below the queue.
func (f *queueFile) path() string {
	return shelfRules()[f.piece].name + "/" + placeName(f.folder, f.id)
}

func placeName(folder int32, id uint64) string {
	name := strconv.FormatUint(id, 10)
	if folder == flat {
		return name
	}
	return strconv.Itoa(int(folder)) + "/" + name
}

// foreignFile is something in a queue that is no file of a message.
type foreignFile struct {
	path string // below the queue
	stat disk.Stat
}

// census is all files of a queue, found by walking through it. Unlike a listing
// it takes nothing for granted: files are found wherever they lie.
type census struct {
	top     *disk.Dir
	layout  layout
	files   []queueFile // by ID, piece and folder
	foreign []foreignFile
	dirs    map[string]disk.Stat // by path below the queue; "" is the queue itself
	folders [pieces][]int        // split folders that are there, sorted
	unread  spoor.Gaps
}

// layout is how a qmail was compiled to spread its files.
type layout struct {
	split   int
	bigTodo bool
}

// String describes it for people.
func (l layout) String() string {
	if l.bigTodo {
		return "split " + strconv.Itoa(l.split) + ", todo split"
	}
	return "split " + strconv.Itoa(l.split) + ", todo flat"
}

// folder is where a piece of a message belongs (fmtqfn.c).
func (l layout) folder(p piece, id uint64) int32 {
	rule := shelfRules()[p]
	if rule.split || rule.todo && l.bigTodo {
		return int32(id % uint64(l.split))
	}
	return flat
}

// takeCensus walks through the queue in top, following no link.
func takeCensus(top *disk.Dir) (*census, error) {
	c := &census{top: top, dirs: map[string]disk.Stat{}}
	st, err := top.Stat(".")
	if err != nil {
		return nil, err
	}
	c.dirs[""] = st
	names, err := top.Names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := c.enter(name); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(c.files, func(a, b queueFile) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.piece, b.piece), cmp.Compare(a.folder, b.folder))
	})
	slices.SortFunc(c.foreign, func(a, b foreignFile) int { return cmp.Compare(a.path, b.path) })
	c.layout = layout{split: c.fitSplit(), bigTodo: len(c.folders[pieceTodo]) > 0}
	return c, nil
}

// enter looks at one name in the queue itself.
func (c *census) enter(name string) error {
	st, err := c.top.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	p, known := shelfOf(name)
	switch {
	case known && st.Directory:
		c.dirs[name] = st
		return c.walk(p, name, flat)
	case (name == "pid" || name == "lock") && st.Directory:
		c.dirs[name] = st
		return nil
	}
	c.foreign = append(c.foreign, foreignFile{name, st})
	return nil
}

func shelfOf(name string) (piece, bool) {
	for p, rule := range shelfRules() {
		if rule.name == name {
			return piece(p), true
		}
	}
	return 0, false
}

// walk reads a directory of a shelf. One that cannot be read is told, and makes
// the census incomplete.
func (c *census) walk(p piece, name string, folder int32) error {
	dir, err := c.top.OpenDir(name)
	if errors.Is(err, fs.ErrPermission) {
		c.unread.Add(name, "folder cannot be read: "+err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Names()
	if err != nil {
		return err
	}
	for _, entry := range names {
		st, err := dir.Stat(entry)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the MTA has moved it
		}
		if err != nil {
			return err
		}
		if err := c.note(p, name, folder, found{entry, st}); err != nil {
			return err
		}
	}
	return nil
}

// found is a name in a directory, and what it is.
type found struct {
	name string
	stat disk.Stat
}

// note files what was found in a directory of a shelf.
func (c *census) note(p piece, dir string, folder int32, f found) error {
	id, canonical := parseID([]byte(f.name))
	switch {
	case canonical && f.stat.Regular:
		c.files = append(c.files, queueFile{
			id: id, inode: f.stat.Inode, size: f.stat.SizeBytes, accessed: f.stat.Accessed.UnixNano(), modified: f.stat.Modified.UnixNano(),
			uid: int32(f.stat.UID), gid: int32(f.stat.GID), links: int32(f.stat.Links), folder: folder, mode: uint16(f.stat.Mode), piece: p,
		})
		return nil
	case canonical && f.stat.Directory && folder == flat && p != pieceBounce && id < maxSplit:
		at := dir + "/" + f.name
		c.dirs[at] = f.stat
		c.folders[p] = append(c.folders[p], int(id))
		slices.Sort(c.folders[p])
		return c.walk(p, at, int32(id))
	}
	c.foreign = append(c.foreign, foreignFile{dir + "/" + f.name, f.stat})
	return nil
}

// alwaysSplit are the shelves that every qmail splits.
func alwaysSplit() [4]piece { return [4]piece{pieceMess, pieceInfo, pieceLocal, pieceRemote} }

// highest is one more than the highest split folder of a shelf.
func (c *census) highest(p piece) int {
	if n := len(c.folders[p]); n > 0 {
		return c.folders[p][n-1] + 1
	}
	return 0
}

// fitSplit is the split that most shelves have, unless the files prove another
// one: the last folders may be lost.
func (c *census) fitSplit() int {
	agreed, votes := 1, 0
	for _, p := range alwaysSplit() {
		n, agree := c.highest(p), 0
		for _, other := range alwaysSplit() {
			if c.highest(other) == n {
				agree++
			}
		}
		if n > 0 && agree > votes {
			agreed, votes = n, agree
		}
	}
	best, most, total := agreed, c.fits(agreed), 0
	for i := range c.files {
		if c.files[i].piece == pieceMess {
			total++
		}
	}
	if most > total/2 {
		return best
	}
	for split := agreed + 1; split < 2*agreed+maxLost; split++ {
		if n := c.fits(split); n > most && n > total*9/10 {
			best, most = split, n
		}
	}
	return best
}

// fits counts the files of mess that are where a split puts them.
func (c *census) fits(split int) (n int) {
	for i := range c.files {
		f := &c.files[i]
		if f.piece == pieceMess && f.id%uint64(split) == uint64(f.folder) {
			n++
		}
	}
	return n
}
