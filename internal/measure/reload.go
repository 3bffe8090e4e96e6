package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	exe, err := os.Readlink(procOf(pid) + "/exe")
	if errors.Is(err, fs.ErrNotExist) {
		return notRunning, nil
	}
	if err != nil {
		return "", err
	}
	if name := programOf(exe); name != r.spec.Exe {
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
	pids, err := running(programs)
	var list []worker
	for _, pid := range pids {
		stat, err := os.ReadFile(procOf(pid) + "/stat")
		if started, ok := startOf(stat); err == nil && ok && parentOf(stat) == daemon {
			list = append(list, worker{pid, started})
		}
	}
	return list, err
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

// connectionOf is the inode number of a connection that a process serves, or 0.
func connectionOf(pid int) uint64 {
	served, err := connectionsIn(procOf(pid), false)
	if err != nil || len(served) == 0 {
		return 0
	}
	return served[0].inode
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
