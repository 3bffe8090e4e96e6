package qmail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// TodoLayout is what a rebuild makes of todo and intd.
type TodoLayout uint8

// The layouts of todo.
const (
	TodoAsItIs TodoLayout = iota
	TodoFlat              // qmail as it was published
	TodoSplit             // with the big-todo or ext-todo patch
)

// RebuildOptions say what a rebuild changes beside what is damaged.
type RebuildOptions struct {
	Split int // folders of mess, info, local and remote; 0: as it is
	Todo  TodoLayout
	Empty bool // no message is carried over: all stay in the old tree

	// Store is called by Purge with each message that is in the old tree alone,
	// before anything is removed; again with the same ones if Purge is repeated.
	// Without it, Purge refuses where there are any.
	Store func(ctx context.Context, p *spoor.Parcel) error
	// Pause waits between two looks at messages that are being written into the
	// old tree. nil waits a fifth of a second.
	Pause func(ctx context.Context) error
	// Looks is how often to look; 0 is 50 times.
	Looks int
	// Workers is how many goroutines read and write; 0: one a processor.
	Workers int
}

// Rebuild puts a new tree with the same messages in the place of a queue, while
// qmail-send is stopped. The new tree is built beside the old one and exchanged
// with it in one step, so that there is always a queue; the old one is kept until
// Purge.
//
// Contents are hard links to those of the old tree, under the number of their
// inode; envelopes are copies, since qmail-send writes into them. A message has
// the same inode in both trees while both are there, so that number says which
// messages were carried over, and cannot be given to another one.
//
// Each method may be called again after a crash or an error, with the same plan:
// it finds what is done and does the rest. One goroutine uses a Rebuild.
type Rebuild struct {
	options RebuildOptions
	home    *disk.Dir // where the queue lies
	name    string    // of the queue in home
	place   string    // of the queue below the root, for people
	plan    string
	crew    crew

	locks []*disk.File
}

// Errors of a rebuild.
var (
	// ErrUnfit is returned for a queue that cannot be rebuilt as it is; the text
	// says what to do first.
	ErrUnfit = errors.New("this queue cannot be rebuilt as it is")
	// ErrUsed is returned by Undo where the new queue was worked on: going back
	// would send messages again.
	ErrUsed = errors.New("the new queue was worked on since")
	// ErrWriting is returned by Purge where messages are being written into the
	// old tree.
	ErrWriting = errors.New("messages are being written into the old tree")
	// ErrUnstored is returned by Purge where messages are in the old tree alone.
	ErrUnstored = errors.New("messages are in the old tree alone")
	// ErrNoRebuild is returned for a plan of which there is no trace.
	ErrNoRebuild = errors.New("no such rebuild")
)

// OpenRebuild opens the queue of a server for a rebuild. It returns mta.ErrNoQueue,
// ErrUnfit or an fs.ErrPermission. The caller closes it.
func OpenRebuild(s *mta.Server, c mta.Control, o RebuildOptions) (*Rebuild, error) {
	if !validPlan(c.Plan) {
		return nil, fmt.Errorf("plan %q: want letters, digits and hyphens", c.Plan)
	}
	place, err := queuePlace(s)
	if err != nil {
		return nil, errors.Join(err, mta.ErrNoQueue)
	}
	r := &Rebuild{options: o, name: path.Base(place), place: "/" + place, plan: c.Plan, crew: crewOf(s.Passwd)}
	if !r.crew.known {
		return nil, fmt.Errorf("passwd does not have qmailq, qmailr and qmails, who own a queue: %w", ErrUnfit)
	}
	if r.home, err = c.Top.OpenDir(path.Dir(place)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = errors.Join(err, mta.ErrNoQueue)
		}
		return nil, err
	}
	return r, nil
}

// queuePlace is where the queue is, or was before a rebuild of two steps was
// interrupted between them.
func queuePlace(s *mta.Server) (string, error) {
	dir := queueDir(s.Home)
	place, err := s.Root.Resolve(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return place, err
	}
	home, err := s.Root.Resolve(path.Dir(dir))
	return path.Join(home, path.Base(dir)), err
}

