package live

import (
	"context"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"spoor"
)

// snapshots are looks at /proc: scripts that long-lived processes have open, and
// connections with the process that holds them. They need nothing of the kernel,
// and see what lasts.
type snapshots struct {
	watch     *Watch
	connected map[uint64]bool // sockets that were told, by inode
	opened    map[opened]bool // scripts that were told
	first     bool
	gaps      spoor.Gaps
}

// opened is a process with a script.
type opened struct {
	who
	script string
}

// snapshotEvery is the time between two looks, at least. A look at 500 processes
// with 20 descriptors each takes about 25 ms.
const snapshotEvery = time.Second

// lookShare bounds what looking costs: of the time, at most one part in so many.
const lookShare = 10

// pause waits between two looks, the last of which began at a time. It reports
// false if ctx ended.
func pause(ctx context.Context, began time.Time, least time.Duration) bool {
	timer := time.NewTimer(max(least, (lookShare-1)*time.Since(began)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func newSnapshots(w *Watch) *snapshots {
	return &snapshots{watch: w, connected: map[uint64]bool{}, opened: map[opened]bool{}, first: true}
}

func (s *snapshots) lost() []spoor.Gap { return s.gaps.List() }

// run looks until ctx ends.
func (s *snapshots) run(ctx context.Context, out chan<- *spoor.Sighting) {
	for began := time.Now(); ; began = time.Now() {
		s.look(ctx, out)
		if !pause(ctx, began, snapshotEvery) {
			return
		}
	}
}

// look is one snapshot.
func (s *snapshots) look(ctx context.Context, out chan<- *spoor.Sighting) {
	pids, err := theProc.pids()
	if err != nil {
		s.gaps.Add("/proc", "cannot be listed: "+err.Error())
		return
	}
	wanted := sockets(pids)
	connected, scripts := map[uint64]bool{}, map[opened]bool{}
	self := os.Getpid()
	for _, pid := range pids {
		if ctx.Err() != nil {
			return
		}
		if pid == self {
			continue
		}
		one := &looking{snapshots: s, pid: pid, wanted: wanted, connected: connected, scripts: scripts}
		for _, found := range one.look() {
			out <- found
		}
	}
	s.connected, s.opened, s.first = connected, scripts, false
}

// maxNetworks is how many networks are looked at: containers have their own.
const maxNetworks = 256

// sockets are the connections to ports of mail that processes have in any
// network, by inode.
func sockets(pids []int) map[uint64]socket {
	wanted, seen := map[uint64]socket{}, map[string]bool{}
	for _, pid := range pids {
		network, err := os.Readlink(theProc.name(pid, "ns/net"))
		if err != nil || seen[network] || len(seen) == maxNetworks {
			continue
		}
		seen[network] = true
		for _, name := range []string{"net/tcp", "net/tcp6"} {
			text, err := os.ReadFile(theProc.name(pid, name))
			if err != nil {
				continue // no IPv6 here, or the process has ended
			}
			for _, one := range parseSockets(text) {
				wanted[one.inode] = one
			}
		}
	}
	return wanted
}

// tellsConnections reports whether a connection that is seen now is news: a
// tracer tells of those that are opened while it is there.
func (s *snapshots) tellsConnections() bool { return s.first || s.watch.mechanism != EBPF }

// looking is the look at one process.
type looking struct {
	*snapshots
	pid       int
	wanted    map[uint64]socket
	connected map[uint64]bool
	scripts   map[opened]bool
	process   spoor.Process // once it is needed
	parents   []spoor.Process
}

// look lists what is new of the process.
func (l *looking) look() []*spoor.Sighting {
	var found []*spoor.Sighting
	for _, d := range theProc.descriptors(l.pid) {
		if inode, ok := socketInode(d.link); ok {
			if one, ok := l.wanted[inode]; ok && l.isNewSocket(inode) {
				found = append(found, l.sighting(spoor.ActivityConnection, one))
			}
			continue
		}
		if !isScript(d.link) || !l.watch.config.InSite(below(l.watch.top, d.link)) {
			continue
		}
		file, ok := theProc.file(l.pid, d)
		if ok && file.Readonly && l.isNewScript(d.link) {
			s := l.sighting(spoor.ActivityOpenScript, socket{})
			file.Path = below(l.watch.top, file.Path)
			s.Files = []spoor.OpenFile{file}
			found = append(found, s)
		}
	}
	return l.others(found)
}

// isNewSocket notes a connection and reports whether it is to be told.
func (l *looking) isNewSocket(inode uint64) bool {
	known := l.snapshots.connected[inode] || l.connected[inode]
	l.connected[inode] = true
	return !known && l.tellsConnections()
}

func (l *looking) isNewScript(link string) bool {
	l.know()
	key := opened{whoIs(&l.process), link}
	known := l.opened[key] || l.scripts[key]
	l.scripts[key] = true
	return !known
}

// know reads what the process is.
func (l *looking) know() {
	if l.process.PID != 0 {
		return
	}
	process, parent, err := theProc.process(l.pid)
	if err != nil {
		process = spoor.Process{PID: l.pid, UID: -1, GID: -1}
	}
	process.Dir = below(l.watch.top, process.Dir)
	l.process, l.parents = process, theProc.parents(parent)
}

func (l *looking) sighting(activity spoor.Activity, connection socket) *spoor.Sighting {
	l.know()
	return &spoor.Sighting{
		Time: l.watch.config.Now(), Activity: activity, Mechanism: Proc, Remote: connection.remote,
		Process: l.process, Parents: l.parents,
	}
}

// others leaves out what the mail system does itself, and what ended meanwhile.
func (l *looking) others(found []*spoor.Sighting) []*spoor.Sighting {
	if len(found) == 0 || l.process.UID < 0 || !theProc.is(&l.process) {
		return nil
	}
	environ, _ := theProc.read(l.pid, "environ", environLimit)
	for _, s := range found {
		s.Claims = parseEnviron(environ, len(environ) < environLimit)
		if s.Activity == spoor.ActivityConnection {
			s.Files = openFiles(l.watch, &l.process)
		}
	}
	return found
}

// openFiles lists the regular files that a process has open.
func openFiles(w *Watch, process *spoor.Process) []spoor.OpenFile {
	var files []spoor.OpenFile
	for _, d := range theProc.descriptors(process.PID) {
		if len(files) == maxOpen {
			break
		}
		if file, ok := theProc.file(process.PID, d); ok {
			if file.Path = below(w.top, file.Path); file.Path != "" {
				files = append(files, file)
			}
		}
	}
	return files
}

// socketInode reads "socket:[31337]".
func socketInode(link string) (uint64, bool) {
	rest, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
	return inode, err == nil
}

// isScript knows the names of scripts that web servers run.
func isScript(name string) bool {
	name = strings.TrimSuffix(name, " (deleted)")
	switch strings.ToLower(strings.TrimPrefix(path.Ext(name), ".")) {
	case "php", "php3", "php4", "php5", "php7", "php8", "phtml", "pht", "phps", "phar", "inc", "module", "suspected",
		"pl", "pm", "cgi", "fcgi", "py", "rb", "sh", "lua", "js", "mjs", "cjs":
		return true
	}
	return false
}
