// Package disktest makes calls of package disk fail at a chosen point, or be the
// last ones before a crash.
package disktest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"

	"spoor/internal/disk"
)

// ErrCrash is what every call returns after the crash: the process is gone, and
// nothing it does any more has an effect.
var ErrCrash = errors.New("the process has crashed")

// Fault is what happens at the chosen call.
type Fault struct {
	Name string
	// At decides on the call; after is whether all later ones fail too.
	At    func(op disk.Op) error
	After bool
}

// Faults lists the faults that a disk and a kernel have in store.
func Faults() []Fault {
	return []Fault{
		{Name: "crash", At: func(disk.Op) error { return ErrCrash }, After: true},
		{Name: "torn-crash", At: func(op disk.Op) error { return &disk.Torn{Bytes: op.Bytes / 2, Err: ErrCrash} }, After: true},
		{Name: "ENOSPC", At: onlyWhere(syscall.ENOSPC, "write", "create", "mkdir", "link", "rename", "mkfifo", "exchange", "fsync", "syncfs", "setxattr")},
		{Name: "EIO", At: func(disk.Op) error { return syscall.EIO }},
		{Name: "EACCES", At: onlyWhere(syscall.EACCES, "open", "create", "mkdir", "link", "rename", "unlink", "rmdir", "chown", "chmod", "utimes", "list", "stat", "setxattr", "removexattr", "setflags")},
	}
}

func onlyWhere(errno syscall.Errno, names ...string) func(disk.Op) error {
	return func(op disk.Op) error {
		if slices.Contains(names, op.Name) {
			return errno
		}
		return nil
	}
}

// Script counts calls, and lets a fault happen at one of them. The zero value
// only counts. Its methods may be called by several goroutines at once.
type Script struct {
	Fault Fault
	N     int // of the call that the fault happens at, from 1; 0 is never

	mu      sync.Mutex
	calls   int
	crashed bool
	last    disk.Op
}

// Seam is the disk.Seam of the script.
func (s *Script) Seam(op disk.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crashed {
		return ErrCrash
	}
	s.calls++
	if s.N == 0 || s.calls != s.N {
		return nil
	}
	s.last = op
	err := s.Fault.At(op)
	s.crashed = s.Fault.After && err != nil
	return err
}

// Calls is how many calls were made before a crash.
func (s *Script) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// String names the call at which the fault happened.
func (s *Script) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%s at call %d (%s %s)", s.Fault.Name, s.N, s.last.Name, s.last.Path)
}
