package logs

import (
	"path"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// multilogDepth is how deep below /var/log/qmail multilog's folders may lie.
const multilogDepth = 3

// multilogs finds the folders that multilog(8) writes mail's logs to.
func multilogs(root *host.Root, gaps *spoor.Gaps) []Stream {
	folders := []string{"/var/log/qmail-send", "/var/log/qmail-smtpd"}
	folders = append(folders, below(root, "/var/log/qmail", multilogDepth, gaps)...)
	for _, services := range []string{"/service", "/var/service"} {
		for _, service := range below(root, services, 1, gaps) {
			if isMail(path.Base(service)) {
				folders = append(folders, path.Join(service, "log/main"))
			}
		}
	}
	var streams []Stream
	seen := map[string]bool{}
	for _, folder := range folders {
		resolved, err := root.Resolve(folder)
		if err != nil || seen[resolved] {
			continue
		}
		seen[resolved] = true
		if stream, ok := multilog(root, host.Abs(resolved)); ok {
			streams = append(streams, stream)
		}
	}
	return streams
}

// below lists a folder and those in it, also behind links, to a depth.
func below(root *host.Root, folder string, depth int, gaps *spoor.Gaps) []string {
	dir, err := root.OpenDir(folder)
	if err != nil {
		if root.Exists(folder) && cause(err) != "not a directory" {
			gaps.Add(folder, "folder of logs could not be listed: "+cause(err))
		}
		return nil
	}
	defer func() { _ = dir.Close() }()
	list := []string{folder}
	if depth == 0 {
		return list
	}
	var names []string
	for entry, err := range dir.Entries() {
		if err == nil && (entry.Type == host.TypeDirectory || entry.Type == host.TypeSymlink) {
			names = append(names, path.Join(folder, string(entry.Name)))
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if info, err := root.Stat(name); err == nil && info.IsDir() {
			list = append(list, below(root, name, depth-1, gaps)...)
		}
	}
	return list
}

// multilog makes a stream of a folder of multilog(8): files named by the time
// when they were closed, as @4000….s or .u, and current.
func multilog(root *host.Root, folder string) (Stream, bool) {
	dir, err := root.OpenDir(folder)
	if err != nil {
		return Stream{}, false
	}
	defer func() { _ = dir.Close() }()
	var names []string
	current := false
	for entry, err := range dir.Entries() {
		name := string(entry.Name)
		switch {
		case err != nil || entry.Type != host.TypeRegular:
		case name == "current":
			current = true
		case len(name) == 27 && name[0] == '@' && (strings.HasSuffix(name, ".s") || strings.HasSuffix(name, ".u")):
			names = append(names, name)
		}
	}
	slices.Sort(names) // TAI64N labels sort by time
	if current {
		names = append(names, "current")
	}
	stream := Stream{Name: folder}
	for _, name := range names {
		if file, err := fileOf(root, path.Join(folder, name)); err == nil {
			stream.Files = append(stream.Files, file)
		}
	}
	return stream, len(stream.Files) > 0
}
