package exim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// Controller changes the spool of one Exim. It implements mta.Controller.
//
// Exim need not be stopped: it works on a message only while it holds a lock on
// the first line of ID-D (spool_in.c, spool_open_datafile), and so does the
// Controller. See move for what protects a message between two steps.
type Controller struct {
	control mta.Control
	conf    Config
	program string // the exim binary, "" if there is none in its places
	spool   *disk.Dir
	now     func() time.Time

	opening sync.Mutex // guards the maps: several goroutines use them
	places  map[spot]*place
	shelves map[string]*disk.Dir
	homes   []*disk.Dir // the folders above the shelves: spoor, then spoor/PLAN
	readers sync.Pool   // of *headerReader
	known   shelvedMessages
}

// headerReader reads one -H file after another.
type headerReader struct {
	header spoolHeader
	text   []byte // that was read last
}

// reader returns a headerReader, which the caller gives back by c.readers.Put.
func (c *Controller) reader() *headerReader {
	if r, ok := c.readers.Get().(*headerReader); ok {
		return r
	}
	return &headerReader{}
}

// holding is the folder of the spool where messages wait out of Exim's reach. Exim
// looks for messages in input and, with named queues, in folders of their names.
const holding = "spoor"

// programs are where the packages of Debian and of the panels install Exim.
var programs = [...]string{"/usr/sbin/exim4", "/usr/sbin/exim"}

// openControl opens the spool to change it.
func openControl(s *mta.Server, c mta.Control) (mta.Controller, error) {
	conf := ReadConfig(s.Root, s.Passwd, s.Gaps)
	if conf.Spool == "" {
		return nil, mta.ErrNoQueue
	}
	if !isPlan(c.Plan) {
		return nil, fmt.Errorf("plan %q: not a plan's ID", c.Plan)
	}
	linkFree, err := s.Root.Resolve(conf.Spool)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, mta.ErrNoQueue
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", conf.Spool, err)
	}
	spool, err := c.Top.OpenDir(linkFree)
	if err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	if err := checkSpool(spool); err != nil {
		_ = spool.Close()
		return nil, err
	}
	k := &Controller{
		control: c, conf: conf, spool: spool, now: time.Now,
		places: map[spot]*place{}, shelves: map[string]*disk.Dir{},
	}
	for _, name := range append(programs[:], conf.Program) {
		if info, err := s.Root.Stat(name); name != "" && err == nil && info.Mode().IsRegular() {
			k.program = name
			break
		}
	}
	return k, nil
}

// checkSpool wants all of the spool on one file system, since messages are moved
// by renaming, and wants to be allowed to write there.
func checkSpool(spool *disk.Dir) error {
	top, err := spool.Stat(".")
	if err != nil {
		return err
	}
	for _, name := range [...]string{"input", "msglog"} {
		st, err := spool.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == "input":
			return mta.ErrNoQueue
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !st.Directory:
			return &fs.PathError{Op: "open", Path: path.Join(spool.Name(), name), Err: syscall.ENOTDIR}
		case st.Device != top.Device:
			return fmt.Errorf("%s/%s is on another file system: %w", spool.Name(), name, mta.ErrUnsupported)
		case os.Geteuid() != 0 && os.Geteuid() != st.UID:
			return &fs.PathError{Op: "open", Path: path.Join(spool.Name(), name), Err: fs.ErrPermission}
		}
	}
	return nil
}

func isPlan(id string) bool {
	for i := range len(id) {
		if id[i] != '-' && digit62(id[i]) < 0 {
			return false
		}
	}
	return id != "" && id[0] != '-'
}

// Settle makes everything durable that was done to the spool.
func (c *Controller) Settle() error { return c.spool.SyncAll() }

// Close closes the spool and removes the holding place where it is empty.
func (c *Controller) Close() error {
	var failed error
	if len(c.homes) > 0 && c.control.State != nil {
		failed = c.sweepAll()
	}
	for _, p := range c.places {
		p.close()
	}
	for _, dir := range c.shelves {
		_ = dir.Close()
	}
	if len(c.homes) > 0 {
		failed = errors.Join(failed, sweep(c.homes[0]), removeEmpty(c.spool, holding))
	}
	for _, dir := range c.homes {
		_ = dir.Close()
	}
	c.places, c.shelves, c.homes = map[spot]*place{}, map[string]*disk.Dir{}, nil
	return errors.Join(failed, c.spool.Close())
}

// sweep removes the empty folders of the holding place, those of earlier plans too:
// a run that was killed when all was done has left them.
func sweep(home *disk.Dir) error {
	plans, err := home.Names()
	for _, plan := range plans {
		below, openErr := home.OpenDir(plan)
		if openErr != nil {
			continue // not made by spoor
		}
		shelves, listErr := below.Names()
		err = errors.Join(err, listErr)
		for _, shelf := range shelves {
			err = errors.Join(err, removeEmpty(below, shelf))
		}
		err = errors.Join(err, below.Close(), removeEmpty(home, plan))
	}
	return err
}

func removeEmpty(d *disk.Dir, name string) error {
	err := d.RemoveDir(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}

// hopeless reports whether no other message will fare better.
func hopeless(err error) bool {
	for _, errno := range [...]syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

func done() spoor.Outcome            { return spoor.Outcome{Result: spoor.ResultDone} }
func failed(err error) spoor.Outcome { return spoor.Outcome{Result: spoor.ResultFailed, Err: err} }

// outcome is what an error of one message means.
func outcome(err error) spoor.Outcome {
	switch {
	case err == nil:
		return done()
	case errors.Is(err, disk.ErrLocked), errors.Is(err, mta.ErrBusy):
		return spoor.Outcome{Result: spoor.ResultBusy, Err: mta.ErrBusy}
	case errors.Is(err, mta.ErrChanged):
		return spoor.Outcome{Result: spoor.ResultChanged, Err: err}
	}
	return failed(err)
}
