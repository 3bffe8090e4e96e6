package disk

import (
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Stat is what is kept of a file beside its content.
type Stat struct {
	Regular   bool
	Directory bool
	FIFO      bool
	Mode      uint32 // permission bits, with set-id and sticky
	UID, GID  int
	SizeBytes int64
	Inode     uint64
	Device    uint64
	Links     int
	Accessed  time.Time // UTC
	Modified  time.Time // UTC
}

func statOf(st *unix.Stat_t) Stat {
	kind := st.Mode & unix.S_IFMT
	return Stat{
		Regular: kind == unix.S_IFREG, Directory: kind == unix.S_IFDIR, FIFO: kind == unix.S_IFIFO,
		Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid),
		SizeBytes: st.Size, Inode: st.Ino, Device: st.Dev, Links: int(st.Nlink),
		Accessed: time.Unix(st.Atim.Unix()).UTC(), Modified: time.Unix(st.Mtim.Unix()).UTC(),
	}
}

func timespecs(accessed, modified time.Time) [2]unix.Timespec {
	return [2]unix.Timespec{unix.NsecToTimespec(accessed.UnixNano()), unix.NsecToTimespec(modified.UnixNano())}
}

// procName names a descriptor of the calling thread for calls that want a path
// (proc(5)). /proc/self would be the table of the first thread, and a thread may
// have a table of its own (host.OwnDescriptors).
func procName(fd int) string { return "/proc/thread-self/fd/" + strconv.Itoa(fd) }

// futimens is futimens(3).
func futimens(fd int, times *[2]unix.Timespec) error {
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(times)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// Names lists the names in the directory but "." and "..", in the order of the
// file system.
func (d *Dir) Names() ([]string, error) {
	var names []string
	err := d.do("list", ".", func() error {
		names = names[:0]
		if _, err := unix.Seek(d.fd, 0, unix.SEEK_SET); err != nil {
			return err
		}
		buf := make([]byte, 64<<10)
		for {
			n, err := unix.ReadDirent(d.fd, buf)
			if err != nil || n == 0 {
				return err
			}
			_, _, names = unix.ParseDirent(buf[:n], -1, names)
		}
	})
	return names, err
}
