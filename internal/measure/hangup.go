package measure

import (
	"context"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
)

// hangUp ends the connections of a session as if the client had gone, and waits until
// its process has seen that. It goes on to serve others: a daemon that dies while it
// serves its first client is one that cannot be started to Postfix' master(8), which
// then lets the whole service rest (service_throttle_time, a minute).
//
// open is false if there is no such connection any more. ended is false where the
// kernel has no pidfd_getfd(2), or forbids it, or the process keeps the session longer
// than patience.
func hangUp(ctx context.Context, pidfd int, one spoor.Session) (open, ended bool) {
	dir := procOf(one.PID)
	served, err := connectionsIn(dir, false)
	files, err2 := socketFilesOf(dir)
	if err != nil || err2 != nil {
		return true, false
	}
	hung := map[uint64]bool{}
	for _, c := range served {
		if c.client.Unmap() == one.Client.Unmap() {
			hung[c.inode] = false
		}
	}
	for number, inode := range files {
		done, wanted := hung[inode]
		if !wanted || done { // by another of its descriptors, and the process may be gone
			continue
		}
		open = true
		if !shut(pidfd, number, inode) {
			return true, false
		}
		hung[inode] = true
	}
	return open, open && closed(ctx, dir, hung)
}

// shut shuts a socket of another process down, if the file of that number is it still.
func shut(pidfd, number int, inode uint64) bool {
	fd, err := unix.PidfdGetfd(pidfd, number, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino != inode {
		return false
	}
	err = unix.Shutdown(fd, unix.SHUT_RDWR)
	return err == nil || err == unix.ENOTCONN // the client was faster
}

// closed waits until a process has closed sockets, or is gone.
func closed(ctx context.Context, dir string, sockets map[uint64]bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		open := false
		files, _ := socketFilesOf(dir)
		for _, inode := range files {
			open = open || sockets[inode]
		}
		if !open {
			return true
		}
	}
	return false
}

// socketFilesOf are the inode numbers of the sockets that a process has open, by the
// numbers of its files.
func socketFilesOf(dir string) (map[int]uint64, error) {
	entries, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return nil, err
	}
	sockets := map[int]uint64{}
	for _, e := range entries {
		target, err := os.Readlink(path.Join(dir, "fd", e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		text, ok := strings.CutPrefix(target, "socket:[")
		inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64)
		number, err2 := strconv.Atoi(e.Name())
		if ok && err == nil && err2 == nil {
			sockets[number] = inode
		}
	}
	return sockets, nil
}
