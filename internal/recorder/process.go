package recorder

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// process is one that is looked at in /proc. The folder stays open: what is read
// below it is always the same process', since the kernel ties it to that and not
// to the number, which is used again (proc(5)).
type process struct {
	pid int
	dir int // descriptor of /proc/PID
	status
}

// status is what /proc/PID/stat and the folder's owner say.
type status struct {
	parent int
	start  uint64 // clock ticks since boot
	uid    int    // effective
}

// errGone is returned for a process that has ended.
var errGone = errors.New("the process has ended")

// openProcess opens the process that has a number now.
func openProcess(proc string, pid int) (*process, error) {
	dir, err := unix.Open(proc+"/"+strconv.Itoa(pid), unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, errGone
	}
	p := &process{pid: pid, dir: dir}
	if p.status, err = p.look(); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *process) close() { _ = unix.Close(p.dir) }

// look reads what may change while the process lives.
func (p *process) look() (status, error) {
	data, err := p.read("stat", 4096)
	if err != nil {
		return status{}, errGone
	}
	s, ok := parseStat(data)
	var st unix.Stat_t
	if !ok || unix.Fstat(p.dir, &st) != nil {
		return status{}, errGone
	}
	s.uid = int(st.Uid)
	return s, nil
}

// parseStat reads a line of proc_pid_stat(5). The name of the program may hold
// anything, a closing parenthesis too: the last one ends it.
//
//	4711 (php-fpm8.2) S 812 812 812 0 -1 4194624 …
func parseStat(line []byte) (s status, ok bool) {
	end := bytes.LastIndexByte(line, ')')
	if end < 0 {
		return s, false
	}
	const parentField, startField = 1, 19 // from the state on
	fields := bytes.Fields(line[end+1:])
	if len(fields) <= startField {
		return s, false
	}
	parent, err1 := strconv.Atoi(string(fields[parentField]))
	start, err2 := strconv.ParseUint(string(fields[startField]), 10, 64)
	s.parent, s.start = parent, start
	return s, err1 == nil && err2 == nil
}

// read returns at most limit bytes of a file below /proc/PID.
func (p *process) read(name string, limit int) ([]byte, error) {
	fd, err := unix.Openat(p.dir, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	buf := make([]byte, min(limit, firstRead))
	n := 0
	for {
		if n == len(buf) {
			if n == limit {
				return buf, nil
			}
			more := make([]byte, min(limit, 4*n))
			copy(more, buf)
			buf = more
		}
		got, err := unix.Read(fd, buf[n:])
		if err != nil && !errors.Is(err, unix.EINTR) {
			return nil, err
		}
		if got == 0 {
			return buf[:n], nil
		}
		n += max(got, 0)
	}
}

// firstRead is how much of a file is expected: most are shorter.
const firstRead = 2048

// link returns where a link of /proc leads, in the words of the kernel, or "".
func (p *process) link(name string) string {
	buf := make([]byte, 4096)
	n, err := unix.Readlinkat(p.dir, name, buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// isProgram reports whether the process runs a file with one of these identities.
func (p *process) isProgram(list []fileID) bool {
	var st unix.Stat_t
	return unix.Fstatat(p.dir, "exe", &st, 0) == nil && slices.Contains(list, fileID{dev: st.Dev, inode: st.Ino})
}

// fileID is the identity of a file while it is there.
type fileID struct{ dev, inode uint64 }

// parentOf opens the process above. It is sure to be that one: its child still
// says so afterwards.
func (p *process) parentOf(proc string) (*process, error) {
	above, err := openProcess(proc, p.parent)
	if err != nil {
		return nil, err
	}
	if again, err := p.look(); err != nil || again.parent != p.parent {
		above.close()
		return nil, errGone
	}
	return above, nil
}

// script is a file that looks like one and is open in a process.
type script struct {
	path string
	uid  int // owner of the file
	pid  int
}

// maxDescriptors is how many descriptors of a process are looked at.
const maxDescriptors = 256

// scripts lists the scripts that a process has open: regular files, by the end of
// their names. Nothing is opened.
func (p *process) scripts() []script {
	dir, err := unix.Openat(p.dir, "fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = unix.Close(dir) }()
	var list []script
	buf := make([]byte, 4096)
	for _, name := range descriptors(dir) {
		n, err := unix.Readlinkat(dir, name, buf)
		if err != nil || n == 0 || buf[0] != '/' || !isScript(buf[:n]) {
			continue
		}
		var st unix.Stat_t
		if unix.Fstatat(dir, name, &st, 0) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
			list = append(list, script{path: string(buf[:n]), uid: int(st.Uid), pid: p.pid})
		}
	}
	return list
}

// descriptors lists the names in /proc/PID/fd.
func descriptors(dir int) []string {
	buf := make([]byte, 8<<10)
	var names []string
	for len(names) < maxDescriptors {
		n, err := unix.Getdents(dir, buf)
		if err != nil || n <= 0 {
			break
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	return names[:min(len(names), maxDescriptors)]
}

// isScript knows the names of files that web servers and cron run.
func isScript(name []byte) bool {
	dot := bytes.LastIndexByte(name, '.')
	if dot < 0 || bytes.HasSuffix(name, []byte(" (deleted)")) {
		name = bytes.TrimSuffix(name, []byte(" (deleted)"))
		if dot = bytes.LastIndexByte(name, '.'); dot < 0 {
			return false
		}
	}
	switch strings.ToLower(string(name[dot+1:])) {
	case "php", "phtml", "php3", "php4", "php5", "php7", "php8", "phps", "phar", "inc", "cgi", "fcgi", "pl", "pm", "py", "rb", "sh", "lua", "js":
		return true
	}
	return false
}

// request returns those variables of an environment that name a request.
func (p *process) request(keys []string) map[string]string {
	data, err := p.read("environ", maxEnviron)
	if err != nil {
		return nil
	}
	found := map[string]string{}
	for len(data) > 0 {
		var pair []byte
		pair, data, _ = bytes.Cut(data, []byte{0})
		name, value, ok := bytes.Cut(pair, []byte{'='})
		if !ok {
			continue
		}
		for _, key := range keys {
			if _, known := found[key]; !known && string(name) == key {
				found[key] = string(value[:min(len(value), maxClaim)])
			}
		}
	}
	return found
}

const (
	maxEnviron = 64 << 10 // of an environment, that are read
	maxClaim   = 1000     // of a value, that are kept
	maxArgs    = 64       // of a command line
	maxCommand = 4 << 10  // bytes of it
)

// args returns the command line, and whether there is more of it.
func (p *process) args() (list []string, cut bool) {
	data, err := p.read("cmdline", maxCommand+1)
	if err != nil {
		return nil, false
	}
	cut = len(data) > maxCommand
	data = data[:min(len(data), maxCommand)]
	for len(data) > 0 {
		if len(list) == maxArgs {
			return list, true
		}
		var arg []byte
		arg, data, _ = bytes.Cut(data, []byte{0})
		list = append(list, string(arg))
	}
	return list, cut
}
