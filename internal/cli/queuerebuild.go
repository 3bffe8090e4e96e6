package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/host"
	"spoor/internal/mta"
	"spoor/internal/mta/qmail"
	"spoor/internal/remedy"
	"spoor/internal/report"
	"spoor/internal/vault"
)

// rebuildFlags are those of queue rebuild.
type rebuildFlags struct {
	changeFlags
	split                    int
	bigTodo, flatTodo, empty bool
	undo, purge, late        string
}

func queueRebuildCommand(o *options) *cobra.Command {
	f := &rebuildFlags{}
	command := &cobra.Command{
		Use:   "rebuild",
		Short: "a new queue tree with the same messages, for qmail",
		Long: `rebuild makes a new tree beside the queue of qmail, as qmail itself would make
it, puts every message into it under the right number, verifies it, and exchanges
it with the old tree in one step. Done marks, times, owners and the group of the
caller are kept; nobody gets a message twice, and nothing is lost: what is no
whole message is set aside beside the queue.

qmail-send must be stopped, and is kept from starting meanwhile; --stop yes stops
it and starts it again. qmail-queue may run: what it still writes into the old
tree is carried over.

The old tree stays until --purge. --undo goes back, with all that was queued since,
as long as nothing in the new tree was delivered. A rebuild that was cut off is
finished by the next command that changes something.`,
		Example: `  spoor queue rebuild -n            what would be done, and the damage that it repairs
  spoor queue rebuild --stop yes
  spoor queue rebuild --split 97    for a qmail compiled with 97 in conf-split
  spoor queue rebuild --empty       an empty queue; all messages stay in the old tree
  spoor queue rebuild --undo 20261123T120000-rebuild`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.queueRebuild(cmd.Context(), f) },
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "show what would be done, and change nothing")
	flags.BoolVar(&f.yes, "yes", false, "do not ask; needs --reason")
	flags.StringVar(&f.reason, "reason", "", "why, for the journal: `TEXT`")
	flags.StringVar(&f.stop, "stop", "no", "stop qmail-send meanwhile, and start it again: `WHEN` is yes or no")
	flags.IntVar(&f.split, "split", 0, "spread the new queue over `N` folders; as it is without this")
	flags.BoolVar(&f.bigTodo, "big-todo", false, "give todo and intd split folders, for a qmail with the big-todo or ext-todo patch")
	flags.BoolVar(&f.flatTodo, "flat-todo", false, "give todo and intd no folders")
	flags.BoolVar(&f.empty, "empty", false, "carry no message over: all stay in the old tree")
	flags.StringVar(&f.undo, "undo", "", "put the old tree of `PLAN` back")
	flags.StringVar(&f.late, "late", "", "carry over what was queued into the old tree of `PLAN` since; qmail may be running")
	flags.StringVar(&f.purge, "purge", "", "remove the old tree of `PLAN`")
	command.MarkFlagsMutuallyExclusive("big-todo", "flat-todo")
	command.MarkFlagsMutuallyExclusive("undo", "late", "purge", "dry-run")
	return command
}

// options are what the flags say to the rebuild.
func (f *rebuildFlags) options() (qmail.RebuildOptions, error) {
	o := qmail.RebuildOptions{Split: f.split, Empty: f.empty}
	if f.split < 0 || f.split > maxSplit {
		return o, usage(fmt.Errorf("--split %d: want a number from 1 to %d", f.split, maxSplit))
	}
	switch {
	case f.bigTodo:
		o.Todo = qmail.TodoSplit
	case f.flatTodo:
		o.Todo = qmail.TodoFlat
	}
	return o, nil
}

// maxSplit is the largest split that can be asked for; builds for very large
// queues use some hundreds.
const maxSplit = 10000

func (o *options) queueRebuild(ctx context.Context, f *rebuildFlags) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	if o.mta != "auto" && o.mta != "qmail" {
		return usage(errors.New("rebuild is for qmail: Postfix and Exim need none, see spoor queue check"))
	}
	settings, err := f.options()
	if err != nil {
		return err
	}
	s, err := o.rebuildServer(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	order := f.order(settings)
	if f.dryRun {
		done, err := o.planRebuild(ctx, s, order)
		if err != nil {
			return o.rebuildProblem(err)
		}
		return o.showRebuild(s, format, done)
	}
	if err := o.confirmRebuild(f, order); err != nil {
		return err
	}
	done, err := o.rebuild(ctx, s, order, f)
	if done == nil || err != nil {
		return err
	}
	return o.showRebuild(s, format, done)
}

