package live

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
)

// procfs is proc(5). What it says of a process may be of another one that has got
// its PID since: who asks compares Start.
type procfs string

// theProc is where it is mounted.
const theProc = procfs("/proc")

// errNotStat is returned for a text that is not /proc/PID/stat.
var errNotStat = errors.New("not /proc/PID/stat")

func (p procfs) name(pid int, file string) string {
	return string(p) + "/" + strconv.Itoa(pid) + "/" + file
}

// Bounds of what is read of one process.
const (
	statLimit    = 4 << 10 // bytes
	argsLimit    = 64 << 10
	environLimit = 256 << 10
)

func (p procfs) read(pid int, file string, limit int64) ([]byte, error) {
	f, err := os.Open(p.name(pid, file))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, limit))
}

// process reads what a process is now, and the PID of its parent.
func (p procfs) process(pid int) (process spoor.Process, parent int, err error) {
	text, err := p.read(pid, "stat", statLimit)
	if err != nil {
		return process, 0, err
	}
	st, err := parseStat(text)
	if err != nil {
		return process, 0, err
	}
	process = spoor.Process{PID: pid, Start: st.start, Comm: st.comm, UID: -1, GID: -1}
	if text, err = p.read(pid, "status", statLimit); err == nil {
		process.UID, process.GID = parseIDs(text)
	}
	process.Exe, _ = os.Readlink(p.name(pid, "exe"))
	process.Dir, _ = os.Readlink(p.name(pid, "cwd"))
	return process, st.parent, nil
}

// start is when a process was started.
func (p procfs) start(pid int) (time.Duration, error) {
	text, err := p.read(pid, "stat", statLimit)
	if err != nil {
		return 0, err
	}
	st, err := parseStat(text)
	return st.start, err
}

// is reports whether a PID is still that process.
func (p procfs) is(process *spoor.Process) bool {
	start, err := p.start(process.PID)
	return err == nil && start/tick == process.Start/tick
}

// parents lists the processes that one descends from, nearest first.
func (p procfs) parents(parent int) []spoor.Process {
	var parents []spoor.Process
	for parent > 0 && len(parents) < maxParents {
		process, next, err := p.process(parent)
		if err != nil {
			break
		}
		parents = append(parents, process)
		parent = next
	}
	return parents
}

// stat is what of /proc/PID/stat is used here.
type stat struct {
	parent int
	comm   string
	start  time.Duration // since boot
}

// parseStat reads /proc/PID/stat, such as
//
//	4711 (php-fpm8.2) S 900 900 900 0 -1 4194624 … 20 0 1 0 12345 …
//
// The name may hold anything, brackets too: it ends at the last one.
func parseStat(text []byte) (stat, error) {
	open, closed := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || closed < open {
		return stat{}, errNotStat
	}
	const parentField, startField = 1, 19 // 4 and 22 of proc(5), from the one behind the name
	fields := strings.Fields(string(text[closed+1:]))
	if len(fields) <= startField {
		return stat{}, errNotStat
	}
	parent, errParent := strconv.Atoi(fields[parentField])
	ticks, errStart := strconv.ParseInt(fields[startField], 10, 64)
	if errParent != nil || errStart != nil || ticks < 0 || ticks > int64(1<<62/tick) {
		return stat{}, errNotStat
	}
	return stat{parent: parent, comm: string(text[open+1 : closed]), start: time.Duration(ticks) * tick}, nil
}

// parseIDs reads the real IDs of /proc/PID/status, or -1. Its first line is the
// name of the process, in which a line feed is escaped.
func parseIDs(text []byte) (uid, gid int) { return firstID(text, "Uid:"), firstID(text, "Gid:") }

func firstID(text []byte, word string) int {
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(word)); ok {
			ids := strings.Fields(string(rest))
			if len(ids) == 0 {
				return -1
			}
			id, err := strconv.ParseUint(ids[0], 10, 32)
			if err != nil {
				return -1
			}
			return int(id)
		}
	}
	return -1
}

// pids lists the processes.
func (p procfs) pids() ([]int, error) {
	dir, err := os.Open(string(p))
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// descriptor is what a process has open under one number.
type descriptor struct {
	fd   int
	link string // as readlink(2) gives it
}

// maxDescriptors is how many of one process are looked at.
const maxDescriptors = 4096

// descriptors lists what a process has open, the lowest numbers first.
func (p procfs) descriptors(pid int) []descriptor {
	dir, err := os.Open(p.name(pid, "fd"))
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }()
	names, _ := dir.Readdirnames(maxDescriptors)
	var list []descriptor
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if link, err := os.Readlink(p.name(pid, "fd/"+name)); err == nil {
			list = append(list, descriptor{fd, link})
		}
	}
	return list
}

// file tells of a descriptor whether it is a regular file, is read only, and
// still has the name that its link says.
func (p procfs) file(pid int, d descriptor) (spoor.OpenFile, bool) {
	if !strings.HasPrefix(d.link, "/") {
		return spoor.OpenFile{}, false
	}
	name := p.name(pid, "fd/"+strconv.Itoa(d.fd))
	var open, named, link unix.Stat_t
	if unix.Stat(name, &open) != nil || open.Mode&unix.S_IFMT != unix.S_IFREG {
		return spoor.OpenFile{}, false
	}
	file := spoor.OpenFile{FD: d.fd, Path: d.link, UID: int(open.Uid)}
	if unix.Lstat(d.link, &named) == nil {
		file.Current = named.Dev == open.Dev && named.Ino == open.Ino
	}
	if unix.Lstat(name, &link) == nil { // its mode is how the file is open: proc(5)
		file.Readonly = link.Mode&0o200 == 0
	}
	return file, true
}

// bootTime is when the machine was started, by the clock that start times are
// measured with.
func bootTime(now time.Time) time.Time { return now.Add(-sinceBoot()) }

func sinceBoot() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
