package live

import (
	"os"
	"path/filepath"

	"spoor"
)

// sighting makes of a record what it says. It reports false for the mail system's
// own work, and for what is no submission.
func (t *tracer) sighting(record []byte) (*spoor.Sighting, bool) {
	d, ok := decodeRecord(record)
	if !ok {
		return nil, false
	}
	s := &spoor.Sighting{
		Time: t.booted.Add(d.at), Mechanism: EBPF, Process: d.process, Remote: d.remote,
		Claims: parseEnviron(d.env, d.missed&missedEnv == 0),
	}
	if d.kind == recordConnect {
		s.Activity = spoor.ActivityConnection
	} else if !t.submission(s, &d) {
		return nil, false
	}
	s.Process.Exe = t.exes.of(&s.Process, d.exe)
	s.Process.Dir = below(t.observed.top, s.Process.Dir)
	for i := range d.parents {
		parent := &d.parents[i]
		parent.process.Exe = t.exes.of(&parent.process, parent.exe)
		s.Parents = append(s.Parents, parent.process)
	}
	for i := range d.files {
		if file, ok := t.openFile(&d.files[i]); ok {
			s.Files = append(s.Files, file)
		}
	}
	return s, true
}

// submission reads the command line of a program that takes mail, and reports
// whether it is called to do that.
func (t *tracer) submission(s *spoor.Sighting, d *decoded) bool {
	found, ok := t.observed.programs.find(d.exe)
	if !ok {
		return false // it was replaced a moment ago
	}
	s.Program = found.path
	s.Args = parseArgs(d.args)
	c := parseCommand(found.path, s.Args)
	s.Recipients = c.recipients
	return c.submits
}

// openFile tells whether a file still has the name that it had.
func (t *tracer) openFile(d *decodedFile) (spoor.OpenFile, bool) {
	if d.path == "" {
		return spoor.OpenFile{}, false
	}
	file := spoor.OpenFile{FD: d.fd, Path: below(t.observed.top, d.path), Readonly: d.readonly, UID: -1}
	if id, uid, err := identifyOwner(d.path); err == nil && id == d.id {
		file.Current, file.UID = true, uid
	}
	return file, file.Path != ""
}

// below is a path of the machine as it is below a root, or "" outside of it.
func below(root, path string) string {
	if root == "/" || path == "" {
		return path
	}
	if !filepath.IsAbs(path) || len(path) < len(root) || path[:len(root)] != root {
		return ""
	}
	rest := path[len(root):]
	if rest == "" {
		return "/"
	}
	if rest[0] != '/' {
		return ""
	}
	return rest
}

// maxExeNames is how many names are remembered.
const maxExeNames = 4096

// exeNames remembers the names of programs: of a process that has ended the
// kernel has told the file, and a process before it told the name.
type exeNames map[identity]string

// of is the program of a process, "" where it cannot be known: as the kernel named
// it, or as /proc does of a parent that is not near.
func (e exeNames) of(process *spoor.Process, id identity) string {
	if id.inode == 0 {
		return "" // a thread of the kernel
	}
	if process.Exe != "" {
		return process.Exe
	}
	name, err := os.Readlink(theProc.name(process.PID, "exe"))
	if err != nil || !theProc.is(process) {
		return e[id]
	}
	if len(e) >= maxExeNames {
		clear(e)
	}
	e[id] = name
	return name
}
