package postfix

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"spoor"
	"spoor/internal/disk"
)

// Check implements mta.Checker. The authority is postsuper.c, which repairs most
// of it, and only while Postfix is stopped.
func (q *Queue) Check(ctx context.Context, now time.Time) (*spoor.QueueCheck, error) {
	base, err := disk.Open(q.root.Dir(), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = base.Close() }()
	k := &checker{queue: q, now: now, damages: spoor.NewDamages(damageKinds()), messages: map[string]bool{}}
	for _, dir := range q.dirs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := k.instance(base, dir); err != nil {
			return nil, fmt.Errorf("check queue %s: %w", dir, err)
		}
	}
	c := &spoor.QueueCheck{Queue: strings.Join(q.dirs, ", "), Messages: k.count, Files: k.files, Damages: k.damages.List(), Unread: k.unread.List()}
	c.Sort()
	return c, nil
}

// checker looks at the files of all instances.
type checker struct {
	queue    *Queue
	now      time.Time
	damages  *spoor.Damages
	unread   spoor.Gaps
	messages map[string]bool // IDs of one instance
	logs     []logFile       // of one instance
	owner    int             // of the folder active
	count    int
	files    int
}

// logFile is a file of defer, bounce or trace.
type logFile struct{ id, path string }

func (k *checker) instance(base *disk.Dir, dir string) error {
	resolved, err := k.queue.root.Resolve(dir)
	if err != nil {
		return err
	}
	top, err := base.OpenDir(resolved)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	clear(k.messages)
	k.logs = k.logs[:0]
	active, err := top.Stat("active")
	if err != nil {
		return err
	}
	k.owner = active.UID
	if mail := k.queue.conf.OwnerUID; mail >= 0 && mail != k.owner {
		k.damages.Add("folder-owner", path.Join(dir, "active")+" ("+strconv.Itoa(k.owner)+", mail_owner is "+strconv.Itoa(mail)+")")
	}
	for _, name := range []string{"maildrop", "incoming", "active", "deferred", "hold", "corrupt", "bounce", "defer", "trace"} {
		folder, err := top.OpenDir(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			k.damages.Add("missing-folder", path.Join(dir, name))
			continue
		case err != nil:
			k.unread.Add(path.Join(dir, name), cause(err))
			continue
		}
		err = k.walk(folder, place{shelf: name, path: path.Join(dir, name)})
		_ = folder.Close()
		if err != nil {
			return err
		}
	}
	for _, one := range k.logs {
		if !k.messages[one.id] {
			k.stale(top, one)
		}
	}
	return nil
}

// stale tells of a log without a message, unless the message has come or gone
// since.
func (k *checker) stale(top *disk.Dir, one logFile) {
	for _, s := range states {
		for _, hashed := range hashedPaths(one.id) {
			dir, err := top.OpenDir(path.Join(s.name, hashed))
			if err != nil {
				continue
			}
			_, err = dir.Stat(one.id)
			_ = dir.Close()
			if err == nil {
				return
			}
		}
	}
	k.damages.Add("stale-log", one.path)
}

// place is a folder of a queue, or a hash folder in one.
type place struct {
	shelf, path, hash string // hash: names of the hash folders, joined
}

func (p place) isLog() bool { return p.shelf == "bounce" || p.shelf == "defer" || p.shelf == "trace" }

func (k *checker) walk(dir *disk.Dir, at place) error {
	names, err := dir.Names()
	if err != nil {
		k.unread.Add(at.path, cause(err))
		return nil
	}
	for _, name := range names {
		st, err := dir.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case st.Directory && len(name) == 1 && len(at.hash) < maxDepth:
			below, err := dir.OpenDir(name)
			if err != nil {
				k.unread.Add(path.Join(at.path, name), cause(err))
				continue
			}
			err = k.walk(below, place{at.shelf, path.Join(at.path, name), at.hash + name})
			_ = below.Close()
			if err != nil {
				return err
			}
		default:
			k.file(name, at, st)
		}
	}
	return nil
}

// file checks one name.
func (k *checker) file(name string, at place, st disk.Stat) {
	k.files++
	full := path.Join(at.path, name)
	switch {
	case !st.Regular:
		k.damages.Add("not-regular", full)
		return
	case strings.HasSuffix(name, fixSuffix):
		k.damages.Add("fix-unfinished", full)
		return
	case !isQueueID([]byte(name)):
		k.damages.Add("foreign", full)
		return
	}
	if at.hash != "" && !strings.HasPrefix(hashDigits(name), at.hash) {
		k.damages.Add("misfiled", full)
	}
	if st.UID != k.owner && at.shelf != "maildrop" { // there the owner is who submitted it
		k.damages.Add("owner", full+" ("+strconv.Itoa(st.UID)+", not "+strconv.Itoa(k.owner)+")")
	}
	if at.isLog() {
		k.logs = append(k.logs, logFile{name, full})
		return
	}
	k.messages[name] = true
	k.message(name, at, messageFile{full, st})
}

type messageFile struct {
	path string
	st   disk.Stat
}

// message checks the file of a message. Its owner may execute it when it is whole
// (READY_MESSAGE of postsuper.c); 0400 is what a corrupt one gets.
func (k *checker) message(id string, at place, f messageFile) {
	ready := f.st.Mode&0o700 == 0o700
	switch {
	case at.shelf == "corrupt":
		k.damages.Add("corrupt", f.path)
		return
	case !ready && k.now.Sub(f.st.Modified) > unfinished:
		k.damages.Add("unfinished", f.path)
		return
	case !ready:
		return
	}
	k.count++
	inode, long, ok := idInode(id)
	switch {
	case !ok:
		k.damages.Add("foreign", f.path)
	case inode != f.st.Inode && long:
		k.damages.Add("long-id", f.path+" (inode "+strconv.FormatUint(f.st.Inode, 10)+")")
	case inode != f.st.Inode:
		k.damages.Add("misnamed", f.path+" (inode "+strconv.FormatUint(f.st.Inode, 10)+")")
	}
	if f.st.Mode&0o067 != 0 {
		k.damages.Add("mode", f.path+" ("+strconv.FormatUint(uint64(f.st.Mode), 8)+")")
	}
}

const (
	fixSuffix  = "#FIX"         // SUFFIX of postsuper.c: a renaming that was not finished
	unfinished = 24 * time.Hour // where it is surely left from a crash; postsuper -p waits for a week
)
