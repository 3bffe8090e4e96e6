package qmail

import "fmt"

// known is what this run has put into the holding place of a message, so that it
// does not ask the kernel for files that are not there. An earlier run may have
// put anything there: what was taken by one is not known.
type known struct {
	roles roleSet
	inode uint64 // of the content
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
	c.known[shard(c.shelves.mess, it.id)][it.id] = known{roles: it.moved, inode: it.mess.Inode}
}

func (c *controller) forget(it *item) { delete(c.known[shard(c.shelves.mess, it.id)], it.id) }

func (c *controller) recall(it *item) (known, bool) {
	k, ok := c.known[shard(c.shelves.mess, it.id)][it.id]
	return k, ok
}

// absent reports whether a file is known not to be there.
func (k known) absent(role string) bool { return k.roles != 0 && k.roles&bitOf(role) == 0 }

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
