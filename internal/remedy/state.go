// Package remedy changes a server without fear. A selection of messages enters
// as a plan; the plan is journalled before each step and after it; the messages
// leave the queue for the vault, or the vault for the queue, through the
// controller of their MTA; a receipt comes out, which can be undone. A run that
// was cut off is found by the next one, and finished.
package remedy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"spoor/internal/disk"
	"spoor/internal/vault"
)

// ErrLocked is returned while another spoor is changing this server.
var ErrLocked = errors.New("another spoor is at work on this server")

// State is the folder that remembers what was done: lock, journal, plans, vault.
type State struct {
	dir     *disk.Dir
	plans   *disk.Dir
	vaults  *disk.Dir
	lock    *disk.File
	Vault   *vault.Vault
	Journal *Journal
}

// Names in the state folder.
const (
	lockName    = "lock"
	journalName = "journal.jsonl"
	plansName   = "plans"
	stepsName   = "steps"
)

// OpenState opens the state folder for reading and for change. It makes it, with
// mode 0700, below parent if it is not there. The lock is not taken.
func OpenState(parent *disk.Dir, name string) (*State, error) {
	dir, err := makePath(parent, name)
	if err != nil {
		return nil, fmt.Errorf("open state folder: %w", err)
	}
	s := &State{dir: dir}
	if err := s.open(); err != nil {
		s.Close()
		return nil, fmt.Errorf("open state folder: %w", err)
	}
	return s, nil
}

// LookState opens a state folder that is there, only to read it. It returns
// fs.ErrNotExist where nothing was ever changed.
func LookState(parent *disk.Dir, name string) (*State, error) {
	dir, err := parent.OpenDir(name)
	if err != nil {
		return nil, err
	}
	s := &State{dir: dir}
	if s.plans, err = dir.OpenDir(plansName); err == nil {
		s.vaults, err = dir.OpenDir(vault.FolderName)
	}
	if err == nil {
		s.Vault, err = vault.Open(s.vaults)
	}
	if err == nil {
		s.Journal, err = readJournal(dir)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *State) open() (err error) {
	if err := private(s.dir); err != nil {
		return err
	}
	if s.plans, err = s.dir.MakeDir(plansName, 0o700); err != nil {
		return err
	}
	if s.vaults, err = s.dir.MakeDir(vault.FolderName, 0o700); err != nil {
		return err
	}
	for _, d := range []*disk.Dir{s.plans, s.vaults} {
		if err := private(d); err != nil {
			return err
		}
	}
	if err := s.dir.Sync(); err != nil {
		return err
	}
	s.Vault, err = vault.Open(s.vaults)
	return err
}

// makePath makes the folders of a path below d that are missing.
func makePath(d *disk.Dir, name string) (*disk.Dir, error) {
	here := d
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
	for i, part := range parts {
		mode := uint32(0o755)
		if i == len(parts)-1 {
			mode = 0o700
		}
		next, err := here.MakeDir(part, mode)
		if err == nil {
			err = here.Sync()
		}
		if here != d {
			_ = here.Close()
		}
		if err != nil {
			return nil, err
		}
		here = next
	}
	return here, nil
}

// ErrNotOurs is returned for a state folder that others may write to.
var ErrNotOurs = errors.New("belongs to another user, or others may write to it")

// private refuses a folder that somebody else could plant files in.
func private(d *disk.Dir) error {
	st, err := d.Stat(".")
	if err != nil {
		return err
	}
	if st.UID != os.Geteuid() || st.Mode&0o022 != 0 {
		return fmt.Errorf("%s: %w", d.Name(), ErrNotOurs)
	}
	return nil
}

// Lock makes this the only spoor that changes the server, and opens the journal
// to be written. It returns ErrLocked, with the holder in its text.
func (s *State) Lock() error {
	f, err := s.dir.OpenWrite(lockName)
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = s.dir.Create(lockName, 0o600); errors.Is(err, fs.ErrExist) {
			f, err = s.dir.OpenWrite(lockName)
		}
	}
	if err != nil {
		return fmt.Errorf("take the lock: %w", err)
	}
	if err := f.Flock(); err != nil {
		defer func() { _ = f.Close() }()
		if errors.Is(err, disk.ErrLocked) {
			return fmt.Errorf("%w (process %s holds %s)", ErrLocked, holder(f), f.Name())
		}
		return fmt.Errorf("take the lock: %w", err)
	}
	s.lock = f
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // for people only: the lock is the flock
	}
	s.Journal, err = openJournal(s.dir)
	return err
}

// holder is the process ID in a lock file, or "of unknown number".
func holder(f *disk.File) string {
	buf := make([]byte, 16)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "of unknown number"
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil {
		return "of unknown number"
	}
	return strconv.Itoa(pid)
}

// Dir is the folder itself.
func (s *State) Dir() *disk.Dir { return s.dir }

// Close gives the lock back.
func (s *State) Close() {
	if s.Journal != nil {
		s.Journal.close()
	}
	for _, d := range []*disk.Dir{s.plans, s.vaults, s.dir} {
		if d != nil {
			_ = d.Close()
		}
	}
	if s.lock != nil {
		_ = s.lock.Close()
	}
}
