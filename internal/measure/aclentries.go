package measure

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// An access control list as the kernel keeps it in the extended attribute
// system.posix_acl_access (linux/posix_acl_xattr.h): a version, then entries of a
// tag, permissions and an ID, all little-endian, in the order of tag and ID.
type aclEntry struct {
	tag  uint16
	perm uint16 // rwx as in a mode
	id   uint32 // of a named user or group; aclNoID for others
}

const (
	aclVersion = 2
	aclNoID    = 0xffffffff

	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
)

// maxACLEntries bounds what is read; ext4 allows some hundred in a block.
const maxACLEntries = 8192

var errACL = errors.New("not an access control list")

func decodeACL(data []byte) ([]aclEntry, error) {
	if len(data) < 4 || (len(data)-4)%8 != 0 || len(data) > 4+8*maxACLEntries {
		return nil, fmt.Errorf("%d bytes: %w", len(data), errACL)
	}
	if v := binary.LittleEndian.Uint32(data); v != aclVersion {
		return nil, fmt.Errorf("version %d: %w", v, errACL)
	}
	var entries []aclEntry
	for rest := data[4:]; len(rest) > 0; rest = rest[8:] {
		e := aclEntry{
			tag: binary.LittleEndian.Uint16(rest), perm: binary.LittleEndian.Uint16(rest[2:]), id: binary.LittleEndian.Uint32(rest[4:]),
		}
		if !slices.Contains([]uint16{aclUserObj, aclUser, aclGroupObj, aclGroup, aclMask, aclOther}, e.tag) || e.perm > 7 {
			return nil, fmt.Errorf("tag %#x, permissions %o: %w", e.tag, e.perm, errACL)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func encodeACL(entries []aclEntry) []byte {
	data := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		data = binary.LittleEndian.AppendUint16(data, e.tag)
		data = binary.LittleEndian.AppendUint16(data, e.perm)
		data = binary.LittleEndian.AppendUint32(data, e.id)
	}
	return data
}

// aclOfMode is the list of a file that has none: its mode.
func aclOfMode(mode uint32) []aclEntry {
	return []aclEntry{
		{aclUserObj, uint16(mode >> 6 & 7), aclNoID}, {aclGroupObj, uint16(mode >> 3 & 7), aclNoID}, {aclOther, uint16(mode & 7), aclNoID},
	}
}

// withUser gives a named user these permissions. A list with named entries needs a
// mask; where it has none, it gets that of its group, so that nobody else gains or
// loses anything and the mode stays.
func withUser(entries []aclEntry, uid int, perm uint16) []aclEntry {
	entries = withoutUser(entries, uid)
	entries = append(entries, aclEntry{aclUser, perm, uint32(uid)})
	if !hasTag(entries, aclMask) {
		for _, e := range entries {
			if e.tag == aclGroupObj {
				entries = append(entries, aclEntry{aclMask, e.perm, aclNoID})
				break
			}
		}
	}
	slices.SortStableFunc(entries, func(a, b aclEntry) int { return cmp.Or(cmp.Compare(a.tag, b.tag), cmp.Compare(a.id, b.id)) })
	return entries
}

func withoutUser(entries []aclEntry, uid int) []aclEntry {
	return slices.DeleteFunc(slices.Clone(entries), func(e aclEntry) bool { return e.tag == aclUser && e.id == uint32(uid) })
}

func hasTag(entries []aclEntry, tag uint16) bool {
	return slices.ContainsFunc(entries, func(e aclEntry) bool { return e.tag == tag })
}

// named reports whether the list says more than a mode does.
func named(entries []aclEntry) bool { return hasTag(entries, aclUser) || hasTag(entries, aclGroup) }

// permOf is what a named user may; ok is false where the list does not name him.
func permOf(entries []aclEntry, uid int) (perm uint16, ok bool) {
	for _, e := range entries {
		if e.tag == aclUser && e.id == uint32(uid) {
			return e.perm, true
		}
	}
	return 0, false
}

// groupOf is what the group of a file may, as far as the mask lets it.
func groupOf(entries []aclEntry) uint16 {
	perm := uint16(7)
	for _, e := range entries {
		if e.tag == aclGroupObj || e.tag == aclMask {
			perm &= e.perm
		}
	}
	return perm
}
