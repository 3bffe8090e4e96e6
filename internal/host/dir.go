package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Dir is an open directory. The directory itself is found through os.Root; a
// file in it is opened by its bare name relative to the directory's
// descriptor, with O_NOFOLLOW, so it cannot lead anywhere else. That saves the
// extra system calls and allocations that os.Root spends on each file, which
// matters for queues of hundreds of thousands of files.
//
// Its methods may be called by several goroutines at once.
type Dir struct {
	file *os.File
	fd   int
	name string
}

// OpenDir opens a directory below the root. The caller closes it.
func (r *Root) OpenDir(name string) (*Dir, error) {
	f, err := r.open(name, syscall.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &Dir{file: f, fd: int(f.Fd()), name: Abs(name)}, nil
}

// OpenDir opens a directory inside d. It returns ELOOP or ENOTDIR for a
// symbolic link.
func (d *Dir) OpenDir(name string) (*Dir, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(d.fd, name, flags|unix.O_NOATIME, 0)
	if errors.Is(err, unix.EPERM) {
		fd, err = unix.Openat(d.fd, name, flags, 0)
	}
	if err != nil {
		return nil, err
	}
	full := path.Join(d.name, name)
	return &Dir{file: os.NewFile(uintptr(fd), full), fd: fd, name: full}, nil
}

// File is the open directory, to be handed to another program. It is d's: the
// caller does not close it.
func (d *Dir) File() *os.File { return d.file }

// Name is the path of d below the root, with a leading slash.
func (d *Dir) Name() string { return d.name }

// Close closes the directory.
func (d *Dir) Close() error { return d.file.Close() }

// FileType is the d_type of readdir(3).
type FileType uint8

// The types that matter here; every other one is neither.
const (
	TypeUnknown   FileType = unix.DT_UNKNOWN
	TypeRegular   FileType = unix.DT_REG
	TypeDirectory FileType = unix.DT_DIR
	TypeSymlink   FileType = unix.DT_LNK
)

// Entry is one name in a directory. Name is overwritten by the next entry.
type Entry struct {
	Name []byte
	Type FileType
}

const (
	direntReclen = 16 // offset of d_reclen in struct linux_dirent64, getdents(2)
	direntType   = 18
	direntName   = 19
	direntBuffer = 64 << 10
	direntSmall  = 8 << 10
)

// Entries yields the names in d but "." and "..", in the order of the file
// system. The type is looked up where the file system does not tell it. A
// directory can be walked again, but not by two goroutines at once.
func (d *Dir) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if _, err := unix.Seek(d.fd, 0, unix.SEEK_SET); err != nil {
			yield(Entry{}, fmt.Errorf("rewind %s: %w", d.name, err))
			return
		}
		size := direntBuffer
		var st unix.Stat_t
		if unix.Fstat(d.fd, &st) == nil && st.Size < direntBuffer {
			size = direntSmall // most folders of a web root
		}
		buf := make([]byte, size)
		for {
			n, err := unix.Getdents(d.fd, buf)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				yield(Entry{}, fmt.Errorf("list %s: %w", d.name, err))
				return
			}
			if n <= 0 {
				return
			}
			if !d.yieldBlock(buf[:n], yield) {
				return
			}
		}
	}
}

func (d *Dir) yieldBlock(block []byte, yield func(Entry, error) bool) bool {
	for len(block) > direntName {
		size := int(binary.NativeEndian.Uint16(block[direntReclen:]))
		entry := Entry{Name: block[direntName:size], Type: FileType(block[direntType])}
		block = block[size:]
		entry.Name = entry.Name[:indexNUL(entry.Name)]
		if string(entry.Name) == "." || string(entry.Name) == ".." {
			continue
		}
		if entry.Type == TypeUnknown {
			entry.Type = d.typeOf(string(entry.Name))
		}
		if !yield(entry, nil) {
			return false
		}
	}
	return true
}

func indexNUL(name []byte) int {
	for i, c := range name {
		if c == 0 {
			return i
		}
	}
	return len(name)
}

func (d *Dir) typeOf(name string) FileType {
	var st unix.Stat_t
	if unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return TypeUnknown
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return TypeRegular
	case unix.S_IFDIR:
		return TypeDirectory
	case unix.S_IFLNK:
		return TypeSymlink
	}
	return TypeUnknown
}