// rebuildOrder is what a rebuild is told to do, kept with its plan.
type rebuildOrder struct {
	Verb  string           `json:"verb"` // rebuild, undo, late or purge
	Of    string           `json:"of,omitempty"`
	Split int              `json:"split,omitempty"`
	Todo  qmail.TodoLayout `json:"todo,omitempty"`
	Empty bool             `json:"empty,omitempty"`
	Stop  bool             `json:"stop,omitempty"`
}

func (f *rebuildFlags) order(settings qmail.RebuildOptions) rebuildOrder {
	order := rebuildOrder{Verb: "rebuild", Split: settings.Split, Todo: settings.Todo, Empty: settings.Empty, Stop: f.stop == "yes"}
	for verb, plan := range map[string]string{"undo": f.undo, "late": f.late, "purge": f.purge} {
		if plan != "" {
			order.Verb, order.Of = verb, plan
		}
	}
	return order
}

// confirmRebuild asks on a terminal.
func (o *options) confirmRebuild(f *rebuildFlags, order rebuildOrder) error {
	if order.Of != "" && !remedy.ValidPlanID(order.Of) {
		return usage(fmt.Errorf("%q is no plan", order.Of))
	}
	if err := o.answerable(&f.changeFlags); err != nil || f.yes {
		return err
	}
	return o.askFor(order.Verb + " " + cmp.Or(order.Of, "the queue"))
}

// planRebuild reads the queue and says what a rebuild would do.
func (o *options) planRebuild(ctx context.Context, s *server, order rebuildOrder) (*spoor.Rebuilding, error) {
	top, err := disk.Open(o.root, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = top.Close() }()
	r, err := s.openRebuild(nil, top, "dry-run", order)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return r.Plan(ctx)
}

// openRebuild opens a rebuild, whose plan is the one that it goes on with.
func (s *server) openRebuild(state *remedy.State, top *disk.Dir, plan string, order rebuildOrder) (*qmail.Rebuild, error) {
	options := qmail.RebuildOptions{Split: order.Split, Todo: order.Todo, Empty: order.Empty}
	if state != nil {
		options.Store = storeIn(state, plan)
	}
	return qmail.OpenRebuild(s.mtaServer(), mta.Control{Top: top, Live: s.root.Live(), Plan: plan}, options)
}

// storeIn puts what a purge would lose into the vault.
func storeIn(state *remedy.State, plan string) func(context.Context, *spoor.Parcel) error {
	return func(_ context.Context, p *spoor.Parcel) error {
		w, err := state.Vault.Append(plan)
		if err != nil {
			return err
		}
		defer func() { _ = w.Close() }()
		p.MTA = "qmail"
		if _, err := w.Add(p); err != nil && !errors.Is(err, vault.ErrStored) {
			return err
		}
		return w.Sync()
	}
}

// rebuild journals an order and carries it out. It returns nil where an earlier
// rebuild had to be finished first, and was.
func (o *options) rebuild(ctx context.Context, s *server, order rebuildOrder, f *rebuildFlags) (*spoor.Rebuilding, error) {
	var done *spoor.Rebuilding
	_, err := o.locked(ctx, s, func(state *remedy.State, top *disk.Dir) (*spoor.Receipt, error) {
		p := &spoor.Plan{
			Action: spoor.ActionRebuild, Time: o.env.Now().UTC(), Root: s.root.Dir(), MTA: "qmail", By: o.operator(), Reason: f.reason,
			Stop: order.Stop,
		}
		if order.Verb == "undo" {
			p.Undoes = order.Of
		}
		work := &remedy.Work{State: state, Now: o.env.Now}
		if err := work.Propose(p); err != nil {
			return nil, err
		}
		record, err := json.Marshal(order)
		if err == nil {
			err = state.SaveRecord(p.ID, record)
		}
		if err != nil {
			return nil, err
		}
		var receipt *spoor.Receipt
		receipt, done, err = o.doRebuild(ctx, s, work, top, p, order)
		return receipt, err
	})
	return done, err
}

