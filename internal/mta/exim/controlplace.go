package exim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// spot is a folder of the spool: 0 is input itself, else the character of a
// folder below it, which is the last one of the second in the ID
// (split_spool_directory; set_subdir_str() of spool_in.c).
type spot byte

const flat spot = 0

// splitSpot is where a message lies in a split spool.
func splitSpot(id spoor.QueueID) spot { return spot(id[secondLen-1]) }

// spotOf tells the spot of a message from the path of its folder.
func spotOf(id spoor.QueueID, folder string) spot {
	if path.Base(folder) == string(id[secondLen-1:secondLen]) {
		return splitSpot(id)
	}
	return flat
}

// within is the name of the spot in input or msglog.
func (s spot) within(parent string) string {
	if s == flat {
		return parent
	}
	return parent + "/" + string(rune(s))
}

// shelf is the folder of the holding place for messages from such a spot.
func (s spot) shelf() string {
	if s == flat {
		return "flat"
	}
	return splitSpotName
}

// ready is the shelf of messages that wait to be published.
const ready = "ready"

// place is the open folders of a spot.
type place struct{ input, msglog *disk.Dir } // msglog is nil where there is none

func (p *place) close() {
	if p != nil {
		_ = p.input.Close()
		if p.msglog != nil {
			_ = p.msglog.Close()
		}
	}
}

// file is a name in a directory; dir is nil where that does not exist.
type file struct {
	dir  *disk.Dir
	name string
}

func (f file) stat() (disk.Stat, error) {
	if f.dir == nil {
		return disk.Stat{}, fs.ErrNotExist
	}
	return f.dir.Stat(f.name)
}

// remove removes the file, which need not be there.
func (f file) remove() error {
	if f.dir == nil {
		return nil
	}
	if err := f.dir.Remove(f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// role is what one of the four files of a message is for. They are in the order in
// which they are written and removed: the -H file, which makes a message of them,
// is last.
type role uint8

const (
	data    role = iota // ID-D: the body, behind a line with the name of the file
	journal             // ID-J: recipients that are done and not yet marked in ID-H
	msglog              // msglog/ID: what was done with the message, for people
	header              // ID-H: envelope, recipients that are done, header lines
)

// String returns the role of the file in a parcel.
func (r role) String() string { return [...]string{"D", "J", "msglog", "H"}[r] }

// side is where the files of one message are, or may be, by role: in the spool, or
// on a shelf of the holding place.
type side [header + 1]file

// spoolSide is the files of a message at a spot of the spool. ok is false if there
// is no such folder.
func (c *Controller) spoolSide(id spoor.QueueID, at spot) (s side, ok bool, err error) {
	p, err := c.place(at)
	if p == nil || err != nil {
		return s, false, err
	}
	name := string(id)
	return side{{p.input, name + "-D"}, {p.input, name + "-J"}, {p.msglog, name}, {p.input, name + "-H"}}, true, nil
}

// shelfSide is the files of a message on a shelf; tag tells apart those that wait
// to be published.
func (c *Controller) shelfSide(id spoor.QueueID, shelf, tag string) (s side, err error) {
	dir, err := c.shelf(shelf)
	if err != nil {
		return s, err
	}
	name := string(id)
	if tag != "" {
		name = tag + "." + name
	}
	return side{{dir, name + "-D"}, {dir, name + "-J"}, {dir, name + "-log"}, {dir, name + "-H"}}, nil
}

// place opens the folders of a spot, nil where there is no such folder of input.
func (c *Controller) place(at spot) (*place, error) {
	c.opening.Lock()
	defer c.opening.Unlock()
	if p := c.places[at]; p != nil {
		return p, nil
	}
	input, err := c.spool.OpenDir(at.within("input"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no folder is no error
	}
	if err != nil {
		return nil, err
	}
	msglog, err := c.spool.OpenDir(at.within("msglog"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		_ = input.Close()
		return nil, err
	}
	p := &place{input, msglog}
	c.places[at] = p
	return p, nil
}

// build makes the folders of a spot where Exim has removed them, as it does with
// empty ones (queue.c, queue_get_spool_list).
func (c *Controller) build(at spot) error {
	p, err := c.place(at)
	if err != nil || p != nil && p.msglog != nil || at == flat {
		return err
	}
	for _, parent := range [...]string{"input", "msglog"} {
		if err := c.buildBelow(parent, at); err != nil {
			return err
		}
	}
	c.opening.Lock()
	defer c.opening.Unlock()
	c.places[at].close()
	delete(c.places, at)
	return nil
}

// buildBelow makes a folder with mode and owner of the one above it.
func (c *Controller) buildBelow(parent string, at spot) error {
	above, err := c.spool.OpenDir(parent)
	if errors.Is(err, fs.ErrNotExist) && parent == "msglog" {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = above.Close() }()
	name := string(rune(at))
	st, err := above.Stat(".")
	if err != nil {
		return err
	}
	if made, err := above.Stat(name); err == nil && made.Directory && made.UID == st.UID {
		return nil
	}
	below, err := above.MakeDir(name, st.Mode&0o777)
	if err != nil {
		return err
	}
	_ = below.Close()
	return above.Chown(name, st.UID, st.GID)
}

// shelf opens a folder of the holding place, and makes it where it is not there.
func (c *Controller) shelf(name string) (*disk.Dir, error) {
	c.opening.Lock()
	defer c.opening.Unlock()
	if dir := c.shelves[name]; dir != nil {
		return dir, nil
	}
	for len(c.homes) < 2 {
		above, part := c.spool, holding
		if len(c.homes) == 1 {
			above, part = c.homes[0], c.control.Plan
		}
		dir, err := privateDir(above, part)
		if err != nil {
			return nil, err
		}
		c.homes = append(c.homes, dir)
	}
	dir, err := privateDir(c.homes[1], name)
	if err != nil {
		return nil, err
	}
	c.shelves[name] = dir
	return dir, nil
}

// errNotPrivate is returned for a holding place that others could write to.
var errNotPrivate = errors.New("belongs to somebody else or is open to others: not used")

// privateDir makes or opens a folder of nobody but us. Exim's user owns the spool
// and could have put another one there.
func privateDir(above *disk.Dir, name string) (*disk.Dir, error) {
	dir, err := above.MakeDir(name, 0o700)
	if err != nil {
		return nil, err
	}
	st, err := dir.Stat(".")
	if err == nil && (st.UID != os.Geteuid() || st.Mode&0o077 != 0) {
		err = fmt.Errorf("%s: %w", dir.Name(), errNotPrivate)
	}
	if err != nil {
		_ = dir.Close()
		return nil, err
	}
	return dir, nil
}

// valid returns an error for an ID that does not have the form of one: names of
// files are made of IDs.
func valid(id spoor.QueueID) error {
	if !isID(string(id)) {
		return fmt.Errorf("%q: not a message ID of Exim: %w", string(id), mta.ErrGone)
	}
	return nil
}

// target checks what is to be changed. Messages in named queues are read, and left as
// they are: they have folders of their own for all that is done to them.
func (c *Controller) target(t *spoor.Target) error {
	if err := valid(t.ID); err != nil {
		return err
	}
	below, ok := strings.CutPrefix(t.Folder, path.Clean(c.conf.Spool)+"/")
	if queue, rest, named := strings.Cut(below, "/"); ok && named && queue != "input" && (rest == "input" || strings.HasPrefix(rest, "input/")) {
		return fmt.Errorf("lies in the named queue %s, in which spoor changes nothing: exim -qG%s with -Mrm, -Mf or -Mt does", queue, queue)
	}
	return nil
}
