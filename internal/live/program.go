package live

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"spoor/internal/host"
)

// identity is which file it is, as the kernel numbers it.
type identity struct {
	inode  uint64
	device uint32 // of the super block: major<<20 | minor
}

// program is a program that takes mail.
type program struct {
	path string // below the root, the first name it was found by
	full string // as the kernel finds it, free of links
	id   identity
	stat statIdentity
}

// statIdentity is which file it is, as stat(2) numbers it.
type statIdentity struct{ device, inode uint64 }

// programs are those that are watched. A package may replace them at any time.
type programs struct {
	root    *host.Root
	names   []string
	mu      sync.Mutex
	current []program
}

func newPrograms(root *host.Root, names []string) *programs {
	return &programs{root: root, names: names}
}

func (p *programs) list() []program {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

func (p *programs) paths() []string {
	var names []string
	for _, one := range p.list() {
		names = append(names, one.path)
	}
	return names
}

// refresh looks which files the names lead to now, and reports whether that has
// changed.
func (p *programs) refresh() bool {
	var found []program
	for _, name := range p.names {
		resolved, err := p.root.Resolve(name)
		if err != nil {
			continue
		}
		full := filepath.Join(p.root.Dir(), resolved)
		id, err := identify(full)
		var st unix.Stat_t
		if err != nil || unix.Lstat(full, &st) != nil {
			continue
		}
		if !slices.ContainsFunc(found, func(one program) bool { return one.id == id }) {
			found = append(found, program{path: name, full: full, id: id, stat: statIdentity{st.Dev, st.Ino}})
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := !slices.Equal(found, p.current)
	p.current = found
	return changed
}

// find returns the watched program that is a file.
func (p *programs) find(id identity) (program, bool) {
	for _, one := range p.list() {
		if one.id == id {
			return one, true
		}
	}
	return program{}, false
}

// identify tells which file a path names. The numbers of stat(2) are not those of
// the kernel on btrfs and overlayfs, so it asks /proc for them: proc(5), fdinfo
// and mountinfo.
func identify(path string) (identity, error) {
	id, _, err := identifyOwner(path)
	return id, err
}

// identifyOwner is identify, with the UID of the file's owner.
func identifyOwner(path string) (identity, int, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return identity{}, -1, err
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return identity{}, -1, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return identity{}, -1, fmt.Errorf("%s: not a regular file", path)
	}
	id := identity{inode: st.Ino, device: kernelDevice(st.Dev)}
	info, err := os.ReadFile("/proc/thread-self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return id, int(st.Uid), nil // the numbers of stat are those of most file systems
	}
	if inode, ok := numberAfter(info, "ino:"); ok { // since Linux 5.14
		id.inode = inode
	}
	if mount, ok := numberAfter(info, "mnt_id:"); ok {
		if device, ok := deviceOfMount(mount); ok {
			id.device = device
		}
	}
	return id, int(st.Uid), nil
}

// kernelDevice turns stat's form of a device into the kernel's own.
func kernelDevice(dev uint64) uint32 { return unix.Major(dev)<<20 | unix.Minor(dev) }

// numberAfter reads the number behind a word that starts a line.
func numberAfter(text []byte, word string) (uint64, bool) {
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(word)); ok {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(rest)), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// deviceOfMount finds the device of a mount in mountinfo, such as
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
func deviceOfMount(mount uint64) (uint32, bool) {
	f, err := os.Open("/proc/thread-self/mountinfo")
	if err != nil {
		return 0, false
	}
	defer func() { _ = f.Close() }()
	want := strconv.FormatUint(mount, 10)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		id, rest, _ := strings.Cut(lines.Text(), " ")
		if id == want {
			return parseDevice(rest)
		}
	}
	return 0, false
}

// parseDevice reads "35 98:0 /mnt1 …".
func parseDevice(rest string) (uint32, bool) {
	words := strings.SplitN(rest, " ", 3)
	if len(words) < 3 {
		return 0, false
	}
	major, minor, _ := strings.Cut(words[1], ":")
	a, errMajor := strconv.ParseUint(major, 10, 12)
	b, errMinor := strconv.ParseUint(minor, 10, 20)
	return uint32(a)<<20 | uint32(b), errMajor == nil && errMinor == nil
}

// running returns the watched program that /proc/PID/exe leads to.
func (p *programs) running(exe string) (program, bool) {
	var st unix.Stat_t
	if unix.Stat(exe, &st) != nil {
		return program{}, false
	}
	return p.withStat(&st)
}

// behind returns the watched program that an open descriptor leads to.
func (p *programs) behind(fd int) (program, bool) {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return program{}, false
	}
	return p.withStat(&st)
}

func (p *programs) withStat(st *unix.Stat_t) (program, bool) {
	for _, one := range p.list() {
		if one.stat == (statIdentity{st.Dev, st.Ino}) {
			return one, true
		}
	}
	return program{}, false
}
