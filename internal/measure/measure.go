// Package measure changes a server outside its mail queue: one step of a plan
// comes in, and a line of the configuration, a right, a rule of the firewall or a
// process is another one when it leaves. Each mechanism keeps what was there
// before, on disk and synced, before it acts; can be run again after a crash; and
// has an exact inverse, or says that it has none.
package measure

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"spoor"
	"spoor/internal/disk"
)

// ErrUnsafe is returned by Do for what must not be touched: it is not what the plan
// was made for, or leads elsewhere. Nothing of the step stays.
var ErrUnsafe = errors.New("is left alone")

// ErrNotLive is returned for a mechanism that needs the running machine, where a
// tree of files is examined.
var ErrNotLive = errors.New("can be done on the running server only")

// Runner runs one program without a shell, with input on its standard input, and
// returns what it wrote on both outputs; an mta.Runner.
type Runner interface {
	Run(ctx context.Context, input []byte, name string, args ...string) (output []byte, err error)
}

// Server is where steps are done. One goroutine uses it at a time.
type Server struct {
	Top  *disk.Dir // the root: all paths of steps are below it
	Live bool      // Top is the running machine's own root
	Run  Runner    // used only if Live
	Now  func() time.Time
}

// mechanism is one way to change a server. remark is for people, may be "", and
// says what the step could not do.
type mechanism interface {
	do(ctx context.Context, records *disk.Dir) (remark string, err error)
	undo(ctx context.Context, records *disk.Dir) (remark string, err error)
}

// Do does a step. records is a folder of the step's own, in which it keeps what was
// there before; a step that finds its record there was cut off, and goes on. After
// an error Undo restores what was there.
func (s *Server) Do(ctx context.Context, step *spoor.Step, records *disk.Dir) (remark string, err error) {
	m, err := s.mechanism(step)
	if err != nil {
		return "", err
	}
	return m.do(ctx, records)
}

// Undo restores what a step has found. It may be called for one that was done, cut
// off, or undone before; without a record there is nothing to undo. It returns
// spoor.ErrConflict where somebody has changed the same thing since.
func (s *Server) Undo(ctx context.Context, step *spoor.Step, records *disk.Dir) (remark string, err error) {
	m, err := s.mechanism(step)
	if err != nil {
		return "", err
	}
	return m.undo(ctx, records)
}

// Renew does a step again that was done and that something else may have ended
// since: a reboot that has emptied the firewall, an upgrade that has replaced a
// program. Others are left as they are.
func (s *Server) Renew(ctx context.Context, step *spoor.Step, records *disk.Dir) (remark string, err error) {
	if step.Firewall == nil && step.ACL == nil {
		return "", nil
	}
	return s.Do(ctx, step, records)
}

// Retime gives the file of an edit the times that it had before, if it is the same file
// again in all else. It reports whether it is.
func (s *Server) Retime(step *spoor.Step, records *disk.Dir) (same bool, err error) {
	record := &editRecord{}
	if found, err := load(records, beforeName, record); err != nil || !found || step.Edit == nil {
		return false, err
	}
	at, err := s.place(step.Edit.Path)
	if err != nil {
		return false, err
	}
	defer at.close()
	now, err := at.look()
	if err != nil || !now.like(&record.File) {
		return false, err
	}
	return true, at.dir.SetTimes(at.name, record.File.Accessed, record.File.Modified)
}

func (s *Server) mechanism(step *spoor.Step) (mechanism, error) {
	switch {
	case step.Kind == spoor.StepEdit && step.Edit != nil:
		return &edit{server: s, spec: step.Edit}, nil
	case step.Kind == spoor.StepSeal && step.Seal != nil:
		return &seal{server: s, spec: step.Seal}, nil
	case step.Kind == spoor.StepACL && step.ACL != nil:
		return &acl{server: s, spec: step.ACL}, s.live(step)
	case step.Kind == spoor.StepCommand && step.Command != nil:
		return &command{server: s, spec: step.Command}, s.live(step)
	case step.Kind == spoor.StepFirewall && step.Firewall != nil:
		return &firewall{server: s, spec: step.Firewall}, s.live(step)
	case step.Kind == spoor.StepReload && step.Reload != nil:
		return &reload{server: s, spec: step.Reload}, s.live(step)
	case step.Kind == spoor.StepSessions && step.Sessions != nil:
		return &sessions{spec: step.Sessions}, s.live(step)
	}
	return nil, fmt.Errorf("%s: the plan does not say what this step is about: %w", step.Kind, ErrUnsafe)
}

// live refuses what would change this machine in place of the one that is examined.
// An access control list is a thing of files, but its users are those of a running
// system.
func (s *Server) live(step *spoor.Step) error {
	if s.Live || step.Kind == spoor.StepACL {
		return nil
	}
	return fmt.Errorf("%s: %w", step.What, ErrNotLive)
}

// Possible reports whether a kind of step can be done on a server of this sort.
func Possible(kind spoor.StepKind, live bool) bool {
	return live || kind == spoor.StepEdit || kind == spoor.StepSeal || kind == spoor.StepACL
}

// place is a file that a step is about.
type place struct {
	dir  *disk.Dir // that it is in
	name string
	path string // absolute below the root, for people
}

// place opens the folder of a file. No link is followed.
func (s *Server) place(name string) (*place, error) {
	clean := path.Clean("/" + name)
	if clean == "/" || clean != name || strings.ContainsRune(name, 0) {
		return nil, fmt.Errorf("%q is no path of a file: %w", name, ErrUnsafe)
	}
	dir, err := s.Top.OpenDir(path.Dir(clean))
	if err != nil {
		return nil, err
	}
	return &place{dir: dir, name: path.Base(clean), path: clean}, nil
}

func (p *place) close() { _ = p.dir.Close() }
