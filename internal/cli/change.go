package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
	"spoor/internal/remedy"
	"spoor/internal/report"
)

// changeFlags are the flags of every command that changes something.
type changeFlags struct {
	dryRun bool
	yes    bool
	reason string
	most   int
	stop   bool
}

// defaultMost and defaultShare are what --max is unless it is given: more than
// that is hardly what somebody meant.
const (
	defaultMost  = 50_000
	defaultShare = 0.9
)

func (f *changeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "print the plan and change nothing")
	flags.BoolVar(&f.yes, "yes", false, "do not ask; needs --reason")
	flags.StringVar(&f.reason, "reason", "", "why, for the journal: `TEXT`")
	flags.IntVar(&f.most, "max", 0, "refuse if more than `N` messages are selected (default 50000, or 90 % of the queue if that is less)")
}

// tooMany refuses a plan that is larger than --max.
func (f *changeFlags) tooMany(p *spoor.Plan) error {
	most, why := f.most, "--max"
	if most == 0 {
		most, why = defaultMost, "the limit without --max"
		if share := int(math.Ceil(defaultShare * float64(p.QueueMessages))); p.QueueMessages >= smallQueue && share < most {
			most, why = share, "90 % of the queue, the limit without --max"
		}
	}
	if len(p.Targets) <= most {
		return nil
	}
	return refuse(fmt.Sprintf("%d messages are selected, more than %d (%s)", len(p.Targets), most, why),
		"nothing was changed", "")
}

// smallQueue is a queue of which all may be meant.
const smallQueue = 100

// refuse ends the program because something is not safe.
func refuse(what, so, try string) error {
	return &statusError{status: exitRefused, err: &spoor.Problem{What: what, So: so, Try: try}}
}

// carryOut shows a plan, asks, and does it.
func (o *options) carryOut(ctx context.Context, s *server, p *spoor.Plan, f *changeFlags) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	p.By, p.Reason = o.operator(), f.reason
	if err := f.tooMany(p); err != nil {
		return err
	}
	if err := s.explain(p, f); err != nil {
		return err
	}
	if f.dryRun {
		return o.showPlan(s, p, format, true)
	}
	if err := o.confirm(s, p, f); err != nil {
		return err
	}
	receipt, err := o.apply(ctx, s, p, f)
	if receipt == nil {
		return err
	}
	return errors.Join(o.showReceipt(s, receipt, format), err, outcomeOf(receipt, err))
}

// explain asks the controller how it would do it.
func (s *server) explain(p *spoor.Plan, f *changeFlags) error {
	top, err := disk.Open(s.root.Dir(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	c, err := s.control(top, "dry-run", f.stop)
	if err != nil {
		return err
	}
	p.Method = c.Explain(p.Action)
	return c.Close()
}

// control opens the queue to change it, for one plan.
func (s *server) control(top *disk.Dir, plan string, stop bool) (mta.Controller, error) {
	if s.noQueue != nil {
		return nil, s.noQueue
	}
	if s.adapter.Control == nil {
		return nil, refuse("spoor cannot change a queue of "+s.adapter.Name+" yet", "nothing was changed", "")
	}
	c, err := s.adapter.Control(s.mtaServer(), mta.Control{Top: top, Live: s.root.Live(), Plan: plan, Run: programs{}, Stop: stop})
	if errors.Is(err, mta.ErrRunning) {
		return nil, &statusError{status: exitRefused, err: &spoor.Problem{
			What: err.Error(), So: "nothing was changed: the mail system works on these files", Err: err,
		}}
	}
	return c, err
}

// operator is who runs spoor, for the journal.
func (o *options) operator() string {
	who := cmp.Or(o.env.Getenv("USER"), o.env.Getenv("LOGNAME"), "uid "+strconv.Itoa(os.Getuid()))
	if by := o.env.Getenv("SUDO_USER"); by != "" {
		who += " (sudo by " + by + ")"
	}
	return who
}

func (o *options) showPlan(s *server, p *spoor.Plan, format string, dry bool) error {
	page := &report.Plan{Head: s.pageHead(o), Plan: p}
	if dry {
		page.Run = o.command(p)
	}
	if format == "json" {
		return page.JSON(o.env.Out)
	}
	out := o.env.Out
	if !dry {
		out = o.env.Err
	}
	return page.Text(out, o.style())
}

// command is what does a plan that was only shown.
func (o *options) command(p *spoor.Plan) string {
	words := []string{"spoor", "queue", p.Action.String()}
	if p.Undoes != "" {
		return "spoor undo " + p.Undoes
	}
	if p.Action == spoor.ActionRestore {
		words = []string{"spoor", "vault", "restore"}
	}
	return report.Command(append(words, p.Selector...)...)
}

// confirm asks on a terminal. Elsewhere --yes and --reason must be given.
func (o *options) confirm(s *server, p *spoor.Plan, f *changeFlags) error {
	if f.yes {
		if strings.TrimSpace(f.reason) == "" {
			return refuse("--yes needs --reason TEXT: the journal keeps why it was done", "nothing was changed", "")
		}
		return nil
	}
	if !o.env.InTerminal || !o.env.ErrTerminal {
		return refuse("there is no terminal to ask on: give --yes and --reason TEXT", "nothing was changed", "")
	}
	if err := o.showPlan(s, p, "table", false); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(o.env.Err, "\n%s %d messages? [y/N] ", p.Action, len(p.Targets)); err != nil {
		return err
	}
	line, err := bufio.NewReader(o.env.In).ReadString('\n')
	if err != nil && line == "" {
		return refuse("no answer", "nothing was changed", "")
	}
	if !isYes(line) {
		return refuse("not confirmed", "nothing was changed", "")
	}
	return nil
}

// isYes reads an answer, whose default is no.
func isYes(line string) bool {
	return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(line)))
}

