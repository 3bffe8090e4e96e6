package exim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"spoor"
	"spoor/internal/disk"
)

// Check implements mta.Checker. The authority is spool_in.c for -H, queue.c for
// what belongs together, and dbfn.c for the hints databases.
func (q *Queue) Check(ctx context.Context, now time.Time) (*spoor.QueueCheck, error) {
	resolved, err := q.root.Resolve(q.spool)
	if err != nil {
		return nil, err
	}
	base, err := disk.Open(q.root.Dir(), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = base.Close() }()
	top, err := base.OpenDir(resolved)
	if err != nil {
		return nil, err
	}
	defer func() { _ = top.Close() }()
	k := &checker{spool: q.spool, top: top, now: now, damages: spoor.NewDamages(damageKinds()), parts: map[string]*parts{}}
	if err := k.run(ctx); err != nil {
		return nil, fmt.Errorf("check spool: %w", err)
	}
	c := &spoor.QueueCheck{Queue: q.spool, Messages: k.messages, Files: k.files, Damages: k.damages.List(), Unread: k.unread.List()}
	c.Sort()
	return c, nil
}

// parts are the files of one message: the folders that each is in, below the
// spool.
type parts struct {
	header, data, journal, log string
	newest                     time.Time
	doubled                    bool // one of them is in a second folder too
}

type checker struct {
	spool    string
	top      *disk.Dir
	now      time.Time
	owner    int // of input
	damages  *spoor.Damages
	unread   spoor.Gaps
	parts    map[string]*parts
	messages int
	files    int
}

// settled is how old files must be that do not belong together: before that, Exim
// may be writing or removing them.
const settled = 10 * time.Minute

func (k *checker) run(ctx context.Context) error {
	st, err := k.top.Stat("input")
	if err != nil {
		return err
	}
	k.owner = st.UID
	for _, shelf := range []string{"input", "msglog"} {
		if err := k.walk(shelf, true); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(k.parts)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := k.message(id, k.parts[id]); err != nil {
			return err
		}
	}
	return k.hints()
}

func (k *checker) add(check, name string) { k.damages.Add(check, path.Join(k.spool, name)) }

// walk lists a folder, and those of one character in it.
func (k *checker) walk(name string, first bool) error {
	dir, err := k.top.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // msglog is made when it is first needed
	}
	if err != nil {
		k.unread.Add(path.Join(k.spool, name), cause(err))
		return nil
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Names()
	if err != nil {
		return err
	}
	for _, one := range names {
		full := name + "/" + one
		st, err := dir.Stat(one)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case st.Directory && len(one) == 1 && first:
			if err := k.walk(full, false); err != nil {
				return err
			}
		case !st.Regular:
			k.add("not-regular", full)
		default:
			k.file(name, one, st)
		}
	}
	return nil
}

// file notes what a file is part of.
func (k *checker) file(folder, name string, st disk.Stat) {
	k.files++
	full := folder + "/" + name
	if st.UID != k.owner {
		k.add("owner", full+" ("+strconv.Itoa(st.UID)+", not "+strconv.Itoa(k.owner)+")")
	}
	if strings.HasPrefix(folder, "msglog") {
		if isID(name) {
			p := k.part(name, st)
			p.log = full
		} else {
			k.add("foreign", full)
		}
		return
	}
	id, kind := cutName([]byte(name))
	switch kind {
	case 'H':
		p := k.part(string(id), st)
		k.twice(p, &p.header, full)
		k.messages++
	case 'D':
		p := k.part(string(id), st)
		k.twice(p, &p.data, full)
	case 'J':
		p := k.part(string(id), st)
		k.twice(p, &p.journal, full)
	case 'K':
	default:
		if !strings.HasPrefix(name, "hdr.") || k.now.Sub(st.Modified) > settled {
			k.add("foreign", full)
		}
	}
}

// twice notes where a part is. One that is in two places is damage: Exim takes the
// first that it finds.
func (k *checker) twice(p *parts, known *string, full string) {
	if *known != "" {
		p.doubled = true
		k.add("twice", full)
		return
	}
	*known = full
}

func (k *checker) part(id string, st disk.Stat) *parts {
	p := k.parts[id]
	if p == nil {
		p = &parts{}
		k.parts[id] = p
	}
	if st.Modified.After(p.newest) {
		p.newest = st.Modified
	}
	return p
}

// message checks that the files of a message belong together, and its header.
func (k *checker) message(id string, p *parts) error {
	if p.header != "" && p.data != "" {
		if path.Dir(p.header) != path.Dir(p.data) && !p.doubled {
			k.add("scattered", p.header)
		}
		return k.header(id, p)
	}
	if k.now.Sub(p.newest) < settled || k.came(id) {
		return nil
	}
	switch {
	case p.header != "":
		k.add("no-data", p.header)
	case p.data != "":
		k.add("no-header", p.data)
	case p.journal != "":
		k.add("stray-journal", p.journal)
	case p.log != "":
		k.add("stale-msglog", p.log)
	}
	return nil
}

// came reports whether a message that was not whole is so by now.
func (k *checker) came(id string) bool {
	for _, folder := range [...]string{"input/" + id[secondLen-1:secondLen], "input"} {
		dir, err := k.top.OpenDir(folder)
		if err != nil {
			continue
		}
		_, errHeader := dir.Stat(id + "-H")
		_, errData := dir.Stat(id + "-D")
		_ = dir.Close()
		if errHeader == nil && errData == nil {
			return true
		}
	}
	return false
}

// header reads a -H as Exim does.
func (k *checker) header(id string, p *parts) error {
	text, err := k.read(p.header, headerLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var h spoolHeader
	if err := h.parse(text, id); err != nil {
		k.add("header-damaged", p.header+" ("+err.Error()+")")
	}
	head, err := k.read(p.data, len(id)+len("-D\n"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && string(head) != id+"-D\n" {
		k.add("data-damaged", p.data)
	}
	return err
}

// headerLimit is the largest -H that is read, in bytes.
const headerLimit = 64 << 20

// read returns the first bytes of a file below the spool.
func (k *checker) read(name string, limit int) ([]byte, error) {
	dir, err := k.top.OpenDir(path.Dir(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	file, err := dir.Open(path.Base(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, int64(limit)))
}
