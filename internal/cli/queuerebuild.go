package cli

import (
	"context"
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
	"spoor/internal/report"
)

// rebuildFlags are those of queue rebuild.
type rebuildFlags struct {
	dryRun, yes               bool
	split                     int
	bigTodo, flatTodo, empty  bool
	undo, purge, late, resume string
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

qmail-send must be stopped, and is kept from starting meanwhile. qmail-queue may
run: what it still writes into the old tree is carried over.

The old tree stays until --purge. --undo goes back, with all that was queued since,
as long as nothing in the new tree was delivered.

-n shows the plan. Without it, --yes must be given.`,
		Example: `  spoor queue rebuild -n            what would be done, and the damage that it repairs
  spoor queue rebuild --yes         with qmail-send stopped
  spoor queue rebuild --split 97 --yes
                                    for a qmail compiled with 97 in conf-split
  spoor queue rebuild --empty --yes an empty queue; all messages stay in the old tree
  spoor queue rebuild --undo r20261123-120000 --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.queueRebuild(cmd.Context(), f) },
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "show what would be done, and change nothing")
	flags.BoolVar(&f.yes, "yes", false, "do it")
	flags.IntVar(&f.split, "split", 0, "spread the new queue over `N` folders; as it is without this")
	flags.BoolVar(&f.bigTodo, "big-todo", false, "give todo and intd split folders, for a qmail with the big-todo or ext-todo patch")
	flags.BoolVar(&f.flatTodo, "flat-todo", false, "give todo and intd no folders")
	flags.BoolVar(&f.empty, "empty", false, "carry no message over: all stay in the old tree")
	flags.StringVar(&f.resume, "plan", "", "go on with the interrupted rebuild `PLAN`")
	flags.StringVar(&f.undo, "undo", "", "put the old tree of `PLAN` back")
	flags.StringVar(&f.late, "late", "", "carry over what was queued into the old tree of `PLAN` since; qmail may be running")
	flags.StringVar(&f.purge, "purge", "", "remove the old tree of `PLAN`")
	command.MarkFlagsMutuallyExclusive("big-todo", "flat-todo")
	command.MarkFlagsMutuallyExclusive("undo", "late", "purge", "plan", "dry-run")
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
	if !f.dryRun && !f.yes {
		return refused(&spoor.Problem{What: "nothing is done without --yes", Try: o.spoor("queue rebuild -n")})
	}
	s, err := o.rebuildServer(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	top, err := disk.Open(o.root, nil)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	control := mta.Control{Top: top, Live: s.root.Live(), Plan: f.plan(o)}
	r, err := qmail.OpenRebuild(s.mtaServer(), control, settings)
	if err != nil {
		return o.rebuildProblem(err)
	}
	defer func() { _ = r.Close() }()
	report, err := f.run(ctx, r)
	if err != nil {
		return o.rebuildProblem(err)
	}
	return o.showRebuild(s, format, report)
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
	s := &server{root: root, gaps: &spoor.Gaps{}, spoor: o.spoor}
	if s.passwd, err = root.Passwd(s.gaps); err == nil {
		err = s.openPanel(ctx, o.panel)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// plan is the plan that the flags name, or a new one.
func (f *rebuildFlags) plan(o *options) string {
	for _, plan := range []string{f.undo, f.purge, f.late, f.resume} {
		if plan != "" {
			return plan
		}
	}
	return "r" + o.env.Now().UTC().Format("20060102-150405")
}

func (f *rebuildFlags) run(ctx context.Context, r *qmail.Rebuild) (*spoor.Rebuilding, error) {
	switch {
	case f.undo != "":
		return r.Undo(ctx)
	case f.purge != "":
		return r.Purge(ctx)
	case f.late != "":
		return r.Late(ctx)
	case f.dryRun:
		return r.Plan(ctx)
	}
	return r.Apply(ctx)
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
		problem.So = "the queue is whole: what was begun goes on, or begins anew, with the next run of the same plan"
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
