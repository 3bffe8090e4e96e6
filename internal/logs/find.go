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

// candidate is a log that may be one of the server's.
type candidate struct {
	rule
	info   fs.FileInfo
	stream int // its number, once it is one
}

// Find lists the mail logs of the server below root: those that the MTA's
// configuration names (more), where syslog's configuration sends mail, the usual
// places, and multilog's folders; where none of these is, the general logs, or the
// journal. Two names of one file are one log. A log whose lines are all in
// another one is left out, and said so in that one's NotRead. What cannot be
// looked at is a gap.
func Find(root *host.Root, more []string, gaps *spoor.Gaps) []Stream {
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
	f.own(more)
	for _, c := range configured {
		f.add(c, true)
	}
	for _, c := range known {
		f.add(c, false)
	}
	for _, c := range narrow {
		f.add(c, true)
	}
	services := multilogs(root, gaps)
	f.streams = append(f.streams, services...)
	if !f.certain && f.mail == 0 && len(services) == 0 { // what is left may be the log of another MTA, of old
		f.addGeneral()
	}
	for _, c := range present(root, dovecotLogs(root)) {
		f.add(c, false)
	}
	f.addWebmails()
	return f.streams
}

// addGeneral adds what holds mail where nothing else does.
func (f *finder) addGeneral() {
	for _, c := range present(f.root, generalLogs[:]) {
		f.add(c, true)
	}
	if f.mail == 0 {
		f.streams = append(f.streams, journals(f.root, f.gaps)...)
	}
}

// own adds the logs that the MTA writes itself. Where its configuration puts the
// date into their names, only those with a date are there.
func (f *finder) own(paths []string) {
	for _, name := range paths {
		if name = absolute(name); name == "" {
			continue
		}
		if found := present(f.root, []rule{{path: name}}); len(found) > 0 {
			f.add(found[0], false)
			f.certain = true
			continue
		}
		named := slices.ContainsFunc(f.streams, func(s Stream) bool { return s.Name == name })
		if named || !f.root.Exists(path.Dir(name)) { // configurations name what is usual, too
			continue
		}
		if files := siblings(f.root, name, f.gaps); len(files) > 0 && !isRejectlog(name) {
			f.streams = append(f.streams, Stream{Name: name, Files: files})
			f.certain = true
		}
	}
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
	mail    priorities // that the streams of syslog taken hold
	certain bool       // the MTA's configuration names a stream taken
	refused []string   // paths that were left out
}

// add makes a stream of a log, unless another one is the same file or has the
// same lines. byRule says that the rules of both tell what they hold.
func (f *finder) add(c candidate, byRule bool) {
	if slices.Contains(f.refused, c.path) {
		return
	}
	for _, other := range f.taken {
		if f.repeats(c, other) {
			f.leaveOut(other, c.path, "what Exim rejects is in "+other.path+" too")
			return
		}
		if os.SameFile(c.info, other.info) {
			return
		}
		if sameHead(f.root, c.path, other.path) {
			f.leaveOut(other, c.path, "it begins as "+other.path+" does")
			return
		}
	}
	if i := slices.IndexFunc(f.taken, func(other candidate) bool { return other.mail != 0 }); i >= 0 && byRule && c.mail&^f.mail == 0 {
		f.leaveOut(f.taken[i], c.path, "its lines of mail are in "+f.taken[i].path+" too")
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
	c.stream = len(f.streams)
	f.taken, f.mail = append(f.taken, c), f.mail|c.mail
	f.streams = append(f.streams, Stream{Name: name, Files: append(siblings(f.root, name, f.gaps), current)})
}

// repeats reports whether a log is a rejectlog of Exim's, and another one the
// mainlog that has the same rejections.
func (f *finder) repeats(c, main candidate) bool {
	name := mainlogOf(c.path)
	if name == "" {
		return false
	}
	info, err := f.root.Stat(name)
	return err == nil && os.SameFile(info, main.info)
}

// LeftOut begins the reason of a file that is not read because its lines are in
// another one.
const LeftOut = "left out: "

func (f *finder) leaveOut(other candidate, name, reason string) {
	f.refused = append(f.refused, name)
	s := &f.streams[other.stream]
	s.NotRead = append(s.NotRead, spoor.Gap{File: name, Reason: LeftOut + reason, Count: 1})
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
// what was rotated away from it is not added. A folder is one of multilog's, or
// one of the journal. The same file named twice is one stream. Errors are those of opening the file:
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
			stream, ok, err := journal(root, name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if ok {
				streams = append(streams, stream)
				continue
			}
		}
		file, err := fileOf(root, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		file.Webmail = isWebmail(root, name)
		streams = append(streams, Stream{Name: name, Files: []File{file}})
	}
	return streams, nil
}

// isMail reports whether a service of daemontools has to do with mail.
func isMail(service string) bool {
	return slices.ContainsFunc([]string{"qmail", "smtp", "send", "mail", "pop", "imap", "submission"},
		func(word string) bool { return strings.Contains(service, word) })
}
