package floor

import (
	"strconv"
	"syscall"
	"unsafe"
)

const (
	blockBytes = 4096
	nameBytes  = 32 // longer than any uint64, and a NUL
)

// reader reads files with bare system calls that the Go scheduler is not told
// of. That is right for a measurement of files that are in memory, and for
// nothing else: a slow disk would block the other goroutines too.
type reader struct {
	block [blockBytes]byte
	name  [nameBytes]byte
}

// read opens, reads the first block of and closes one file. It returns bare
// errno values.
func (r *reader) read(folder int, id uint64) (int, error) {
	end := len(strconv.AppendUint(r.name[:0], id, 10))
	r.name[end] = 0
	const flags = syscall.O_RDONLY | syscall.O_CLOEXEC | syscall.O_NOFOLLOW
	fd, _, errno := syscall.RawSyscall6(syscall.SYS_OPENAT, uintptr(folder), uintptr(unsafe.Pointer(&r.name)), flags, 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&r.block)), blockBytes)
	if _, _, failed := syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0); errno == 0 {
		errno = failed
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
