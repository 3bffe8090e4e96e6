package measure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
)

// reload tells a daemon to read its configuration again.
type reload struct {
	server *Server
	spec   *spoor.Reload
}

func (r *reload) do(_ context.Context, records *disk.Dir) (string, error) {
	if err := save(records, beforeName, r.spec); err != nil {
		return "", err
	}
	if r.spec.Undone {
		return "", nil
	}
	return r.signal()
}

func (r *reload) undo(_ context.Context, records *disk.Dir) (string, error) {
	var spec spoor.Reload
	if found, err := load(records, beforeName, &spec); err != nil || !found || !r.spec.Undone {
		return "", err
	}
	return r.signal()
}

const notRunning = "it does not run, and will read its configuration when it starts"

// signal sends SIGHUP to the process of the PID file, if that is the daemon.
func (r *reload) signal() (string, error) {
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
	return r.hangUp(pid)
}

func (r *reload) hangUp(pid int) (string, error) {
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
	if err := unix.PidfdSendSignal(fd, unix.SIGHUP, nil, 0); err != nil {
		return "", fmt.Errorf("process %d: %w", pid, err)
	}
	return "", nil
}
