package qmail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/host"
	"spoor/internal/mta"
)

// FreezeMethod is how remote delivery is kept from happening.
type FreezeMethod uint8

// The methods, the better one first.
const (
	// FreezeRoutes replaces control/smtproutes by routes that lead nowhere.
	FreezeRoutes FreezeMethod = iota
	// FreezeConcurrency sets control/concurrencyremote to 0 and starts qmail-send
	// again.
	FreezeConcurrency
)

// String names the control file of the method.
func (m FreezeMethod) String() string {
	if m == FreezeConcurrency {
		return "concurrencyremote"
	}
	return "smtproutes"
}

// Frozen is a control file before and during a freeze: what a journal keeps of it.
type Frozen struct {
	Plan     string       `json:"plan"`
	Method   FreezeMethod `json:"method"`
	Folder   string       `json:"folder"` // slash-separated below the root, without links
	Name     string       `json:"name"`   // in Folder
	Existed  bool         `json:"existed"`
	Original []byte       `json:"original,omitempty"` // verbatim; nothing if it did not exist
	Content  []byte       `json:"content"`            // in its place while it is frozen
	Mode     uint32       `json:"mode"`               // of both
	UID      int          `json:"uid"`
	GID      int          `json:"gid"`
	Modified time.Time    `json:"modified"` // of the original, UTC
}

// Freezer stops all remote delivery of a qmail while mail is still taken in, and
// undoes that.
type Freezer struct {
	root    *host.Root
	control mta.Control
	home    string
	// State is where it is recorded that qmail-send is stopped, if it has to be
	// (guard.WriteStopped); nil is nowhere.
	State *disk.Dir
}

// NewFreezer is for the qmail of a server. Both must outlive it.
func NewFreezer(s *mta.Server, c mta.Control) *Freezer {
	home := s.Home
	if home == "" {
		home = defaultHome
	}
	return &Freezer{root: s.Root, control: c, home: home}
}

// Explain says for people what a method does, most important first.
func (f *Freezer) Explain(method FreezeMethod) []string {
	if method == FreezeConcurrency {
		return []string{
			"control/concurrencyremote becomes 0, and qmail-send is stopped and started again: no remote delivery begins",
			"messages wait as they are: none is tried, and none bounces",
			"mail is taken in, and delivered locally",
		}
	}
	return []string{
		"control/smtproutes becomes one that leads all remote mail to a closed port of this machine; nothing is restarted",
		"remote deliveries that run now end as they do; each one after that is a deferral",
		"messages that come of age meanwhile (control/queuelifetime, 7 days if not set) bounce, as they do with any deferral",
		"mail is taken in, and delivered locally",
	}
}

// Plan reads the control file and returns what Freeze will put in its place. It
// changes nothing. The caller makes the record durable before Freeze. A
// *spoor.Problem tells why the method cannot be used: the server is frozen
// already, mail has other routes, or every port is open.
func (f *Freezer) Plan(ctx context.Context, method FreezeMethod) (*Frozen, error) {
	r := &Frozen{Plan: f.control.Plan, Method: method, Mode: 0o644}
	if !plain(r.Plan) {
		return nil, fmt.Errorf("%q is no ID of a plan", r.Plan)
	}
	if err := f.mayRestart(r); err != nil {
		return nil, err
	}
	if err := f.find(r); err != nil {
		return nil, err
	}
	if by, frozen := frozenBy(r.Original); frozen {
		return nil, &spoor.Problem{What: "remote delivery was frozen already, by plan " + by, So: "nothing was changed", Err: mta.ErrChanged}
	}
	var err error
	if r.Content, err = f.content(ctx, r); err != nil {
		return nil, err
	}
	return r, nil
}

func plain(plan string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
	return plan != "" && strings.Trim(plan, allowed) == ""
}

func (f *Freezer) content(ctx context.Context, r *Frozen) ([]byte, error) {
	if r.Method == FreezeConcurrency {
		return []byte("0\n" + marker(r)), nil // control_readint() of control.c reads the first line
	}
	if err := f.onlyRoutes(); err != nil {
		return nil, err
	}
	port := deadPorts()[0]
	if f.control.Live {
		var err error
		if port, err = closedPort(ctx); err != nil {
			return nil, err
		}
	}
	return deadRoutes(r, port), nil
}

// find finds the control file and reads it. Administrators link control, or files
// in it, to /etc: links are followed below the root, and the file at their end is
// replaced, so that the link stays. Where that is in a folder that others than
// root may write to, it is refused.
func (f *Freezer) find(r *Frozen) error {
	control, err := f.root.Resolve(f.home + "/control")
	if err != nil {
		return fmt.Errorf("find the control files: %w", err)
	}
	r.Folder, r.Name = control, r.Method.String()
	full, err := f.root.Resolve(path.Join(control, r.Name))
	switch {
	case err == nil:
		r.Folder, r.Name = path.Dir(full), path.Base(full)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("find control/%s: %w", r.Method, err)
	}
	dir, err := f.control.Top.OpenDir(r.Folder)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if path.Join(control, r.Method.String()) != path.Join(r.Folder, r.Name) {
		if err := rootsOwn(dir); err != nil {
			return err
		}
	}
	return readOriginal(dir, r)
}

