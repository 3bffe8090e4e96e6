package qmail

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// osProcess is a process of this machine, as proc_pid_stat(5) shows it.
type osProcess struct {
	pid, parent int
	began       uint64 // after the machine, in the kernel's unit
	name        string // of its program, the first 15 bytes
}

// is reports whether two are the same process.
func (p osProcess) is(other osProcess) bool { return p.pid == other.pid && p.began == other.began }

var errNoProcess = errors.New("no such process")

// readOSProcess reads a line such as
//
//	4242 (qmail-send) S 4240 4240 4240 0 -1 4194304 […]
func readOSProcess(pid int) (osProcess, error) {
	p, _, err := readState(pid)
	return p, err
}

// readState is also the letter of its state, or "ended".
func readState(pid int) (p osProcess, state string, err error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return p, "", errors.Join(errNoProcess, err)
	}
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	const ( // behind the name
		letter  = 0
		parent  = 1
		threads = 17
		began   = 19
	)
	if open < 0 || end < open {
		return p, "", errNoProcess
	}
	fields := strings.Fields(string(data[end+1:]))
	if len(fields) <= began {
		return p, "", errNoProcess
	}
	p = osProcess{pid: pid, name: string(data[open+1 : end])}
	if p.parent, err = strconv.Atoi(fields[parent]); err == nil {
		p.began, err = strconv.ParseUint(fields[began], 10, 64)
	}
	if state = fields[letter]; (state == "Z" || state == "X") && (fields[threads] == "0" || fields[threads] == "1") {
		state = "ended"
	}
	return p, state, err
}

// runs reports whether the process has not ended. Its parent may have, so that
// it has another now. A zombie counts as long as it has other threads: the last
// one closes the files, and with them the locks.
func (p osProcess) runs() bool {
	now, state, err := readState(p.pid)
	return err == nil && now.began == p.began && state != "ended"
}

// stopped reports whether it is stopped by a signal.
func (p osProcess) stopped() bool {
	now, state, err := readState(p.pid)
	return err == nil && now.began == p.began && state == "T"
}

func (p osProcess) path(name string) string { return path.Join("/proc", strconv.Itoa(p.pid), name) }

// program is the file that it runs, "" where that is not to be had any more.
func (p osProcess) program() string { return p.link("exe") }

// folder is its current directory, "" where that is not there any more.
func (p osProcess) folder() string { return p.link("cwd") }

func (p osProcess) link(name string) string {
	target, err := os.Readlink(p.path(name))
	if err != nil || !strings.HasPrefix(target, "/") || strings.HasSuffix(target, " (deleted)") {
		return ""
	}
	return target
}

// isProgram reports whether it runs a program of that name, under at most 15 bytes.
func (p osProcess) isProgram(name string) bool {
	return p.name == name || path.Base(p.program()) == name
}

// owner is its effective user.
func (p osProcess) owner() (uid int, ok bool) {
	var st unix.Stat_t
	if unix.Stat(p.path("status"), &st) != nil {
		return 0, false
	}
	return int(st.Uid), true
}

// argv is what it was started with.
func (p osProcess) argv() []string { return p.list("cmdline") }

// environ is its environment at its start.
func (p osProcess) environ() []string { return p.list("environ") }

func (p osProcess) list(name string) []string {
	data, err := os.ReadFile(p.path(name)) //nolint:gosec // below /proc, by a number
	if err != nil || len(data) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

// ancestors lists its parent, that one's parent and so on, without init.
func (p osProcess) ancestors() []osProcess {
	const most = 64
	var list []osProcess
	for len(list) < most && p.parent > 1 {
		parent, err := readOSProcess(p.parent)
		if err != nil {
			break
		}
		list = append(list, parent)
		p = parent
	}
	return list
}

// children lists the processes that it is the parent of.
func (p osProcess) children() []osProcess {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var list []osProcess
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if child, err := readOSProcess(pid); err == nil && child.parent == p.pid {
			list = append(list, child)
		}
	}
	return list
}

// errUntrusted is returned for a program that another user than root could
// change.
var errUntrusted = errors.New("another user than root could have changed it")

// trusted returns errUntrusted unless a file, all folders on the way to it and all
// links in it belong to root and nobody else may write to them. In a folder such
// as /tmp others may, but not to what is root's.
func trusted(name string) error { return trustedBelow(name, 0) }

func trustedBelow(name string, links int) error {
	const mostLinks = 40
	if !strings.HasPrefix(name, "/") || links > mostLinks {
		return fmt.Errorf("%s: %w", name, errUntrusted)
	}
	here := "/"
	for part := range strings.SplitSeq(strings.Trim(path.Clean(name), "/"), "/") {
		next := path.Join(here, part)
		var st unix.Stat_t
		if err := unix.Lstat(next, &st); err != nil {
			return fmt.Errorf("%s: %w", next, err)
		}
		kind := st.Mode & unix.S_IFMT
		shared := st.Mode&0o022 != 0 && kind != unix.S_IFLNK && (kind != unix.S_IFDIR || st.Mode&unix.S_ISVTX == 0)
		if st.Uid != 0 || shared {
			return fmt.Errorf("%s: %w", next, errUntrusted)
		}
		if kind != unix.S_IFLNK {
			here = next
			continue
		}
		target, err := os.Readlink(next)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(target, "/") {
			target = path.Join(here, target)
		}
		if err := trustedBelow(target, links+1); err != nil {
			return err
		}
		here = target // has been walked, with its links
	}
	return nil
}
