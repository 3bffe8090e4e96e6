package qmail

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"spoor/internal/disk"
)

// mutex is lock/sendmutex of a queue, whose flock(2) qmail-send holds as long as it
// runs (qmail-send.c).
type mutex struct {
	lock          *disk.Dir
	inode, device uint64
}

const mutexName = "sendmutex"

func openMutex(top *disk.Dir, queueDir string) (mutex, error) {
	lock, err := top.OpenDir(path.Join(queueDir, "lock"))
	if err != nil {
		return mutex{}, fmt.Errorf("the mutex of qmail-send: %w", err)
	}
	st, err := lock.Stat(mutexName)
	if err != nil {
		return mutex{}, errors.Join(fmt.Errorf("the mutex of qmail-send: %w", err), lock.Close())
	}
	return mutex{lock: lock, inode: st.Inode, device: st.Device}, nil
}

func (m mutex) close() error { return m.lock.Close() }

// holder is the qmail-send that has the lock. It does not try the lock: a
// qmail-send that starts at that moment would give up. It returns errDown or
// errOtherHolder.
func (m mutex) holder() (osProcess, error) {
	// The kernel shows its locks a page at a time, and may skip some that others
	// give back meanwhile.
	const looks = 3
	for range looks {
		pids, err := flockHolders(m.inode)
		if err != nil {
			return osProcess{}, err
		}
		for _, pid := range pids {
			p, err := readOSProcess(pid)
			if err != nil || !p.runs() || !p.has(m.device, m.inode) {
				continue
			}
			if !p.isProgram("qmail-send") {
				return p, fmt.Errorf("%s, PID %d, has %s: %w", p.name, p.pid, path.Join(m.lock.Name(), mutexName), errOtherHolder)
			}
			return p, nil
		}
	}
	return osProcess{}, errDown
}

// mustBeFree takes the lock and gives it back.
func (m mutex) mustBeFree() error {
	f, err := m.lock.OpenWrite(mutexName)
	if err != nil {
		return err
	}
	err = f.Flock()
	if errors.Is(err, disk.ErrLocked) {
		err = errors.Join(errRestarted, err)
	}
	return errors.Join(err, f.Close())
}

// flockHolders lists the processes that have a flock(2) on a file of an inode
// number, on any file system: some have other device numbers there than in
// stat(2). It reads proc_locks(5):
//
//	12: FLOCK  ADVISORY  WRITE 4242 fe:00:131074 0 EOF
func flockHolders(inode uint64) ([]int, error) {
	data, err := os.ReadFile("/proc/locks")
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line) // of one that waits, the second is "->"
		if len(fields) < 6 || fields[1] != "FLOCK" {
			continue
		}
		pid, err := strconv.Atoi(fields[4])
		if err == nil && pid > 0 && strings.HasSuffix(fields[5], ":"+strconv.FormatUint(inode, 10)) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// has reports whether the process has that file open.
func (p osProcess) has(device, inode uint64) bool {
	folder := p.path("fd")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return false
	}
	for _, entry := range entries {
		var st unix.Stat_t
		if unix.Stat(path.Join(folder, entry.Name()), &st) == nil && st.Ino == inode && st.Dev == device {
			return true
		}
	}
	return false
}
