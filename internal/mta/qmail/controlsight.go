package qmail

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// sighting is what the processes of the mail system are doing at one moment.
type sighting struct {
	deliveries map[uint64][]delivery // by the inode of the content that is open
	passes     map[uint64]int64      // by the inode of local/ID or remote/ID: how far it was read
}

// delivery is one that is under way.
type delivery struct {
	role    string // of the channel
	address string // "" where the process does not tell
}

// process is a line of /proc.
type process struct {
	name   string // comm of proc(5)
	parent int
}

// sight looks through /proc for deliveries of messages, and for qmail-send's own
// open files.
func (c *controller) sight(items []*liveItem) (*sighting, error) {
	s := &sighting{deliveries: map[uint64][]delivery{}, passes: map[uint64]int64{}}
	if !c.live {
		return s, nil
	}
	device, err := c.shelves.queue.Stat(".")
	if err != nil {
		return nil, err
	}
	l := &lookout{s: s, device: device.Device, contents: map[uint64]bool{}, channels: map[uint64]bool{}}
	for _, it := range items {
		if it == nil {
			continue
		}
		l.contents[it.mess.Inode] = true
		for _, f := range it.channels {
			l.channels[f.inode] = true
		}
	}
	return s, l.look()
}

// lookout goes through the processes.
type lookout struct {
	s                  *sighting
	device             uint64
	contents, channels map[uint64]bool // inodes
	all                map[int]process
}

func (l *lookout) look() error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("look for deliveries: %w", err)
	}
	l.all = map[int]process{}
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			if p, ok := readProcess(pid); ok {
				l.all[pid] = p
			}
		}
	}
	for pid, p := range l.all {
		if p.name == "qmail-send" {
			l.eachFile(pid, func(fd string, inode uint64) { l.pass(pid, fd, inode) })
		} else if role := l.channel(pid); role != "" {
			l.eachFile(pid, func(_ string, inode uint64) { l.delivery(pid, role, inode) })
		}
	}
	return nil
}

// readProcess reads /proc/PID/stat: the name is in parentheses, and may hold some.
func readProcess(pid int) (process, bool) {
	data, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return process{}, false
	}
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return process{}, false
	}
	fields := strings.Fields(string(data[end+1:]))
	if len(fields) < 2 {
		return process{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	return process{name: string(data[open+1 : end]), parent: parent}, err == nil
}

func procPath(pid int, name string) string { return path.Join("/proc", strconv.Itoa(pid), name) }

// maxAncestors bounds the way up from a delivery to what started it.
const maxAncestors = 32

// ancestors are a process and those above it.
func (l *lookout) ancestors(pid int) (line []int) {
	for p, ok := l.all[pid]; ok && len(line) < maxAncestors; p, ok = l.all[pid] {
		line = append(line, pid)
		pid = p.parent
	}
	return line
}

// channel tells what started a process: qmail-lspawn(8) or qmail-rspawn(8).
func (l *lookout) channel(pid int) string {
	for _, one := range l.ancestors(pid) {
		switch l.all[one].name {
		case "qmail-lspawn":
			return roleLocal
		case "qmail-rspawn":
			return roleRemote
		}
	}
	return ""
}

// eachFile yields the open files of a process that are on the queue's file system.
func (l *lookout) eachFile(pid int, yield func(fd string, inode uint64)) {
	entries, err := os.ReadDir(procPath(pid, "fd"))
	if err != nil {
		return // it has ended
	}
	for _, entry := range entries {
		var st unix.Stat_t
		if unix.Stat(procPath(pid, "fd/"+entry.Name()), &st) == nil && uint64(st.Dev) == l.device { //nolint:unconvert // other architectures
			yield(entry.Name(), st.Ino)
		}
	}
}

func (l *lookout) delivery(pid int, role string, inode uint64) {
	if !l.contents[inode] {
		return
	}
	d := delivery{role: role}
	for _, one := range l.ancestors(pid) {
		if d.address = recipientOf(one); d.address != "" {
			break
		}
	}
	l.s.deliveries[inode] = append(l.s.deliveries[inode], d)
}

// recipientOf tells the recipient from the arguments of a delivery, or "":
//
//	qmail-remote host sender recipient
//	bin/qmail-local -- user home local dash ext domain sender aliasempty
func recipientOf(pid int) string {
	data, err := os.ReadFile(procPath(pid, "cmdline"))
	if err != nil {
		return ""
	}
	return recipientIn(strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00"))
}

func recipientIn(args []string) string {
	switch name := path.Base(args[0]); {
	case name == "qmail-remote" && len(args) >= 4:
		return args[3]
	case name == "qmail-local" && len(args) >= 9 && args[1] == "--":
		return args[4] + "@" + args[7]
	}
	return ""
}

// pass reads how far qmail-send has read a channel file: proc(5), fdinfo.
func (l *lookout) pass(pid int, fd string, inode uint64) {
	if !l.channels[inode] {
		return
	}
	l.s.passes[inode] = 1 << 62 // all of it, if we may not know
	data, err := os.ReadFile(procPath(pid, "fdinfo/"+fd))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(data)) {
		if digits, ok := strings.CutPrefix(line, "pos:"); ok {
			if at, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64); err == nil {
				l.s.passes[inode] = at
			}
		}
	}
}

// doubtSeen adds the recipients that a sighting shows to be under way. What
// qmail-send reads later than the marks it reads as done.
func (it *liveItem) doubtSeen(s *sighting, first bool) {
	for _, f := range it.channels {
		if at, ok := s.passes[f.inode]; ok && first {
			f.read = at
			it.doubt(f, func(one recordAt) bool { return one.offset < at })
		}
		for _, d := range s.deliveries[it.mess.Inode] {
			if d.role != f.role {
				continue
			}
			known := slices.ContainsFunc(f.marked, func(one recordAt) bool { return one.address == d.address })
			it.doubt(f, func(one recordAt) bool { return !known || one.address == d.address })
		}
	}
}

// doubtWritten adds the recipients of files that qmail-send has written to since.
// What it had not read cannot have been started.
func (it *liveItem) doubtWritten(written map[int]bool) {
	for _, f := range it.channels {
		if f.file != nil && (written[f.watch] || written[lostEvents]) {
			it.doubt(f, func(one recordAt) bool { return f.read == 0 || one.offset < f.read })
		}
	}
}

// doubt adds recipients that we have marked.
func (it *liveItem) doubt(f *channelFile, which func(one recordAt) bool) {
	for _, one := range f.marked {
		if which(one) && !slices.Contains(it.doubtful, one.address) {
			it.doubtful = append(it.doubtful, one.address)
		}
	}
}
