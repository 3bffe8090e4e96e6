package exim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"strconv"
	"strings"
)

// hintsLarge is the size, in bytes, from which on a hints database slows
// deliveries down.
const hintsLarge = 200 << 20

// hints checks the databases in db: what Exim remembers of hosts between
// deliveries. They may be removed at any time; a damaged one makes each delivery
// complain, or hang.
func (k *checker) hints() error {
	dir, err := k.top.OpenDir("db")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // made when it is first needed
	}
	if err != nil {
		k.unread.Add(k.spool+"/db", cause(err))
		return nil
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		st, err := dir.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		full := "db/" + name
		switch {
		case !st.Regular:
			k.add("not-regular", full)
			continue
		case st.UID != k.owner:
			k.add("hints-owner", full+" ("+strconv.Itoa(st.UID)+", not "+strconv.Itoa(k.owner)+")")
		}
		if strings.HasSuffix(name, ".lockfile") || strings.Contains(name, ".lock") {
			continue
		}
		if st.SizeBytes > hintsLarge {
			k.add("hints-large", full+" ("+strconv.FormatInt(st.SizeBytes>>20, 10)+" MiB)")
		}
		head, err := k.read(full, hintsHead)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !isDatabase(name, head) {
			k.add("hints-damaged", full)
		}
	}
	return nil
}

// hintsHead is how much of a database tells its kind.
const hintsHead = 64

// isDatabase reports whether a file begins as one of the databases does that Exim
// can be built with (hintsdb.h): Berkeley DB, gdbm, tdb, SQLite; ndbm's have no
// mark.
func isDatabase(name string, head []byte) bool {
	if strings.HasSuffix(name, ".dir") || strings.HasSuffix(name, ".pag") {
		return true
	}
	if bytes.HasPrefix(head, []byte("TDB file\n")) || bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		return true
	}
	if len(head) < 16 {
		return false
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(head) {
		case 0x13579acd, 0x13579ace, 0x13579acf, 0x13579ad0, 0x13579ad1: // gdbm
			return true
		}
		for _, at := range []int{0, 12} { // Berkeley DB 1.85; since 2.0
			switch order.Uint32(head[at:]) {
			case 0x00061561, 0x00053162: // hash, btree
				return true
			}
		}
	}
	return false
}
