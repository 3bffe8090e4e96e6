package qmail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	"spoor/internal/disk"
)

// The roles of the files of a message: in its parcel, and as what follows the ID
// and a dot in their names in the holding place.
const (
	roleMess   = "mess"   // the message itself, as qmail-queue wrote it
	roleInfo   = "info"   // F and the sender; its mtime is the time of preprocessing
	roleTodo   = "todo"   // the envelope before preprocessing: u, p, F, T records
	roleIntd   = "intd"   // the same file under its other name, or of a message that was never queued
	roleLocal  = "local"  // recipients on the local channel, T to do, D done
	roleRemote = "remote" // recipients on the remote channel
	roleBounce = "bounce" // text of the bounce that is due
	roleStray  = "stray"  // an info file that a crash left beside todo
)

// Names of files in the holding place that are in no parcel.
const (
	heldOrphan    = "orphan"    // the content of a message that was never queued, in place of mess
	heldUncertain = "uncertain" // recipients whose delivery was under way: T records
	heldPart      = "part"      // info, while the other copies are not durable yet
	heldBack      = "back"      // it was prepared to be queued again: never prepare it twice
)

// holding is the folder beside the shelves where messages are that the MTA cannot
// reach: <queue>/spoor/<plan>. It has subfolders: "0" and "1" for what was moved
// there with qmail-send stopped, so that two goroutines do not wait for one
// folder; "live" for copies of what qmail-send still ends; "new" for what will be
// queued.
type holding struct {
	queue *disk.Dir
	plan  string

	mu   sync.Mutex
	all  *disk.Dir // <queue>/spoor
	ours *disk.Dir // <queue>/spoor/<plan>
	dirs map[string]*disk.Dir

	absent map[string]bool // subfolders that are known not to be there
}

const (
	heldTop  = "spoor"
	heldLive = "live"
	heldNew  = "new"
	heldMode = 0o700
)

// shardCount is how many subfolders there are for what is moved.
const shardCount = 2

// shard is the subfolder of a message: that of its folder in the queue, so that
// two goroutines wait for each other's folders neither here nor there.
func shard(f *folders, id uint64) int { return f.index(id) % shardCount }

func shardName(n int) string { return strconv.Itoa(n) }

// errPlace is returned where something else is in the way of the holding place.
var errPlace = errors.New("not a private folder of ours: nothing is put into it")

// errPlan is returned for a plan or a tag that cannot be the name of a file.
var errPlan = errors.New("not made of letters, digits and hyphens")

func newHolding(queue *disk.Dir, plan string) (*holding, error) {
	if !isWord(plan, "-") {
		return nil, fmt.Errorf("plan %q: %w", plan, errPlan)
	}
	return &holding{queue: queue, plan: plan, dirs: map[string]*disk.Dir{}, absent: map[string]bool{}}, nil
}

// isWord reports whether a word can be the name of a file: letters, digits and
// what else is allowed.
func isWord(word, more string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return word != "" && len(word) <= 64 && word[0] != '-' && strings.Trim(word, letters+more) == ""
}

// name is the place, for people.
func (h *holding) name() string { return path.Join(h.queue.Name(), heldTop, h.plan) }

// dir opens a subfolder, and makes it if need be.
func (h *holding) dir(name string) (*disk.Dir, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d, ok := h.dirs[name]; ok {
		return d, nil
	}
	if h.ours == nil {
		if err := h.make(); err != nil {
			return nil, err
		}
	}
	d, err := private(h.ours, name)
	if err == nil {
		h.dirs[name] = d
		delete(h.absent, name)
	}
	return d, err
}

func (h *holding) make() (err error) {
	if h.all == nil {
		if h.all, err = private(h.queue, heldTop); err != nil {
			return err
		}
	}
	h.ours, err = private(h.all, h.plan)
	return err
}

// private makes a folder that only we can look into. What is there already must
// be just that: qmailq, to whom the queue belongs, must not choose where we write.
func private(in *disk.Dir, name string) (*disk.Dir, error) {
	d, err := in.MakeDir(name, heldMode)
	if err != nil {
		return nil, fmt.Errorf("holding place: %w", err)
	}
	st, err := d.Stat(".")
	if err == nil && (st.UID != os.Geteuid() || st.Mode&0o077 != 0) {
		err = fmt.Errorf("%s: %w", d.Name(), errPlace)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// exists reports whether a subfolder is there, without making it. Nobody but us
// makes one, so the answer is looked for once.
func (h *holding) exists(name string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, open := h.dirs[name]; open {
		return true, nil
	}
	if h.absent[name] {
		return false, nil
	}
	for _, folder := range []string{heldTop, heldTop + "/" + h.plan, heldTop + "/" + h.plan + "/" + name} {
		st, err := h.queue.Stat(folder)
		ok, err := there(err)
		if !ok {
			h.absent[name] = err == nil
			return false, err
		}
		if !st.Directory {
			return false, fmt.Errorf("%s: %w", path.Join(h.queue.Name(), folder), errPlace)
		}
	}
	return true, nil
}

// tidy removes the folders that are empty.
func (h *holding) tidy() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ours != nil {
		for _, name := range []string{shardName(0), shardName(1), heldLive, heldNew} {
			if err := emptied(h.ours.RemoveDir(name)); err != nil {
				return err
			}
		}
		if err := emptied(h.all.RemoveDir(h.plan)); err != nil {
			return err
		}
	}
	if h.all != nil {
		return emptied(h.queue.RemoveDir(heldTop))
	}
	return nil
}

// emptied forgives that a folder is in use.
func emptied(err error) error {
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) { // ENOTEMPTY is fs.ErrExist
		return nil
	}
	return err
}

func (h *holding) close() error {
	var errs []error
	for _, d := range h.dirs {
		errs = append(errs, d.Close())
	}
	for _, d := range []*disk.Dir{h.ours, h.all} {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	return errors.Join(errs...)
}