func readOriginal(dir *disk.Dir, r *Frozen) error {
	st, err := dir.Stat(r.Name)
	if errors.Is(err, fs.ErrNotExist) {
		st, err = dir.Stat(".")
		r.UID, r.GID = st.UID, st.GID
		return err
	}
	if err != nil {
		return err
	}
	if !st.Regular { // such as a link that leads nowhere
		return fmt.Errorf("%s: %w", path.Join(dir.Name(), r.Name), disk.ErrNotRegular)
	}
	r.Existed, r.Mode, r.UID, r.GID, r.Modified = true, st.Mode, st.UID, st.GID, st.Modified
	r.Original, _, err = swap{dir: dir, r: r}.read(r.Name)
	return err
}

// rootsOwn returns errUntrusted for a folder that others than root may write to.
func rootsOwn(dir *disk.Dir) error {
	st, err := dir.Stat(".")
	if err == nil && ((st.UID != 0 && st.UID != os.Geteuid()) || st.Mode&0o022 != 0) {
		err = fmt.Errorf("%s, where a link in control leads: %w", dir.Name(), errUntrusted)
	}
	return err
}

// Freeze does what was planned. It may be called again after a crash. If the
// control file is not the one of the plan any more, it returns a *spoor.Problem
// with mta.ErrChanged, and nothing is changed.
func (f *Freezer) Freeze(ctx context.Context, r *Frozen) error {
	if err := f.swap(r, swap.freeze); err != nil {
		return err
	}
	return f.restart(ctx, r)
}

// Thaw puts the original back, and may be called again after a crash. If somebody
// has edited the file since, it returns a *spoor.Problem with mta.ErrChanged that
// shows the difference, unless force is set: then what they wrote is put aside
// under a name that begins with that of the control file.
func (f *Freezer) Thaw(ctx context.Context, r *Frozen, force bool) error {
	if err := f.swap(r, func(s swap) error { return s.thaw(force) }); err != nil {
		return err
	}
	return f.restart(ctx, r)
}

func (f *Freezer) swap(r *Frozen, do func(swap) error) error {
	if !plain(r.Plan) || r.Name == "" || strings.Contains(r.Name, "/") {
		return fmt.Errorf("the record of the freeze names %q: %w", r.Name, errUntrusted)
	}
	if err := f.mayRestart(r); err != nil {
		return err
	}
	dir, err := f.control.Top.OpenDir(r.Folder)
	if err != nil {
		return err
	}
	return errors.Join(do(swap{dir: dir, r: r}), dir.Close())
}

// mayRestart returns mta.ErrRunning where qmail-send has to be started again and the
// operator does not allow it.
func (f *Freezer) mayRestart(r *Frozen) error {
	if r.Method == FreezeConcurrency && f.control.Live && !f.control.Stop {
		return fmt.Errorf("control/%s is read when qmail-send starts: %w", r.Method, mta.ErrRunning)
	}
	return nil
}

// restart makes qmail-send read concurrencyremote. After a crash it may do so once
// more than is needed.
func (f *Freezer) restart(ctx context.Context, r *Frozen) error {
	if r.Method != FreezeConcurrency || !f.control.Live {
		return nil
	}
	queue, err := f.root.Resolve(path.Join(f.home, "queue"))
	if err != nil {
		return err
	}
	d, err := findService(ctx, f.control, queue)
	if errors.Is(err, errDown) {
		return nil // it will read it when it is started
	}
	if err != nil {
		return err
	}
	defer func() { _ = d.close() }()
	o, err := interruptDelivery(ctx, d, f.State, r.Plan)
	if err != nil {
		return err
	}
	return o.end(context.WithoutCancel(ctx))
}

const markerStart = "# Written by spoor, plan "

// marker is what people find who open the file.
func marker(r *Frozen) string {
	text := markerStart + r.Plan + ": no mail leaves this server until it is thawed.\n"
	if r.Existed {
		text += "# What was here before is in " + swap{r: r}.keep() + ".\n"
	}
	return text
}

// frozenBy returns the plan that wrote a control file.
func frozenBy(content []byte) (plan string, ok bool) {
	_, rest, ok := bytes.Cut(content, []byte(markerStart))
	if !ok {
		return "", false
	}
	by, _, _ := bytes.Cut(rest, []byte(":"))
	return string(by), true
}
