package qmail

import (
	"errors"
	"fmt"
	"io/fs"

	"spoor"
)

// known is what this run has put into the holding place of a message, so that it
// does not ask the kernel for files that are not there. An earlier run may have
// put anything there: what was taken by one is not known.
type known struct {
	roles  roleSet
	inode  uint64 // of the content
	folder int    // of mess that holds the content; not there where inode is 0
}

// roleSet is a set of names of files in the holding place.
type roleSet uint16

func bitOf(role string) roleSet {
	for i, one := range [...]string{
		roleMess, roleInfo, roleTodo, roleIntd, roleLocal, roleRemote, roleBounce, roleStray, heldOrphan,
	} {
		if one == role {
			return 1 << i
		}
	}
	return 0
}

// remember keeps what Take has moved; the map of a subfolder belongs to the
// goroutine that works on it.
func (c *controller) remember(it *item) {
	c.known[shard(c.shelves.mess, it.id)][it.id] = known{roles: it.moved, inode: it.mess.Inode, folder: it.folder}
}

func (c *controller) forget(id spoor.QueueID) {
	if m, err := msgOf(id); err == nil {
		delete(c.known[shard(c.shelves.mess, m.id)], m.id)
	}
}

func (c *controller) recall(it *item) (known, bool) {
	k, ok := c.known[shard(c.shelves.mess, it.id)][it.id]
	return k, ok
}

// absent reports whether a file is known not to be there.
func (k known) absent(role string) bool { return k.roles != 0 && k.roles&bitOf(role) == 0 }

// companions are the files that messages have in the queue beside content and info,
// listed once, so that the kernel is not asked for each message and each of them.
// That holds while qmail-send is kept from starting: only qmail-queue makes files
// then, of messages that are not ours yet.
type companions map[uint64]roleSet

// listCompanions makes the list, if it can be relied on and is not there yet.
func (c *controller) listCompanions() error {
	if c.beside != nil || c.running() {
		return nil
	}
	listed, rest := companions{}, c.rest()
	for _, one := range append(rest[:], shelfRole{c.shelves.todo, roleTodo}) {
		if err := listed.add(one); err != nil {
			return err
		}
	}
	c.beside = listed
	return nil
}

// add lists the files of one directory of the queue.
func (l companions) add(one shelfRole) error {
	for _, d := range one.from.dirs {
		if d == nil {
			continue
		}
		names, err := d.Names()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", d.Name(), err)
		}
		for _, name := range names {
			if id, ok := parseID([]byte(name)); ok {
				l[id] |= bitOf(one.role)
			}
		}
	}
	return nil
}

// lacks reports whether a message is known to have no such file in the queue.
func (c *controller) lacks(m msg, role string) bool {
	return c.beside != nil && c.beside[m.id]&bitOf(role) == 0
}

// heldFiles is what the holding place has of a message.
type heldFiles struct {
	mess, info, todo, orphan, back bool
	inode                          uint64 // of the content
}

// stepped reports whether the message was made invisible.
func (h heldFiles) stepped() bool { return h.info || h.todo || h.orphan || h.back }

func (it *item) look() (h heldFiles, err error) {
	for _, one := range []struct {
		role string
		has  *bool
	}{{roleMess, &h.mess}, {roleInfo, &h.info}, {roleTodo, &h.todo}, {heldOrphan, &h.orphan}, {heldBack, &h.back}} {
		st, err := it.held.Stat(it.name + "." + one.role)
		if *one.has, err = there(err); err != nil {
			return h, fmt.Errorf("holding place: %w", err)
		}
		if *one.has && (one.role == roleMess || one.role == heldOrphan) {
			h.inode = st.Inode
		}
	}
	return h, nil
}
