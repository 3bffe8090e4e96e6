package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
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

// reload tells a daemon to read its configuration again.
type reload struct {
	server *Server
	spec   *spoor.Reload
}

func (r *reload) do(ctx context.Context, records *disk.Dir) (string, error) {
	if err := save(records, beforeName, r.spec); err != nil {
		return "", err
	}
	if r.spec.Undone {
		return "", nil
	}
	return r.signal(ctx)
}

func (r *reload) undo(ctx context.Context, records *disk.Dir) (string, error) {
	var spec spoor.Reload
	if found, err := load(records, beforeName, &spec); err != nil || !found || !r.spec.Undone {
		return "", err
	}
	return r.signal(ctx)
}

const notRunning = "it does not run, and will read its configuration when it starts"

// signal sends SIGHUP to the process of the PID file, if that is the daemon.
func (r *reload) signal(ctx context.Context) (string, error) {
	at, err := r.server.place(r.spec.PIDFile)
	if errors.Is(err, fs.ErrNotExist) {
		return notRunning, nil
	}
	if err != nil {
		return "", err
	}
	defer at.close()
	text, err := at.dir.Get(at.name, 100)
	if errors.Is(err, fs.ErrNotExist) {
		return notRunning, nil
	}
	if err != nil {
		return "", err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return "", fmt.Errorf("%s holds %q, no number of a process: %w", r.spec.PIDFile, text, ErrUnsafe)
	}
	return r.hangUp(ctx, pid)
}

func (r *reload) hangUp(ctx context.Context, pid int) (string, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return notRunning, nil
	}
	if err != nil {
		return "", fmt.Errorf("process %d: %w", pid, err)
	}
	defer func() { _ = unix.Close(fd) }()
	exe, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	if errors.Is(err, fs.ErrNotExist) {
		return notRunning, nil
	}
	if err != nil {
		return "", err
	}
	if name := path.Base(strings.TrimSuffix(exe, " (deleted)")); name != r.spec.Exe {
		return notRunning + " (process " + strconv.Itoa(pid) + " is " + name + ")", nil
	}
	before, err := workersOf(pid, r.spec.Workers)
	if err == nil {
		err = unix.PidfdSendSignal(fd, unix.SIGHUP, nil, 0)
	}
	if err != nil {
		return "", fmt.Errorf("process %d: %w", pid, err)
	}
	return replaced(ctx, before), nil
}

// worker is a process that a daemon has started.
type worker struct {
	pid     int
	started uint64
}

// workersOf are the children of a daemon that run one of these programs.
func workersOf(daemon int, programs []string) ([]worker, error) {
	if len(programs) == 0 {
		return nil, nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var list []worker
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(procOf(pid) + "/stat")
		if err != nil || parentOf(stat) != daemon {
			continue
		}
		exe, err := os.Readlink(procOf(pid) + "/exe")
		started, ok := startOf(stat)
		if err == nil && ok && slices.Contains(programs, path.Base(strings.TrimSuffix(exe, " (deleted)"))) {
			list = append(list, worker{pid, started})
		}
	}
	return list, nil
}

// held is how long a worker has to keep one connection to be left to it: its daemon has
// read its configuration by then, and it ends behind that client.
const held = 500 * time.Millisecond

// replaced waits until workers are gone, or serve a client that they had already. It
// remarks on those that stay.
func replaced(ctx context.Context, before []worker) string {
	began := time.Now()
	left := slices.Clone(before)
	first := map[worker]uint64{} // the connection that it has, and since when
	since := map[worker]time.Time{}
	for {
		now := time.Now()
		waiting := 0
		left = slices.DeleteFunc(left, func(w worker) bool {
			stat, err := os.ReadFile(procOf(w.pid) + "/stat")
			started, _ := startOf(stat)
			return err != nil || started != w.started
		})
		for _, w := range left {
			if one := connectionOf(w.pid); one == 0 || one != first[w] {
				first[w], since[w] = one, now
			}
			if first[w] == 0 || now.Sub(since[w]) < held {
				waiting++
			}
		}
		switch {
		case len(left) == 0:
			return ""
		case waiting == 0 || now.Sub(began) > patience || ctx.Err() != nil:
			return fmt.Sprintf("%d of its processes still work by what was configured before, until their clients leave", len(left))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func procOf(pid int) string { return "/proc/" + strconv.Itoa(pid) }

// connectionOf is the inode number of a connection that a process serves, or 0.
func connectionOf(pid int) uint64 {
	sockets, err := socketsOf(procOf(pid))
	if err != nil {
		return 0
	}
	for _, name := range []string{"/net/tcp", "/net/tcp6"} {
		table, err := os.ReadFile(procOf(pid) + name)
		if err != nil {
			continue
		}
		for _, c := range connectionsOf(table, false) {
			if sockets[c.inode] {
				return c.inode
			}
		}
	}
	return 0
}

// parentOf is field 4 of /proc/PID/stat, or 0.
func parentOf(stat []byte) int {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from field 3 on
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}