// File is an open file of a Dir: a bare descriptor, for reading many files at
// the cost of the system calls alone.
//
// Its calls, and Dir.Open, do not tell the Go scheduler that they may block:
// on a queue in memory that saves a fifth of the time of a scan
// (bench/README.md). The price is that a goroutine which waits for a disk holds
// a processor meanwhile, so there must be fewer readers than GOMAXPROCS.
type File int

// maxName is NAME_MAX of limits.h, with its NUL.
const maxName = 256

const fileFlags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC

// Open opens the file called name in d, without touching its access time where
// the caller may ask for that. A symbolic link is never followed: it gives
// ELOOP. Errors are bare syscall.Errno values, comparable and without
// allocation.
func (d *Dir) Open(name []byte) (File, error) {
	file, errno := d.openat(name, fileFlags|unix.O_NOATIME)
	if errno == unix.EPERM { // O_NOATIME is for the owner and root only
		file, errno = d.openat(name, fileFlags)
	}
	if errno != 0 {
		return -1, errno
	}
	return file, nil
}

func (d *Dir) openat(name []byte, flags int) (File, syscall.Errno) {
	var path [maxName]byte
	if len(name) >= maxName || len(name) == 0 || indexNUL(name) != len(name) {
		return -1, unix.EINVAL
	}
	copy(path[:], name)
	for {
		fd, _, errno := syscall.RawSyscall6(unix.SYS_OPENAT, uintptr(d.fd), uintptr(unsafe.Pointer(&path[0])), uintptr(flags), 0, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		runtime.KeepAlive(d.file)
		return File(fd), errno
	}
}

// Read fills buf from the file's current offset and returns how much it got.
// Less than len(buf) means the end of a regular file.
func (f File) Read(buf []byte) (int, error) {
	got := 0
	for got < len(buf) {
		n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(f), uintptr(unsafe.Pointer(&buf[got])), uintptr(len(buf)-got))
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return got, errno
		}
		if n == 0 {
			break
		}
		got += int(n)
		if got < len(buf) {
			break // a regular file gives less than asked only at its end
		}
	}
	return got, nil
}

// Stat is fstat(2).
func (f File) Stat() (Stat, error) {
	var st unix.Stat_t
	if _, _, errno := syscall.RawSyscall(unix.SYS_FSTAT, uintptr(f), uintptr(unsafe.Pointer(&st)), 0); errno != 0 {
		return Stat{}, errno
	}
	return Stat{
		SizeBytes: st.Size,
		Modified:  st.Mtim.Nano(),
		UID:       int(st.Uid),
		GID:       int(st.Gid),
		Links:     int(st.Nlink),
		Regular:   st.Mode&unix.S_IFMT == unix.S_IFREG,
		Inode:     st.Ino,
		Mode:      st.Mode & 0o7777,
	}, nil
}

// ReadAt fills buf from an offset and returns how much it got. Less than len(buf)
// means the end of a regular file.
func (f File) ReadAt(buf []byte, offset int64) (int, error) {
	got := 0
	for got < len(buf) {
		n, _, errno := syscall.RawSyscall6(unix.SYS_PREAD64, uintptr(f), uintptr(unsafe.Pointer(&buf[got])), uintptr(len(buf)-got), uintptr(offset)+uintptr(got), 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return got, errno
		}
		if n == 0 {
			break
		}
		got += int(n)
	}
	return got, nil
}

// Close closes the descriptor.
func (f File) Close() { _, _, _ = syscall.RawSyscall(unix.SYS_CLOSE, uintptr(f), 0, 0) }

// OwnDescriptors gives the calling goroutine, for the rest of its life, a table
// of descriptors of its own, with those that are open now. Opening and closing
// files then takes no lock and no atomic count that other readers want too:
// measured, 6 to 8 % of a scan's time on two processors. Files that it opens
// are not valid in other goroutines. Where the kernel refuses, nothing changes.
func OwnDescriptors() {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if unix.Gettid() == unix.Getpid() {
		// The first thread does not end, and /proc/self is for ever what it has open.
		runtime.UnlockOSThread()
		return
	}
	_ = unix.Unshare(unix.CLONE_FILES)
}

// Stat is what a scan needs to know of an open file.
type Stat struct {
	SizeBytes int64
	Modified  int64 // nanoseconds since the Unix epoch
	UID, GID  int
	Links     int // 0: the file has been removed since it was opened
	Regular   bool
	Inode     uint64
	Mode      uint32 // permission bits, with set-id and sticky
}
