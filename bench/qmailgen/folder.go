package qmailgen

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

const tcptoBytes = 1024 // 64 records of 16; all zero means no host is down

// makeFolder creates a directory with exactly that mode and owner.
func makeFolder(name string, mode fs.FileMode, o owner) error {
	if err := os.MkdirAll(name, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(name, mode); err != nil { // whatever the umask
		return err
	}
	return chown(name, o)
}

// makeFolders creates a directory and opens it or, with a split, the numbered
// directories in it.
func makeFolders(name string, mode fs.FileMode, o owner, split int) ([]folder, error) {
	if err := makeFolder(name, mode, o); err != nil {
		return nil, err
	}
	names := []string{name}
	if split > 0 {
		names = names[:0]
	}
	for i := range split {
		names = append(names, filepath.Join(name, strconv.Itoa(i)))
	}
	var list []folder
	for _, one := range names {
		if err := makeFolder(one, mode, o); err != nil {
			return list, err
		}
		f, err := os.Open(one)
		if err != nil {
			return list, err
		}
		list = append(list, folder{file: f, fd: int(f.Fd())})
	}
	return list, nil
}

// createLock makes lock, with the files through which qmail's programs meet.
func createLock(name string, qmailq, qmails owner) error {
	if err := makeFolder(name, 0o750, qmailq); err != nil {
		return err
	}
	trigger := filepath.Join(name, "trigger")
	if err := unix.Mkfifo(trigger, 0o622); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(name, "sendmutex"), nil, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(name, "tcpto"), make([]byte, tcptoBytes), 0o644); err != nil {
		return err
	}
	for _, one := range []struct {
		name  string
		mode  fs.FileMode
		owner owner
	}{
		{"trigger", 0o622, qmails},
		{"sendmutex", 0o600, qmails},
		{"tcpto", 0o644, owner{uid: qmailrUID, gid: qmailGID}},
	} {
		full := filepath.Join(name, one.name)
		if err := os.Chmod(full, one.mode); err != nil { // whatever the umask
			return err
		}
		if err := chown(full, one.owner); err != nil {
			return err
		}
	}
	return nil
}
