package qmailgen

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// owner is a UID and a GID; chown applies them if the caller is root.
type owner struct{ uid, gid int }

func chown(name string, o owner) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(name, o.uid, o.gid)
}

// queue is a qmail queue that is being filled. Its methods may be called by
// several goroutines at once.
type queue struct {
	split  int
	asRoot bool
	temp   atomic.Uint64 // names in pid, as qmail-queue makes them unique

	pid, bounce               folder
	mess, info, local, remote []folder // by ID modulo split
	todo, intd                []folder // one, or as many as split
}

// folder is an open directory.
type folder struct {
	file *os.File
	fd   int
}

// createQueue makes the empty queue, with the owners and modes of qmail's
// hier.c.
func createQueue(name string, o Options) (*queue, error) {
	qmailq := owner{uid: qmailqUID, gid: qmailGID}
	qmails := owner{uid: qmailsUID, gid: qmailGID}
	if err := makeFolder(name, 0o750, qmailq); err != nil {
		return nil, err
	}
	if err := createLock(filepath.Join(name, "lock"), qmailq, qmails); err != nil {
		return nil, err
	}
	todoSplit := 0
	if o.BigTodo {
		todoSplit = o.Split
	}
	q := &queue{split: o.Split, asRoot: os.Geteuid() == 0}
	var pid, bounce []folder
	for _, one := range []struct {
		name  string
		mode  fs.FileMode
		owner owner
		split int
		out   *[]folder
	}{
		{"pid", 0o700, qmailq, 0, &pid},
		{"intd", 0o700, qmailq, todoSplit, &q.intd},
		{"todo", 0o750, qmailq, todoSplit, &q.todo},
		{"bounce", 0o700, qmails, 0, &bounce},
		{"mess", 0o750, qmailq, o.Split, &q.mess},
		{"info", 0o700, qmails, o.Split, &q.info},
		{"local", 0o700, qmails, o.Split, &q.local},
		{"remote", 0o700, qmails, o.Split, &q.remote},
	} {
		folders, err := makeFolders(filepath.Join(name, one.name), one.mode, one.owner, one.split)
		if err != nil {
			q.close()
			return nil, err
		}
		*one.out = folders
	}
	q.pid, q.bounce = pid[0], bounce[0]
	return q, nil
}

func (q *queue) close() {
	all := []folder{q.pid, q.bounce}
	for _, list := range [][]folder{q.mess, q.info, q.local, q.remote, q.todo, q.intd} {
		all = append(all, list...)
	}
	for _, d := range all {
		if d.file != nil {
			_ = d.file.Close()
		}
	}
}

// put queues l the way qmail-queue(8) and qmail-send(8) do and returns its ID,
// the inode number of the content. info comes last: it is what makes a
// preprocessed message visible.
func (q *queue) put(l *letter) (uint64, error) {
	content := file{data: l.content, mode: 0o644, owner: owner{uid: qmailqUID, gid: l.caller.gid}, modified: l.queued}
	temp := "1." + strconv.FormatInt(l.queued.Unix(), 10) + "." + strconv.FormatUint(q.temp.Add(1), 10)
	id, err := q.create(q.pid, temp, content)
	if err != nil {
		return 0, fmt.Errorf("pid/%s: %w", temp, err)
	}
	name := strconv.FormatUint(id, 10)
	if err := unix.Renameat(q.pid.fd, temp, q.of(q.mess, id).fd, name); err != nil {
		return 0, fmt.Errorf("mess/%s: %w", name, err)
	}
	if l.todo {
		return id, q.putTodo(id, l)
	}
	return id, q.putPreprocessed(id, l)
}

func (q *queue) putTodo(id uint64, l *letter) error {
	name := strconv.FormatUint(id, 10)
	envelope := file{data: l.envelope(nil), mode: 0o644, owner: owner{uid: qmailqUID, gid: l.caller.gid}, modified: l.queued}
	if _, err := q.create(q.of(q.intd, id), name, envelope); err != nil {
		return fmt.Errorf("intd/%s: %w", name, err)
	}
	if err := unix.Linkat(q.of(q.intd, id).fd, name, q.of(q.todo, id).fd, name, 0); err != nil {
		return fmt.Errorf("todo/%s: %w", name, err)
	}
	return nil
}

func (q *queue) putPreprocessed(id uint64, l *letter) error {
	name := strconv.FormatUint(id, 10)
	seen := l.queued.Add(preprocessing)
	for _, one := range []struct {
		folder   folder
		data     []byte
		modified time.Time
	}{
		{q.bounce, l.failures, seen.Add(attempt)},
		{q.of(q.local, id), l.channel(nil, true), seen.Add(attempt)},
		{q.of(q.remote, id), l.channel(nil, false), seen.Add(attempt)},
		{q.of(q.info, id), l.info(nil), seen},
	} {
		if len(one.data) == 0 {
			continue
		}
		f := file{data: one.data, mode: 0o600, owner: owner{uid: qmailsUID, gid: qmailGID}, modified: one.modified}
		if _, err := q.create(one.folder, name, f); err != nil {
			return fmt.Errorf("%s/%s: %w", one.folder.file.Name(), name, err)
		}
	}
	return nil
}

const (
	preprocessing = 210 * time.Millisecond // from qmail-queue to qmail-send's info
	attempt       = 3 * time.Second        // from there to the outcome of the first attempt
)

func (q *queue) of(list []folder, id uint64) folder { return list[id%uint64(len(list))] }

// file is what create writes.
type file struct {
	data     []byte
	mode     uint32
	owner    owner
	modified time.Time
}

// create writes a new file with a single write(2) and returns its inode number.
func (q *queue) create(in folder, name string, f file) (ino uint64, err error) {
	fd, err := unix.Openat(in.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, f.mode)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if n, err := unix.Write(fd, f.data); err != nil {
		return 0, err
	} else if n < len(f.data) {
		return 0, io.ErrShortWrite
	}
	if q.asRoot {
		if err := unix.Fchown(fd, f.owner.uid, f.owner.gid); err != nil {
			return 0, err
		}
	}
	if err := unix.Fchmod(fd, f.mode); err != nil { // whatever the umask
		return 0, err
	}
	// The access time stays: an old one would make the first reader of a
	// benchmark pay for relatime's update.
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(f.modified.UnixNano())}
	if err := unix.UtimesNanoAt(in.fd, name, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	return st.Ino, nil
}
