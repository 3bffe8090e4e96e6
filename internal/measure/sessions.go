package measure

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
)

// sessions ends processes that serve open connections.
type sessions struct{ spec *spoor.Sessions }

// patience is how long a process may take to end.
const patience = 5 * time.Second

func (s *sessions) do(ctx context.Context, _ *disk.Dir) (string, error) {
	ended, left := 0, 0
	list, problems := s.list()
	for _, one := range list {
		switch done, err := end(ctx, one); {
		case err != nil:
			problems = errors.Join(problems, err)
		case done:
			ended++
		default:
			left++
		}
	}
	remark := fmt.Sprintf("%d ended", ended)
	if left > 0 {
		remark += fmt.Sprintf(", %d had ended by themselves or serve somebody else now", left)
	}
	return remark, problems
}

// list are the sessions of the plan, and those that its clients have begun since.
func (s *sessions) list() ([]spoor.Session, error) {
	list := slices.Clone(s.spec.List)
	if len(s.spec.Programs) == 0 || len(s.spec.Clients) == 0 {
		return list, nil
	}
	open, err := Sessions(s.spec.Programs)
	for _, one := range open {
		if slices.Contains(s.spec.Clients, one.Client.Unmap()) && !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list, err
}

func (s *sessions) undo(context.Context, *disk.Dir) (string, error) {
	return "what was ended stays ended: a client connects again by itself", nil
}

// end ends one session; with its process, if nothing else helps. The descriptor names
// the process whatever becomes of its number (pidfd_open(2)); its identity is checked
// after the descriptor is open. done is false if the session had ended by itself.
func end(ctx context.Context, one spoor.Session) (done bool, err error) {
	fd, err := unix.PidfdOpen(one.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("process %d: %w", one.PID, err)
	}
	defer func() { _ = unix.Close(fd) }()
	now, err := connectionsAt(one.PID, false) // its daemon may be opening its port anew
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) || err == nil && !serves(now, one) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if open, ended := hangUp(ctx, fd, one); ended || !open {
		return ended, nil
	}
	return terminate(ctx, fd, one.PID)
}

// terminate ends a process. done is false if it had ended by itself meanwhile.
func terminate(ctx context.Context, fd, pid int) (done bool, err error) {
	switch err := unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0); {
	case errors.Is(err, unix.ESRCH):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("process %d: %w", pid, err)
	}
	return true, wait(ctx, fd, pid)
}

// serves reports whether a process is still the one of the plan, with its client.
func serves(now []spoor.Session, one spoor.Session) bool {
	for _, s := range now {
		if s == one {
			return true
		}
	}
	return false
}

// wait waits until the process is gone: its descriptor can be read then.
func wait(ctx context.Context, fd, pid int) error {
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("process %d: %w", pid, err)
		}
		if n > 0 {
			return nil
		}
	}
	return fmt.Errorf("process %d has got SIGTERM and goes on: end it by hand", pid)
}

// LookAtSession returns the connections that a process serves, each to be ended
// later. It returns fs.ErrNotExist where there is no such process.
func LookAtSession(pid int) ([]spoor.Session, error) { return connectionsAt(pid, true) }

// connectionsAt are the connections of a process; those that came in only if
// somebody listens on their port still, where that is asked for.
func connectionsAt(pid int, listened bool) ([]spoor.Session, error) {
	dir := procOf(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return nil, err
	}
	started, ok := startOf(stat)
	exe, err := os.Readlink(dir + "/exe")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s/stat is of unknown shape", dir)
	}
	served, err := connectionsIn(dir, listened)
	if err != nil {
		return nil, err
	}
	list := make([]spoor.Session, 0, len(served))
	for _, c := range served {
		list = append(list, spoor.Session{PID: pid, Started: started, Exe: exe, Client: c.client})
	}
	return list, nil
}

// connectionsIn are the connections of a process, by its folder in /proc; those that came
// in only if somebody listens on their port still, where that is asked for.
func connectionsIn(dir string, listened bool) ([]connection, error) {
	files, err := socketFilesOf(dir)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	sockets := map[uint64]bool{}
	for _, inode := range files {
		sockets[inode] = true
	}
	var list []connection
	for _, name := range []string{"/net/tcp", "/net/tcp6"} {
		table, err := os.ReadFile(dir + name)
		if err != nil {
			continue // a kernel without IPv6
		}
		for _, c := range connectionsOf(table, listened) {
			if sockets[c.inode] {
				list = append(list, c)
			}
		}
	}
	return list, nil
}

// Sessions are the connections that processes of programs of these names serve, in the
// network that we are in: containers have servers of their own. One that ends meanwhile
// is left out.
func Sessions(names []string) ([]spoor.Session, error) {
	own, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	pids, err := running(names)
	var list []spoor.Session
	for _, pid := range pids {
		if network, err := os.Readlink(procOf(pid) + "/ns/net"); err != nil || network != own {
			continue
		}
		if served, err := LookAtSession(pid); err == nil {
			list = append(list, served...)
		}
	}
	return list, err
}

func procOf(pid int) string { return "/proc/" + strconv.Itoa(pid) }

// running are the processes of programs of these names. One whose file an upgrade has
// replaced goes by its name still.
func running(names []string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		exe, err := os.Readlink(procOf(pid) + "/exe")
		if err == nil && slices.Contains(names, programOf(exe)) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// programOf is the base name of a link /proc/PID/exe (proc(5)).
func programOf(exe string) string { return path.Base(strings.TrimSuffix(exe, " (deleted)")) }

// startOf is field 22 of /proc/PID/stat. Field 2 is the name of the program, in
// brackets, and may hold anything.
func startOf(stat []byte) (uint64, bool) {
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 {
		return 0, false
	}
	fields := strings.Fields(string(stat[i+1:])) // from field 3 on
	if len(fields) < 20 {
		return 0, false
	}
	started, err := strconv.ParseUint(fields[19], 10, 64)
	return started, err == nil
}

// connection is a line of /proc/net/tcp.
type connection struct {
	port   uint16 // here, on which somebody listens
	client netip.Addr
	inode  uint64
}

// connectionsOf reads the established connections of /proc/net/tcp or tcp6; if
// incoming is set, those that came in: on their port here somebody listens.
//
//	sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//	 0: 0100007F:0019 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4242 1 …
func connectionsOf(table []byte, incoming bool) []connection {
	var list []connection
	listened := map[uint16]bool{}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != established && fields[3] != listening {
			continue
		}
		_, port, ok := endpoint(fields[1])
		if ok && fields[3] == listening {
			listened[port] = true
			continue
		}
		client, _, ok2 := endpoint(fields[2])
		inode, err := strconv.ParseUint(fields[9], 10, 64)
		if ok && ok2 && err == nil {
			list = append(list, connection{port: port, client: client, inode: inode})
		}
	}
	return slices.DeleteFunc(list, func(c connection) bool { return incoming && !listened[c.port] })
}

// States of a socket in /proc/net/tcp (include/net/tcp_states.h).
const (
	established = "01"
	listening   = "0A"
)

// endpoint reads an address and a port: words of four bytes in the order of the
// machine, which is little-endian on all that spoor is built for.
func endpoint(word string) (netip.Addr, uint16, bool) {
	host, port, ok := strings.Cut(word, ":")
	raw, err := hex.DecodeString(host)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || err2 != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.Addr{}, 0, false
	}
	for i := 0; i < len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	addr, ok := netip.AddrFromSlice(raw)
	return addr.Unmap(), uint16(number), ok
}