// Close gives the locks back: qmail-send may be started.
func (r *Rebuild) Close() error {
	r.unlock()
	return r.home.Close()
}

func (r *Rebuild) workers() int {
	if r.options.Workers > 0 {
		return r.options.Workers
	}
	return runtime.NumCPU()
}

// survey is a queue as a rebuild sees it.
type survey struct {
	*census
	list   []queueMessage
	taken  []*queueMessage // that are carried over
	after  layout
	report spoor.Rebuilding
}

// Plan says what Apply will do. It changes nothing, and qmail may be running.
func (r *Rebuild) Plan(ctx context.Context) (*spoor.Rebuilding, error) {
	s, err := r.survey(ctx, r.name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.top.Close() }()
	running, err := r.running(r.name)
	if err != nil {
		return nil, err
	}
	if running {
		s.report.Warnings = append(s.report.Warnings, "qmail-send is running: it must be stopped first, and what it moves meanwhile changes these numbers")
	}
	k := &checker{census: s.census, crew: r.crew, now: time.Now(), damages: spoor.NewDamages(damageKinds())}
	if err := k.run(s.list); err != nil {
		return nil, fmt.Errorf("check queue: %w", err)
	}
	found := &spoor.QueueCheck{Damages: k.damages.List()}
	found.Sort()
	s.report.Damages = found.Damages
	return &s.report, nil
}

// survey reads the queue of a name and decides about each message. It returns
// ErrUnfit.
func (r *Rebuild) survey(ctx context.Context, name string) (*survey, error) {
	top, err := r.home.OpenDir(name)
	if err != nil {
		return nil, err
	}
	s, err := r.surveyTree(ctx, top)
	if err != nil {
		_ = top.Close()
	}
	return s, err
}

func (r *Rebuild) surveyTree(ctx context.Context, top *disk.Dir) (*survey, error) {
	c, err := takeCensus(top)
	if err != nil {
		return nil, fmt.Errorf("read queue: %w", err)
	}
	if err := c.unfit(); err != nil {
		return nil, err
	}
	s := &survey{census: c, list: c.messages(), after: c.layout}
	if err := c.readEnvelopes(s.list, r.workers()); err != nil {
		return nil, fmt.Errorf("read queue: %w", err)
	}
	if r.options.Split > 0 {
		s.after.split = r.options.Split
	}
	if r.options.Todo != TodoAsItIs {
		s.after.bigTodo = r.options.Todo == TodoSplit
	}
	r.tell(s)
	return s, ctx.Err()
}

// incomplete returns an error if a part of the queue was not seen.
func (c *census) incomplete() error {
	for _, gap := range c.unread.List() {
		return fmt.Errorf("%s: %s: %w", gap.File, gap.Reason, ErrUnfit)
	}
	return nil
}

// unfit says why a queue cannot be rebuilt as it is.
func (c *census) unfit() error {
	if err := c.incomplete(); err != nil {
		return err
	}
	for name, st := range c.dirs {
		if st.Device != c.dirs[""].Device {
			return fmt.Errorf("%s is on another file system: move it back while qmail is stopped: %w", name, ErrUnfit)
		}
	}
	for _, f := range c.foreign {
		folder := folderName(f.path)
		switch {
		case f.path == holdingFolder:
			return fmt.Errorf("%s holds messages of an unfinished plan: run it again, or undo it: %w", f.path, ErrUnfit)
		case folder && !f.stat.Directory && !f.stat.Regular:
			return fmt.Errorf("%s is no directory: move it back to where the link leads from, while qmail is stopped: %w", f.path, ErrUnfit)
		}
	}
	if _, ok := c.dirs["mess"]; !ok {
		return fmt.Errorf("there is no mess: %w", ErrUnfit)
	}
	return nil
}

