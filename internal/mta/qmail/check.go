package qmail

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/host"
)

// crew are the UIDs and the group that own a queue, by the names that hier.c
// uses.
type crew struct {
	queue, remote, send int // qmailq, qmailr, qmails
	group               int // qmail
	known               bool
}

// crewOf looks the users up in the examined server's passwd. The group qmail is
// the primary one of qmailq (INSTALL.ids).
func crewOf(passwd *host.Passwd) crew {
	q, okQueue := passwd.ByLogin("qmailq")
	r, okRemote := passwd.ByLogin("qmailr")
	s, okSend := passwd.ByLogin("qmails")
	return crew{queue: q.UID, remote: r.UID, send: s.UID, group: q.GID, known: okQueue && okRemote && okSend}
}

// owner is the UID that a shelf and its files belong to.
func (c crew) owner(rule shelfRule) int {
	if rule.send {
		return c.send
	}
	return c.queue
}

// Check implements mta.Checker. The authority for owners and modes is hier.c,
// for states INTERNALS, for what each damage does qmail-send.c and spawn.c.
func (q *Queue) Check(ctx context.Context, now time.Time) (*spoor.QueueCheck, error) {
	top, err := openQueueDir(q.root, q.tree.name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = top.Close() }()
	c, err := takeCensus(top)
	if err != nil {
		return nil, fmt.Errorf("check queue: %w", err)
	}
	list := c.messages()
	if err := c.readEnvelopes(list, runtime.NumCPU()); err != nil {
		return nil, fmt.Errorf("check queue: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k := &checker{census: c, crew: crewOf(q.passwd), now: now, damages: spoor.NewDamages(damageKinds())}
	if err := k.run(list); err != nil {
		return nil, fmt.Errorf("check queue: %w", err)
	}
	return k.result(q.tree.name, q.root), nil
}

// openQueueDir opens a queue below a root with the calls of package disk: links
// on the way to it stay below the root, and none is followed inside.
func openQueueDir(root *host.Root, name string) (*disk.Dir, error) {
	resolved, err := root.Resolve(name)
	if err != nil {
		return nil, err
	}
	base, err := disk.Open(root.Dir(), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = base.Close() }()
	return base.OpenDir(resolved)
}

// checker looks for damage in a census.
type checker struct {
	census  *census
	crew    crew
	now     time.Time
	damages *spoor.Damages
	notes   []string
	doubts  []doubt // what a message that moves may look like
}

func (k *checker) add(check, example string) { k.damages.Add(check, example) }

func (k *checker) run(list []queueMessage) error {
	if !k.crew.known {
		k.notes = append(k.notes, "passwd does not have qmailq, qmailr and qmails: owners were not checked")
	}
	k.directories()
	if err := k.locks(); err != nil {
		return err
	}
	if err := k.pids(); err != nil {
		return err
	}
	for i := range k.census.files {
		k.file(&k.census.files[i])
	}
	k.strangers()
	for i := range list {
		k.message(&list[i])
	}
	return k.confirm()
}

func (k *checker) result(name string, root *host.Root) *spoor.QueueCheck {
	c := &spoor.QueueCheck{
		Queue: name, Layout: k.census.layout.String(), Files: len(k.census.files),
		Damages: k.damages.List(), Notes: append(k.notes, oldTrees(root, name)...),
	}
	for _, gap := range k.census.unread.List() {
		gap.File = name + "/" + gap.File
		c.Unread = append(c.Unread, gap)
	}
	for i := range k.census.files {
		if k.census.files[i].piece == pieceMess {
			c.Messages++
		}
	}
	for i := range c.Damages {
		for j, example := range c.Damages[i].Examples {
			c.Damages[i].Examples[j] = below(name, example)
		}
	}
	c.Sort()
	return c
}

// directories compares the directories with those that hier.c makes.
func (k *checker) directories() {
	k.directory("", k.crew.queue, 0o750)
	k.directory("pid", k.crew.queue, 0o700)
	k.directory("lock", k.crew.queue, 0o750)
	for p, rule := range shelfRules() {
		p := piece(p)
		if !k.directory(rule.name, k.crew.owner(rule), rule.mode) || !rule.split && (!rule.todo || !k.census.layout.bigTodo) {
			continue
		}
		for i := range k.census.layout.split {
			k.directory(rule.name+"/"+strconv.Itoa(i), k.crew.owner(rule), rule.mode)
		}
		for _, i := range k.census.folders[p] {
			if i >= k.census.layout.split {
				k.add("extra-folder", rule.name+"/"+strconv.Itoa(i))
			}
		}
	}
	todo, intd := k.census.folders[pieceTodo], k.census.folders[pieceIntd]
	if (len(todo) > 0) != (len(intd) > 0) {
		k.add("todo-layout", "todo")
	}
}

// directory checks one directory and reports whether it is there.
func (k *checker) directory(name string, owner int, mode uint32) bool {
	st, ok := k.census.dirs[name]
	if !ok {
		k.add("missing-folder", name)
		return false
	}
	if k.crew.known && (st.UID != owner || st.GID != k.crew.group) {
		k.add("folder-owner", named(name, fmt.Sprintf("%d:%d, not %d:%d", st.UID, st.GID, owner, k.crew.group)))
	}
	if st.Mode&0o777 != mode {
		k.add("folder-mode", named(name, fmt.Sprintf("%04o, not %04o", st.Mode, mode)))
	}
	return true
}

// named is a file below the queue with a remark.
func named(name, what string) string { return name + " (" + what + ")" }

// below is an example with the path of the queue before it.
func below(queue, example string) string {
	if strings.HasPrefix(example, " (") { // the queue itself
		return queue + example
	}
	return queue + "/" + example
}

// file checks place, name, owner and mode of one file.
func (k *checker) file(f *queueFile) {
	rule := shelfRules()[f.piece]
	if f.piece == pieceMess && f.id != f.inode {
		k.add("misnamed", named(f.path(), "inode "+strconv.FormatUint(f.inode, 10)))
	}
	if f.folder != k.census.layout.folder(f.piece, f.id) {
		k.add("misfiled", f.path())
	}
	if mode := uint32(f.mode); mode != rule.fileMode {
		k.add("file-mode", named(f.path(), fmt.Sprintf("%04o, not %04o", mode, rule.fileMode)))
	}
	if !k.crew.known {
		return
	}
	owner := k.crew.owner(rule)
	switch {
	case int(f.uid) != owner && f.piece == pieceMess:
		k.add("content-owner", named(f.path(), fmt.Sprintf("%d, not %d", f.uid, owner)))
	case int(f.uid) != owner:
		k.add("file-owner", named(f.path(), fmt.Sprintf("%d, not %d", f.uid, owner)))
	case rule.send && int(f.gid) != k.crew.group:
		k.add("file-group", named(f.path(), fmt.Sprintf("%d, not %d", f.gid, k.crew.group)))
	}
}

// strangers tells what is no part of a queue.
func (k *checker) strangers() {
	for _, f := range k.census.foreign {
		folder := folderName(f.path)
		switch {
		case f.path == holdingFolder:
			k.add("unfinished-plan", f.path)
		case folder && !f.stat.Directory && !f.stat.Regular:
			k.add("linked-folder", f.path)
		case !f.stat.Directory && !f.stat.Regular:
			k.add("not-regular", f.path)
		default:
			k.add("foreign", f.path)
		}
	}
}

// holdingFolder is where the messages of an unfinished plan wait, inside the queue.
const holdingFolder = "spoor"

// folderName reports whether a path below the queue is where a shelf or a split
// folder should be.
func folderName(name string) bool {
	shelf, rest, below := strings.Cut(name, "/")
	p, ok := shelfOf(shelf)
	if !ok {
		return false
	}
	n, number := parseID([]byte(rest))
	return !below || number && n < maxSplit && p != pieceBounce
}

// oldTrees tells of the trees that rebuilds have left beside the queue.
func oldTrees(root *host.Root, name string) (notes []string) {
	names, err := root.List(path.Dir(name), maxSiblings)
	if err != nil {
		return nil
	}
	slices.Sort(names)
	for _, one := range names {
		if plan, ok := strings.CutPrefix(one, path.Base(name)+asideInfix); ok && validPlan(plan) && root.Exists(path.Dir(name)+"/"+one+"/"+recordFile) {
			notes = append(notes, "rebuild "+plan+" can be undone (spoor queue rebuild --undo "+plan+") or its old tree removed (spoor queue rebuild --purge "+plan+")")
		}
	}
	return notes
}

// maxSiblings bounds the names beside a queue that are looked at.
const maxSiblings = 10000
