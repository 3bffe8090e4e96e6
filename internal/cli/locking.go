package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/remedy"
)

// underLock does something with the state folder and the queue locked.
func (o *options) underLock(s *server, do func(state *remedy.State, top *disk.Dir) error) error {
	top, err := disk.Open(s.root.Dir(), o.env.Seam)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	state, err := o.lockState(top)
	if err != nil {
		return err
	}
	defer state.Close()
	unlock, err := s.lockQueue(top)
	if err != nil {
		return err
	}
	defer unlock()
	return do(state, top)
}

// firstPlace is the folder of the queue; of several, the first stands for all.
func firstPlace(s *server) string {
	place, _, _ := strings.Cut(s.adapter.Place(s.mtaServer()), ", ")
	return place
}

// lockQueue keeps a spoor with another state folder from the same queue. A queue
// that is not there, as in the middle of a rebuild, is nobody's.
func (s *server) lockQueue(top *disk.Dir) (unlock func(), err error) {
	name, err := s.root.Resolve(firstPlace(s))
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := top.OpenDir(name)
	if err != nil {
		return nil, err
	}
	if err := d.Flock(); err != nil {
		_ = d.Close()
		if errors.Is(err, disk.ErrLocked) {
			return nil, &statusError{status: exitLocked, err: &spoor.Problem{What: "another spoor, with another --state, is at work on " + d.Name(), So: "nothing was changed", Err: err}}
		}
		return nil, err
	}
	return func() { _ = d.Close() }, nil
}

// lockState opens the state folder and takes the lock.
func (o *options) lockState(top *disk.Dir) (*remedy.State, error) {
	parent, name, err := o.statePlace(top)
	if err != nil {
		return nil, err
	}
	if parent != top {
		defer func() { _ = parent.Close() }()
	}
	state, err := remedy.OpenState(parent, name)
	if err != nil {
		return nil, unusable(err)
	}
	if err := state.Lock(); err != nil {
		state.Close()
		if errors.Is(err, remedy.ErrLocked) {
			return nil, &statusError{status: exitLocked, err: &spoor.Problem{What: err.Error(), So: "nothing was changed", Err: err}}
		}
		return nil, err
	}
	return state, nil
}

// unusable refuses a state folder where a link is, or what others may write to.
func unusable(err error) error {
	for _, sign := range [...]error{remedy.ErrNotOurs, syscall.ENOTDIR, syscall.ELOOP} {
		if errors.Is(err, sign) {
			return &statusError{status: exitRefused, err: &spoor.Problem{
				What: err.Error(), So: "nothing was changed: the state folder must be a folder that only its owner may write to", Err: err,
			}}
		}
	}
	return fmt.Errorf("%w: nothing was changed", err)
}

// defaultState is where journal and vault are, below the root.
const defaultState = "var/lib/spoor"

// statePlace is the state folder: --state is a path of this machine, the default
// one of the examined server.
func (o *options) statePlace(top *disk.Dir) (parent *disk.Dir, name string, err error) {
	if o.state == "" {
		return top, defaultState, nil
	}
	at := o.state
	if !strings.HasPrefix(at, "/") {
		here, err := os.Getwd()
		if err != nil {
			return nil, "", err
		}
		at = here + "/" + at
	}
	parent, err = disk.Open("/", o.env.Seam)
	return parent, at, err
}
