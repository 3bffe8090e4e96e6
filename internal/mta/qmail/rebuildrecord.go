package qmail

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"spoor"
	"spoor/internal/disk"
)

// phase is how far a rebuild is. Which tree is in the place of the queue is not
// recorded: the inodes tell.
type phase string

const (
	phaseBuilt   phase = "built"   // the new tree is whole
	phaseDone    phase = "done"    // it is in place, and late messages are in it
	phaseUndoing phase = "undoing" // the old tree is to be in place again
	phaseUndone  phase = "undone"  // it is, with all that the new one had; the new one is being removed
	phasePurging phase = "purging" // the old tree is being removed
)

// rebuildRecord is plan.json in the folder beside the queue. It is replaced in
// one step.
type rebuildRecord struct {
	Phase    phase            `json:"phase"`
	OldInode uint64           `json:"old_inode"` // of the trees
	NewInode uint64           `json:"new_inode"`
	Before   recordLayout     `json:"before"`
	After    recordLayout     `json:"after"`
	Empty    bool             `json:"empty"`
	Report   spoor.Rebuilding `json:"report"`
}

type recordLayout struct {
	Split   int  `json:"split"`
	BigTodo bool `json:"big_todo"`
}

func (l recordLayout) layout() layout { return layout{split: l.Split, bigTodo: l.BigTodo} }

const (
	recordFile = "plan.json"
	recordTemp = "plan.json.new"
	movedFile  = "moved"
	movedTemp  = "moved.new"
)

// aside opens the folder beside the queue that belongs to the plan. It returns
// fs.ErrNotExist, or ErrUnfit where it is not root's own.
func (r *Rebuild) aside() (*disk.Dir, error) {
	dir, err := r.home.OpenDir(r.name + asideInfix + r.plan)
	if err != nil {
		return nil, err
	}
	st, err := dir.Stat(".")
	if err == nil && (st.UID != ownUID() || st.Mode&0o077 != 0) {
		err = fmt.Errorf("%s belongs to somebody else, or is open to others: %w", dir.Name(), ErrUnfit)
	}
	if err != nil {
		_ = dir.Close()
		return nil, err
	}
	return dir, nil
}

// load reads the record of the plan. It returns ErrNoRebuild.
func (r *Rebuild) load() (*rebuildRecord, error) {
	dir, err := r.aside()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("plan %s: %w", r.plan, ErrNoRebuild)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	data, err := readSmall(dir, recordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("plan %s: %w", r.plan, ErrNoRebuild)
	}
	if err != nil {
		return nil, err
	}
	var rec rebuildRecord
	if err := json.Unmarshal(data, &rec); err != nil {
		return nil, fmt.Errorf("read %s/%s: %w", dir.Name(), recordFile, err)
	}
	return &rec, nil
}

func readSmall(dir *disk.Dir, name string) ([]byte, error) {
	file, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return readWhole(file, nil)
}

// save makes the record durable, with a phase.
func (r *Rebuild) save(rec *rebuildRecord, p phase) error {
	rec.Phase = p
	data, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	dir, err := r.aside()
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if err := removeIfThere(dir, recordTemp); err != nil {
		return err
	}
	if err := writeDurable(dir, recordTemp, append(data, '\n')); err != nil {
		return err
	}
	if err := dir.Replace(recordTemp, dir, recordFile); err != nil {
		return err
	}
	return dir.Sync()
}

func writeDurable(dir *disk.Dir, name string, data []byte) error {
	file, err := dir.Create(name, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Write(data); err != nil {
		return err
	}
	return file.Sync()
}

func removeIfThere(dir *disk.Dir, name string) error {
	if err := dir.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// moved is which messages the new tree was given, by the inode of their content,
// which is their ID there. A message stands here before qmail can see it in the
// new tree: one that stands here and is not in the new tree any more was
// delivered, or removed.
type moved struct {
	undone map[uint64]int    // recipients, of messages that were carried over
	oldID  map[uint64]uint64 // of those: two names in mess may be one file
	kept   map[uint64]bool
}

// has reports whether the message of an inode was dealt with.
func (m moved) has(inode uint64) bool {
	_, was := m.undone[inode]
	return was || m.kept[inode]
}

// The lines of the file, which also is the list of old and new IDs for people:
//
//	M 967077 1048577 19    carried over: old and new ID, recipients to do
//	K 967077 967081        kept in the old tree: ID, inode
//	B 1048590 1048590 1    carried back
const (
	lineMoved = 'M'
	lineKept  = 'K'
	lineBack  = 'B'
)

func appendMoved(buf []byte, kind byte, m *queueMessage) []byte {
	buf = strconv.AppendUint(append(buf, kind, ' '), m.id, 10)
	buf = strconv.AppendUint(append(buf, ' '), m.file[pieceMess].inode, 10)
	if kind != lineKept {
		buf = strconv.AppendInt(append(buf, ' '), int64(m.undone), 10)
	}
	return append(buf, '\n')
}

// readMoved reads the file, with the messages that were carried back. What stands
// behind the last line's end was cut off by a crash, and stands for nothing.
func readMoved(dir *disk.Dir) (m moved, back map[uint64]bool, err error) {
	m, back = moved{undone: map[uint64]int{}, oldID: map[uint64]uint64{}, kept: map[uint64]bool{}}, map[uint64]bool{}
	data, err := readSmall(dir, movedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return m, back, nil
	}
	if err != nil {
		return m, back, err
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		numbers, ok := parseNumbers(fields[min(1, len(fields)):])
		switch {
		case ok && len(numbers) == 3 && fields[0] == string(lineMoved):
			m.undone[numbers[1]], m.oldID[numbers[1]] = int(numbers[2]), numbers[0]
		case ok && len(numbers) == 2 && fields[0] == string(lineKept):
			m.kept[numbers[1]] = true
		case ok && len(numbers) == 3 && fields[0] == string(lineBack):
			back[numbers[1]] = true
		default:
			return m, back, fmt.Errorf("read %s/%s: %q is no line of it", dir.Name(), movedFile, line)
		}
	}
	return m, back, nil
}

func parseNumbers(words []string) (list []uint64, ok bool) {
	for _, word := range words {
		n, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return nil, false
		}
		list = append(list, n)
	}
	return list, len(list) > 0
}

// logMoved adds lines and makes them durable. The file is written anew: a line
// that a crash cut off must not be lengthened.
func logMoved(dir *disk.Dir, lines []byte) error {
	old, err := readSmall(dir, movedFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	old = old[:bytes.LastIndexByte(old, '\n')+1]
	if err := removeIfThere(dir, movedTemp); err != nil {
		return err
	}
	if err := writeDurable(dir, movedTemp, slices.Concat(old, lines)); err != nil {
		return err
	}
	if err := dir.Replace(movedTemp, dir, movedFile); err != nil {
		return err
	}
	return dir.Sync()
}
