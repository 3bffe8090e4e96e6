package qmail

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"time"

	"spoor/internal/disk"
)

// locks checks the three files of lock.
func (k *checker) locks() error {
	if _, ok := k.census.dirs["lock"]; !ok {
		return nil // told as a missing folder
	}
	dir, err := k.census.top.OpenDir("lock")
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != "sendmutex" && name != "tcpto" && name != "trigger" {
			k.add("foreign", "lock/"+name)
		}
	}
	if err := k.sendmutex(dir); err != nil {
		return err
	}
	if err := k.trigger(dir); err != nil {
		return err
	}
	return k.tcpto(dir)
}

// want compares owner and mode of a file in lock.
func (k *checker) want(check, name string, st disk.Stat, want disk.Stat) {
	if st.Mode != want.Mode {
		k.add(check, named("lock/"+name, fmt.Sprintf("%04o, not %04o", st.Mode, want.Mode)))
	}
	if k.crew.known && (st.UID != want.UID || st.GID != k.crew.group) {
		k.add(check, named("lock/"+name, fmt.Sprintf("%d:%d, not %d:%d", st.UID, st.GID, want.UID, k.crew.group)))
	}
}

func (k *checker) sendmutex(dir *disk.Dir) error {
	st, err := dir.Stat("sendmutex")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.add("sendmutex-missing", "lock/sendmutex")
		return nil
	case err != nil:
		return err
	case !st.Regular:
		k.add("sendmutex-missing", named("lock/sendmutex", "not a regular file"))
		return nil
	}
	k.want("sendmutex", "sendmutex", st, disk.Stat{Mode: 0o600, UID: k.crew.send})
	return nil
}

func (k *checker) trigger(dir *disk.Dir) error {
	st, err := dir.Stat("trigger")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.add("trigger", named("lock/trigger", "missing"))
		return nil
	case err != nil:
		return err
	case !st.FIFO:
		k.add("trigger", named("lock/trigger", "not a FIFO"))
		return nil
	}
	k.want("trigger", "trigger", st, disk.Stat{Mode: 0o622, UID: k.crew.send})
	return nil
}

const (
	tcptoRecord = 16 // bytes of tcpto.c: address, count, three unused, time, four unused
	tcptoSize   = 64 * tcptoRecord
	tcptoDown   = 2 // timeouts from which on a host is left alone
)

// tcpto reads the table of hosts that did not answer (tcpto.c).
func (k *checker) tcpto(dir *disk.Dir) error {
	st, err := dir.Stat("tcpto")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.add("tcpto", named("lock/tcpto", "missing"))
		return nil
	case err != nil:
		return err
	case !st.Regular:
		k.add("tcpto", named("lock/tcpto", "not a regular file"))
		return nil
	}
	k.want("tcpto-owner", "tcpto", st, disk.Stat{Mode: 0o644, UID: k.crew.remote})
	if st.SizeBytes < tcptoRecord {
		k.add("tcpto", named("lock/tcpto", fmt.Sprintf("%d bytes", st.SizeBytes)))
		return nil
	}
	file, err := dir.Open("tcpto")
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	table := make([]byte, min(st.SizeBytes, tcptoSize))
	n, err := file.ReadAt(table, 0)
	if err != nil {
		return err
	}
	if down := hostsDown(table[:n], k.now); down != "" {
		k.notes = append(k.notes, down)
	}
	return nil
}

// hostsDown lists the hosts of a tcpto table that qmail-remote does not try.
func hostsDown(table []byte, now time.Time) string {
	var hosts []string
	for ; len(table) >= tcptoRecord; table = table[tcptoRecord:] {
		count := table[4]
		when := time.Unix(int64(binary.LittleEndian.Uint32(table[8:])), 0)
		// tcpto() skips a host for 64 s times 60 plus what the PID adds, up to 31.
		if count < tcptoDown || now.Sub(when) >= (60+31)*64*time.Second {
			continue
		}
		address := netip.AddrFrom4([4]byte(table[:4]))
		hosts = append(hosts, fmt.Sprintf("%s (%d timeouts, the last %d min ago)", address, count, now.Sub(when)/time.Minute))
	}
	switch {
	case len(hosts) == 0:
		return ""
	case len(hosts) > maxHosts:
		hosts = append(hosts[:maxHosts:maxHosts], fmt.Sprintf("and %d more", len(hosts)-maxHosts))
	}
	return "receivers that did not answer, which qmail-remote leaves alone for about an hour: " + strings.Join(hosts, ", ")
}

// maxHosts is how many hosts are named.
const maxHosts = 5

// pids looks for what crashed qmail-queues left in pid. Files that are being
// written are there too.
func (k *checker) pids() error {
	if _, ok := k.census.dirs["pid"]; !ok {
		return nil
	}
	dir, err := k.census.top.OpenDir("pid")
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		st, err := dir.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !st.Regular:
			k.add("not-regular", "pid/"+name)
		case k.now.Sub(st.Accessed) > ossified:
			k.add("pid-old", "pid/"+name)
		}
	}
	return nil
}
