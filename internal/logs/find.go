package logs

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// knownLogs are where distributions and Plesk log mail without a word in a
// configuration that we understand.
var knownLogs = [...]rule{
	{path: "/usr/local/psa/var/log/maillog", mail: allPriorities},
	{path: "/opt/psa/var/log/maillog", mail: allPriorities},
	{path: "/var/log/maillog", mail: allPriorities},
	{path: "/var/log/mail.log", mail: allPriorities},
}

// narrowLogs are what Debian writes besides mail.log, with the same lines.
var narrowLogs = [...]rule{{path: "/var/log/mail.info", mail: fromInfo}}

// generalLogs hold mail where nothing else does.
var generalLogs = [...]rule{
	{path: "/var/log/messages", mail: allPriorities, general: true},
	{path: "/var/log/syslog", mail: allPriorities, general: true},
}

// candidate is a log that may be one of the server's.
type candidate struct {
	rule
	info fs.FileInfo
}

// Find lists the mail logs of the server below root: where syslog's configuration
// sends mail, the usual places, and multilog's folders. Two names of one file are
// one log. A log whose lines are all in another one is left out, and said so in
// that one's NotRead. What cannot be looked at is a gap.
func Find(root *host.Root, gaps *spoor.Gaps) []Stream {
	configured := present(root, rules(root, gaps))
	known := present(root, knownLogs[:])
	narrow := present(root, narrowLogs[:])
	slices.SortStableFunc(configured, func(a, b candidate) int { // the widest, and the most about mail, first
		switch {
		case a.general != b.general && b.general:
			return -1
		case a.general != b.general:
			return 1
		}
		return int(b.mail) - int(a.mail)
	})
	f := finder{root: root, gaps: gaps}
	for _, c := range configured {
		f.add(c, true)
	}
	for _, c := range known {
		f.add(c, false)
	}
	for _, c := range narrow {
		f.add(c, true)
	}
	f.streams = append(f.streams, multilogs(root, gaps)...)
	if len(f.streams) == 0 {
		for _, c := range present(root, generalLogs[:]) {
			f.add(c, true)
		}
	}
	return f.streams
}

// present returns the rules whose file is there.
func present(root *host.Root, list []rule) []candidate {
	var found []candidate
	for _, r := range list {
		info, err := root.Stat(r.path)
		if err == nil && info.Mode().IsRegular() {
			found = append(found, candidate{rule: r, info: info})
		}
	}
	return found
}

// finder collects streams.
type finder struct {
	root    *host.Root
	gaps    *spoor.Gaps
	streams []Stream
	taken   []candidate
	mail    priorities // that the streams taken hold
	refused []string   // paths that were left out
}

// add makes a stream of a log, unless another one is the same file or has the
// same lines. byRule says that the rules of both tell what they hold.
func (f *finder) add(c candidate, byRule bool) {
	if slices.Contains(f.refused, c.path) {
		return
	}
	for i, other := range f.taken {
		if os.SameFile(c.info, other.info) {
			return
		}
		if sameHead(f.root, c.path, other.path) {
			f.leaveOut(i, c.path, "it begins as "+other.path+" does")
			return
		}
	}
	if byRule && len(f.taken) > 0 && c.mail&^f.mail == 0 {
		f.leaveOut(0, c.path, "its lines of mail are in "+f.taken[0].path+" too")
		return
	}
	name := c.path
	if resolved, err := f.root.Resolve(c.path); err == nil {
		name = host.Abs(resolved) // rotated files lie beside the file, not beside its link
	}
	current, err := fileOf(f.root, name)
	if err != nil {
		f.gaps.Add(name, "could not be read: "+cause(err))
		return
	}
	f.taken, f.mail = append(f.taken, c), f.mail|c.mail
	f.streams = append(f.streams, Stream{Name: name, Files: append(siblings(f.root, name, f.gaps), current)})
}

func (f *finder) leaveOut(stream int, name, reason string) {
	f.refused = append(f.refused, name)
	s := &f.streams[stream]
	s.NotRead = append(s.NotRead, spoor.Gap{File: name, Reason: "left out: " + reason, Count: 1})
}

// sameHead reports whether two files begin with the same lines.
func sameHead(root *host.Root, a, b string) bool {
	const enough, least = 4096, 200 // bytes
	heads := [2][]byte{}
	for i, name := range []string{a, b} {
		file, err := root.OpenFile(name)
		if err != nil {
			return false
		}
		buf := make([]byte, enough)
		n, _ := file.ReadAt(buf, 0)
		heads[i] = buf[:n]
		_ = file.Close()
	}
	n := min(len(heads[0]), len(heads[1]))
	return n >= least && bytes.Equal(heads[0][:n], heads[1][:n])
}

// fileOf describes a file of a log.
func fileOf(root *host.Root, name string) (File, error) {
	file, err := root.OpenFile(name)
	if err != nil {
		return File{}, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return File{}, err
	}
	return File{Path: host.Abs(name), Compression: compressionOf(file), SizeBytes: info.Size(), ModTime: info.ModTime()}, nil
}

// Named makes a stream of each file that the user named, below root, as it is:
// what was rotated away from it is not added. A folder is one of multilog's. The
// same file named twice is one stream. Errors are those of opening the file:
// fs.ErrNotExist, fs.ErrPermission, host.ErrNotRegular, host.ErrEscapes.
func Named(root *host.Root, paths []string) ([]Stream, error) {
	var streams []Stream
	var seen []fs.FileInfo
	for _, name := range paths {
		name = host.Abs(path.Clean(name))
		info, err := root.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if slices.ContainsFunc(seen, func(other fs.FileInfo) bool { return os.SameFile(info, other) }) {
			continue
		}
		seen = append(seen, info)
		if info.IsDir() {
			if stream, ok := multilog(root, name); ok {
				streams = append(streams, stream)
				continue
			}
		}
		file, err := fileOf(root, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		streams = append(streams, Stream{Name: name, Files: []File{file}})
	}
	return streams, nil
}

// isMail reports whether a service of daemontools has to do with mail.
func isMail(service string) bool {
	return slices.ContainsFunc([]string{"qmail", "smtp", "send", "mail", "pop", "imap", "submission"},
		func(word string) bool { return strings.Contains(service, word) })
}
