package recorder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"spoor/internal/origin"
)

// Bounds of the log. All of it together is never larger than
// (keptLogs + 1) * logBytes.
const (
	logBytes = 32 << 20 // of a file, before it is rotated
	keptLogs = 7        // rotated files

	// allowance is what one user may write, in bytes: so much at once, and again
	// each day. The log of others stays readable whatever he sends.
	allowance    = 8 << 20
	allowanceDay = 8 << 20
	sampleEvery  = 100 // of the messages beyond that, one is recorded
	maxUsers     = 1 << 14
)

// log is the file of records. Its methods may be called by several goroutines.
type log struct {
	path string
	now  func() time.Time

	mu    sync.Mutex
	file  *os.File
	size  int64
	users map[int]*account
	line  []byte
}

// account is what a user may still write.
type account struct {
	bytes float64
	at    time.Time
	left  int // records that were left out since the last one
}

// openLog opens the log to be appended to. It is root's, 0600, in a folder that
// only root may write to: records name customers' scripts.
func openLog(path string, now func() time.Time) (*log, error) {
	if err := privateFolder(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	l := &log{path: path, now: now, users: map[int]*account{}}
	return l, l.open()
}

// errShared is returned for a folder where others could plant files.
var errShared = errors.New("belongs to another user, or others may write to it")

// privateFolder makes a folder, or refuses one that others may write to.
func privateFolder(name string, mode fs.FileMode) error {
	if err := os.MkdirAll(name, mode); err != nil {
		return err
	}
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return err
	}
	if !info.IsDir() || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s: %w", name, errShared)
	}
	return nil
}

func (l *log) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	l.file, l.size = f, info.Size()
	return nil
}

// write appends a record, if its user has not written too much.
func (l *log) write(r *origin.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(r.Facts.UID)
	r.Left = a.left
	line, err := r.Append(l.line[:0])
	if err != nil {
		return err
	}
	l.line = line
	if a.bytes -= float64(len(line)); a.bytes < 0 && r.Over == "" {
		if a.left++; a.left < sampleEvery {
			a.bytes += float64(len(line))
			return nil
		}
	}
	a.left = 0
	if l.size+int64(len(line)) > logBytes {
		l.rotate()
	}
	return l.append(line)
}

// append writes a whole line. A line that was cut is ended, so that the next one
// is whole.
func (l *log) append(line []byte) error {
	if l.file == nil {
		if err := l.open(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	if err != nil && n > 0 {
		_ = l.file.Truncate(l.size - int64(n))
		l.size -= int64(n)
	}
	return err
}

// account returns what a user may write now.
func (l *log) account(uid int) *account {
	now := l.now()
	a := l.users[uid]
	if a == nil {
		if len(l.users) >= maxUsers {
			clear(l.users)
		}
		a = &account{bytes: allowance, at: now}
		l.users[uid] = a
	}
	if span := now.Sub(a.at); span > 0 {
		a.bytes = min(allowance, max(a.bytes, -allowance)+allowanceDay*span.Hours()/24)
		a.at = now
	}
	return a
}

// rotate gives each file the next number. What cannot be renamed stays as it is,
// and the log goes on in the same file.
func (l *log) rotate() {
	_ = l.file.Sync()
	_ = os.Remove(l.path + "." + strconv.Itoa(keptLogs))
	for i := keptLogs - 1; i > 0; i-- {
		_ = os.Rename(l.path+"."+strconv.Itoa(i), l.path+"."+strconv.Itoa(i+1))
	}
	if os.Rename(l.path, l.path+".1") != nil {
		return
	}
	_ = l.file.Close()
	l.file, l.size = nil, 0
}

func (l *log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Sync()
		_ = l.file.Close()
	}
}