// doRebuild carries out an order. Where nothing could be begun the plan is ended.
func (o *options) doRebuild(ctx context.Context, s *server, work *remedy.Work, top *disk.Dir, p *spoor.Plan, order rebuildOrder) (receipt *spoor.Receipt, done *spoor.Rebuilding, err error) {
	if order.Stop && s.root.Live() {
		end, err := s.adapter.Interrupt(ctx, s.mtaServer(), mta.Control{Top: top, Live: true, Plan: p.ID, Run: programs{}, State: work.State.Dir()})
		if err != nil {
			return nil, nil, err
		}
		defer func() { err = errors.Join(err, end()) }()
	}
	receipt, err = work.Once(ctx, p, func(ctx context.Context) error {
		r, err := s.openRebuild(work.State, top, cmp.Or(order.Of, p.ID), order)
		if err != nil {
			return err
		}
		done, err = order.run(ctx, r)
		return errors.Join(err, r.Close())
	})
	if err != nil && nothingBegun(err) {
		err = errors.Join(err, work.Abandon(p, err))
	}
	if err != nil {
		err = o.rebuildProblem(err)
	}
	return receipt, done, err
}

// nothingBegun reports whether a rebuild was refused before it touched anything.
func nothingBegun(err error) bool {
	for _, refusal := range []error{mta.ErrRunning, mta.ErrNoQueue, qmail.ErrNoRebuild, qmail.ErrUsed, qmail.ErrUnfit, qmail.ErrUnstored, qmail.ErrWriting} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

func (r rebuildOrder) run(ctx context.Context, b *qmail.Rebuild) (*spoor.Rebuilding, error) {
	switch r.Verb {
	case "undo":
		return b.Undo(ctx)
	case "purge":
		return b.Purge(ctx)
	case "late":
		return b.Late(ctx)
	}
	return b.Apply(ctx)
}

// finishRebuild does the rest of a rebuild that was cut off.
func (o *options) finishRebuild(ctx context.Context, s *server, state *remedy.State, top *disk.Dir, p *spoor.Plan) (*spoor.Receipt, error) {
	record, err := state.Record(p.ID)
	if err != nil {
		return nil, err
	}
	var order rebuildOrder
	if err := json.Unmarshal(record, &order); err != nil {
		return nil, fmt.Errorf("the record of %s: %w", p.ID, err)
	}
	receipt, _, err := o.doRebuild(ctx, s, &remedy.Work{State: state, Now: o.env.Now}, top, p, order)
	return receipt, err
}

// rebuildServer opens what a rebuild needs. There may be no queue just now, if one
// was interrupted.
func (o *options) rebuildServer(ctx context.Context) (*server, error) {
	root, err := host.Open(o.root)
	if err != nil {
		return nil, &statusError{status: exitNoMTA, err: &spoor.Problem{
			What: "cannot open the root " + o.root + ": " + cause(err), So: "there is no server to work on", Err: err,
		}}
	}
	s := &server{root: root, gaps: &spoor.Gaps{}, spoor: o.spoor, adapter: qmail.Adapter()}
	if s.passwd, err = root.Passwd(s.gaps); err == nil {
		err = s.openPanel(ctx, o.panel)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// rebuildProblem says what an error of a rebuild means.
func (o *options) rebuildProblem(err error) error {
	problem := &spoor.Problem{What: err.Error(), Err: err}
	switch {
	case errors.Is(err, mta.ErrNoQueue), errors.Is(err, fs.ErrPermission):
		return &statusError{status: exitNoMTA, err: problem}
	case errors.Is(err, mta.ErrRunning):
		problem.So = "nothing was changed; stop qmail-send first (svc -d, or the service's own stop), and wait until it has ended"
	case errors.Is(err, qmail.ErrNoRebuild):
		return nothing(err.Error(), o.spoor("queue check"))
	case errors.Is(err, qmail.ErrUsed), errors.Is(err, qmail.ErrUnfit), errors.Is(err, qmail.ErrUnstored):
		problem.So = "nothing was changed"
	case errors.Is(err, qmail.ErrWriting):
		problem.So = "the old tree was kept; try again when they have ended"
	default:
		problem.So = "the queue is whole: what was begun is finished by the next command that changes something"
		problem.Try = o.spoor("queue check")
		return problem
	}
	return refused(problem)
}

func (o *options) showRebuild(s *server, format string, r *spoor.Rebuilding) error {
	name, _ := s.root.ReadFile("/etc/hostname", 4096) // without it, the page names none
	page := &report.Rebuild{
		Head:       report.Head{Root: s.root.Dir(), Host: strings.TrimSpace(string(name)), Time: o.env.Now().UTC(), MTA: "qmail", Panel: s.panel.Name()},
		Rebuilding: *r,
	}
	if format == "json" {
		return page.JSON(o.env.Out)
	}
	return page.Text(o.env.Out, o.style())
}
