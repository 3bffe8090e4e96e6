package recorder

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"spoor/internal/origin"
	"spoor/internal/shim"
)

// peer is who is at the other end of a connection, as the kernel noted it when
// it was made (SO_PEERCRED, unix(7)).
type peer struct {
	uid, gid, pid int
	handle        int // a pidfd, -1 where the kernel has none for a peer
}

// peerOf asks the kernel. The caller closes the handle.
func peerOf(socket int) (peer, error) {
	cred, err := unix.GetsockoptUcred(socket, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{}, err
	}
	p := peer{uid: int(cred.Uid), gid: int(cred.Gid), pid: int(cred.Pid), handle: -1}
	if fd, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_PEERPIDFD); err == nil { // since Linux 6.5
		p.handle = fd
	}
	return p, nil
}

func (p *peer) close() {
	if p.handle >= 0 {
		_ = unix.Close(p.handle)
	}
}

// alive reports whether the process itself, not another with its number, lives.
// Without a handle that is not known, and assumed.
func (p *peer) alive() bool {
	if p.handle < 0 {
		return true
	}
	err := unix.PidfdSendSignal(p.handle, 0, nil, 0)
	return err == nil || errors.Is(err, unix.EPERM) // who may not send a signal learns that it is there
}

// How far above the sender is looked.
const (
	maxParents       = 5
	maxScriptParents = 3 // with their descriptors
)

// witness sees what a process is, and writes it into a record.
type witness struct {
	proc  string // /proc
	shims []fileID
}

// scene is a process of which the first facts are known, and more can be asked.
type scene struct {
	witness *witness
	peer    *peer
	sender  *process // nil if it has gone
	record  *origin.Record
}

// open writes down what may change as soon as the shim has its answer: it becomes
// the real sendmail then. Facts are as the kernel tells them now; a user can open
// files and start programs so as to look like another script of his own, but never
// as another user.
func (w *witness) open(p *peer, r *origin.Record) *scene {
	f := &r.Facts
	f.UID, f.GID, f.PID = p.uid, p.gid, p.pid
	s := &scene{witness: w, peer: p, record: r}
	sender, err := openProcess(w.proc, p.pid)
	if err != nil {
		f.Gone = true
		return s
	}
	if !p.alive() {
		sender.close()
		f.Gone = true
		return s
	}
	s.sender = sender
	f.Start, f.Exe, f.Dir, f.Shim = sender.start, sender.link("exe"), sender.link("cwd"), sender.isProgram(w.shims)
	return s
}

// look writes down the rest, and closes the scene. It may be called again.
func (s *scene) look() {
	sender, f := s.sender, &s.record.Facts
	if sender == nil {
		return
	}
	defer sender.close()
	s.sender = nil
	s.record.Claims.Args, s.record.Claims.ArgsCut = sender.args()
	requests := []map[string]string{sender.request(shim.RequestKeys())}
	scripts := sender.scripts()
	s.witness.above(sender, s.peer.uid, f, func(parent *process, depth int) {
		if depth < maxScriptParents {
			scripts = append(scripts, parent.scripts()...)
		}
		if depth == 0 {
			requests = append(requests, parent.request(shim.RequestKeys()))
		}
	})
	decide(f, scripts)
	claim(&s.record.Claims, requests)
	_, err := sender.look()
	f.Gone = err != nil
}

// above notes the processes above the sender, nearest first, and shows those that
// run as the same user: the descriptors and environments of others are not what
// made this message.
func (w *witness) above(sender *process, uid int, f *origin.Facts, show func(parent *process, depth int)) {
	below, same := sender, true
	for depth := range maxParents {
		if below.parent <= 1 {
			break
		}
		parent, err := below.parentOf(w.proc)
		if err != nil {
			break
		}
		same = same && parent.uid == uid
		if same {
			show(parent, depth)
		}
		f.Parents = append(f.Parents, origin.Process{PID: parent.pid, Start: parent.start, UID: parent.uid, Exe: parent.link("exe"), Dir: parent.link("cwd")})
		if below != sender {
			below.close()
		}
		below = parent
	}
	if below != sender {
		below.close()
	}
}

// decide names the script if one alone is open. Nearest first: what the sender has
// inherited counts as much as what the process above has open.
func decide(f *origin.Facts, list []script) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b script) int {
		if a.path < b.path {
			return -1
		}
		return one(a.path > b.path)
	})
	list = slices.CompactFunc(list, func(a, b script) bool { return a.path == b.path })
	if len(list) == 1 {
		f.Script, f.ScriptPID, f.ScriptUID = list[0].path, list[0].pid, &list[0].uid
		return
	}
	for _, s := range list[:min(len(list), maxScripts)] {
		f.Scripts = append(f.Scripts, s.path)
	}
}

// maxScripts is how many are named where there are several.
const maxScripts = 8

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// claim takes each variable of the first environment that has it.
func claim(c *origin.Claims, requests []map[string]string) {
	first := func(key string) string {
		for _, request := range requests {
			if value := request[key]; value != "" {
				return value
			}
		}
		return ""
	}
	uri, _, _ := strings.Cut(first("REQUEST_URI"), "?") // behind it stand passwords and sessions
	c.Script, c.URI, c.Remote, c.Host, c.PWD = first("SCRIPT_FILENAME"), uri, first("REMOTE_ADDR"), first("HTTP_HOST"), first("PWD")
}