// apply takes the lock, finishes what was cut off before, and does the plan.
func (o *options) apply(ctx context.Context, s *server, p *spoor.Plan, f *changeFlags) (*spoor.Receipt, error) {
	debug.SetGCPercent(100) // the survey's bound is for surveys
	debug.SetMemoryLimit(math.MaxInt64)
	top, err := disk.Open(s.root.Dir(), o.env.Seam)
	if err != nil {
		return nil, err
	}
	defer func() { _ = top.Close() }()
	state, err := o.lockState(top)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	if err := o.finishOld(ctx, s, state, top); err != nil {
		return nil, err
	}
	p.Time = o.env.Now().UTC()
	work := &remedy.Work{State: state, Now: o.env.Now}
	if err := work.Propose(p); err != nil {
		return nil, err
	}
	return o.work(ctx, s, work, top, p, f.stop)
}

// work carries out a plan that is on disk.
func (o *options) work(ctx context.Context, s *server, work *remedy.Work, top *disk.Dir, p *spoor.Plan, stop bool) (*spoor.Receipt, error) {
	c, err := s.control(top, p.ID, stop)
	if err != nil {
		return nil, err
	}
	bar := o.startMeter(p.Action.String())
	work.Controller, work.Progress = c, bar.set
	receipt, err := work.Apply(ctx, p)
	bar.stop()
	return receipt, errors.Join(err, c.Close())
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
		return nil, fmt.Errorf("%w: nothing was changed", err)
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

// finishOld finishes the plans whose runs were cut off.
func (o *options) finishOld(ctx context.Context, s *server, state *remedy.State, top *disk.Dir) error {
	for _, past := range state.Journal.Unfinished() {
		p, err := state.Plan(past.Plan)
		if err != nil {
			return err
		}
		if p.MTA != s.adapter.Name {
			return refuse("plan "+p.ID+" was cut off and is of "+p.MTA, "it has to be finished first", o.spoor("--mta "+p.MTA+" undo "+p.ID))
		}
		fmt.Fprintf(o.env.Err, "spoor: finishing %s, which was cut off\n", p.ID)
		receipt, err := o.work(ctx, s, &remedy.Work{State: state, Now: o.env.Now}, top, p, false)
		if err != nil {
			return fmt.Errorf("finish %s: %w", p.ID, err)
		}
		fmt.Fprintf(o.env.Err, "spoor: %s is finished: %d of %d messages\n", p.ID, receipt.Done, receipt.Total())
	}
	return nil
}

func (o *options) showReceipt(s *server, receipt *spoor.Receipt, format string) error {
	page := &report.Receipt{Head: s.pageHead(o), Receipt: receipt}
	if receipt.Undoable && receipt.Done > 0 {
		page.Undo = "spoor undo " + receipt.Plan
	}
	if format == "json" {
		return page.JSON(o.env.Out)
	}
	return page.Text(o.env.Out, o.style())
}

// outcomeOf is the exit status that a receipt deserves.
func outcomeOf(receipt *spoor.Receipt, err error) error {
	left := receipt.Total() - receipt.Done - receipt.SkippedBy[spoor.ResultGone]
	switch {
	case err != nil:
		return nil
	case left > 0:
		return partial()
	}
	return nil
}