// tell decides which messages are carried over, and counts.
func (r *Rebuild) tell(s *survey) {
	p := &s.report
	*p = spoor.Rebuilding{
		Plan: r.plan, Queue: r.place, Before: s.layout.String(), After: s.after.String(), Empty: r.options.Empty,
		Phase: "planned", Foreign: len(s.foreign), Aside: r.place + asideInfix + r.plan,
	}
	inodes := map[uint64]bool{}
	for i := range s.list {
		m := &s.list[i]
		m.foreignOwner = m.has(pieceMess) && int(m.file[pieceMess].uid) != r.crew.queue
		if m.carried() {
			inode := m.file[pieceMess].inode
			m.twin = inodes[inode]
			inodes[inode] = true
		}
		if m.carried() {
			s.taken = append(s.taken, m)
		}
		quarantined, lost := m.leftovers()
		p.Quarantined += len(quarantined)
		p.Lost += len(lost)
	}
	for _, m := range s.taken {
		if m.stage() == stageTodo {
			p.Todo++
		} else {
			p.Queued++
		}
		p.Recipients += m.undone + m.done
		p.Done += m.done
		p.Bytes += m.file[pieceMess].size
		if m.id != m.file[pieceMess].inode {
			p.Renamed++
		}
	}
	p.Warnings = warnings(s)
}

// warnings are what the operator must know before.
func warnings(s *survey) (list []string) {
	if s.after.split != s.layout.split {
		list = append(list, fmt.Sprintf("the queue has split %d now: a qmail that is not compiled with %d in conf-split will not find its messages in the new one", s.layout.split, s.after.split))
	}
	if s.after.bigTodo != s.layout.bigTodo {
		list = append(list, map[bool]string{
			true:  "todo will have split folders: a qmail without the big-todo or ext-todo patch does not look into them",
			false: "todo will be flat: a qmail with the big-todo or ext-todo patch does not look into it",
		}[s.after.bigTodo])
	}
	linked := slices.ContainsFunc(s.list, func(m queueMessage) bool { return m.carriedStage() && !m.ownable() })
	if linked {
		list = append(list, "some contents have another owner than qmailq and a second name somewhere: they are set aside, since giving them away could give away another file")
	}
	return list
}

// carriedStage reports whether qmail would deliver messages of this stage.
func (m *queueMessage) carriedStage() bool {
	s := m.stage()
	return s == stageTodo || s == stageQueued
}

// carried reports whether a rebuild carries the message over.
func (m *queueMessage) carried() bool {
	return m.carriedStage() && !m.hopeless() && m.ownable() && !m.twin
}

// leftovers are the files of a message that are not carried over: those of a
// message that was never queued whole, or that qmail can do nothing with, and
// pieces.
func (m *queueMessage) leftovers() (quarantined, lost []*queueFile) {
	lost = m.extra
	taken := m.carried()
	for p := piece(0); p < pieces; p++ {
		f := m.file[p]
		switch {
		case f == nil, taken && (p == pieceMess || slices.Contains(copied(m.stage()), p) || p == pieceIntd && m.stage() == stageTodo):
		case m.stage() == stagePartial && p != pieceBounce, m.carriedStage() && !taken:
			quarantined = append(quarantined, f)
		default:
			lost = append(lost, f)
		}
	}
	return quarantined, lost
}

// ownable reports whether the content has the right owner, or may be given it.
// One with a second name outside the queue may be another file: to give it away
// would give that away.
func (m *queueMessage) ownable() bool { return !m.foreignOwner || m.file[pieceMess].links == 1 }

// Rebuilds lists the plans of which there is a trace beside the queue, that of the
// last change last.
func (r *Rebuild) Rebuilds() ([]string, error) {
	names, err := r.home.Names()
	if err != nil {
		return nil, err
	}
	var plans []string
	for _, name := range names {
		plan, ok := strings.CutPrefix(name, r.name+asideInfix)
		if !ok || !validPlan(plan) {
			continue
		}
		one := *r
		one.plan, one.locks = plan, nil
		if _, err := one.load(); err == nil {
			plans = append(plans, plan)
		}
	}
	slices.Sort(plans)
	return plans, nil
}
