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
	stop   string
}

// defaultMost and defaultShare are what --max is unless it is given: more than
// that is hardly what somebody meant.
const (
	defaultMost  = 50_000
	defaultShare = 0.9
)

// addAsking adds the flags of what is shown, asked for and journalled.
func (f *changeFlags) addAsking(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "print the plan and change nothing")
	flags.BoolVar(&f.yes, "yes", false, "do not ask; needs --reason")
	flags.StringVar(&f.reason, "reason", "", "why, for the journal: `TEXT`")
}

func (f *changeFlags) add(cmd *cobra.Command) {
	f.addAsking(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.stop, "stop", "auto", "stop qmail-send meanwhile and start it again: `WHEN` is yes, no, or auto for many messages")
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
		fmt.Sprintf("nothing was changed; if all of them are meant, --max %d allows it", len(p.Targets)), "")
}

// smallQueue is a queue of which all may be meant.
const smallQueue = 100

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
	unable, err := s.explain(p, f)
	if err != nil {
		return err
	}
	if f.dryRun {
		return errors.Join(o.showDry(s, p, format, unable == nil), unable)
	}
	if unable != nil {
		return unable
	}
	if err := o.confirm(s, p, f); err != nil {
		return err
	}
	receipt, err := o.apply(ctx, s, p)
	if receipt == nil {
		return err
	}
	receipt.Remarks = p.Remarks
	return errors.Join(o.showReceipt(s, receipt, format), told(ctx, receipt, err), outcomeOf(receipt, err))
}

// told is an error of which the receipt tells already, with its status alone.
func told(ctx context.Context, receipt *spoor.Receipt, err error) error {
	if err == nil || receipt.Failure != err.Error() {
		return err
	}
	return &statusError{status: statusOf(ctx, err)}
}

// explain asks the controller how it would do it. unable says why it can do nothing.
func (s *server) explain(p *spoor.Plan, f *changeFlags) (unable, err error) {
	if p.Action.Stepwise() && len(p.Targets) == 0 || p.Action == spoor.ActionShimRelease {
		return nil, nil // it says how already
	}
	top, err := disk.Open(s.root.Dir(), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = top.Close() }()
	if p.Stop, err = f.stops(s, len(p.Targets)); err != nil {
		return nil, err
	}
	c, err := s.control(nil, top, "dry-run", p.Stop)
	if err != nil && p.Stop && f.stop == "auto" {
		p.Stop = false // it is not known how to start it again
		c, err = s.control(nil, top, "dry-run", false)
	}
	if err != nil {
		return nil, err
	}
	p.Method = c.Explain(onMessages(p.Action))
	if err := c.Able(onMessages(p.Action)); err != nil {
		unable = refused(&spoor.Problem{What: err.Error(), So: "nothing was changed", Err: err})
	}
	return unable, c.Close()
}

// manyMessages is from how many on it is better to stop qmail-send: taking a
// message from it while it runs costs a thousandth of a second and more.
const manyMessages = 2000

// stops decides whether the MTA is stopped if it runs.
func (f *changeFlags) stops(s *server, messages int) (bool, error) {
	switch {
	case f.stop == "auto" || f.stop == "":
		return s.adapter.Stops && messages >= manyMessages && s.root.Live(), nil
	case f.stop == "no":
		return false, nil
	case f.stop != "yes":
		return false, usage(fmt.Errorf("--stop %q: want yes, no or auto", f.stop))
	case !s.adapter.Stops:
		return false, usage(errors.New("--stop is for qmail: " + s.adapter.Name + " goes on running"))
	}
	return true, nil
}

// control opens the queue to change it, for one plan.
// state is nil where nothing is to be changed.
func (s *server) control(state *remedy.State, top *disk.Dir, plan string, stop bool) (mta.Controller, error) {
	if s.noQueue != nil {
		return nil, s.noQueue
	}
	if s.adapter.Control == nil {
		return nil, refuse("spoor cannot change a queue of "+s.adapter.Name+" yet", "nothing was changed", "")
	}
	with := mta.Control{Top: top, Live: s.root.Live(), Plan: plan, Run: programs{}, Stop: stop}
	if state != nil {
		with.State = state.Dir()
	}
	c, err := s.adapter.Control(s.mtaServer(), with)
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

// showDry shows a plan that is not carried out now, with what would do that, if
// anything can.
func (o *options) showDry(s *server, p *spoor.Plan, format string, able bool) error {
	page := &report.Plan{Head: s.pageHead(o), Plan: p}
	if able {
		page.Run = o.command(p)
	}
	if format == "json" {
		return page.JSON(o.env.Out)
	}
	return page.Text(o.env.Out, o.style())
}

// onMessages is what an action comes to for the messages of its plan.
func onMessages(action spoor.Action) spoor.Action {
	switch {
	case action == spoor.ActionUndo:
		return spoor.ActionRestore
	case action.Stepwise():
		return spoor.ActionRemove
	}
	return action
}

// command is what does a plan that was only shown.
func (o *options) command(p *spoor.Plan) string {
	words := []string{"spoor", "queue", p.Action.String()}
	if p.Undoes != "" {
		return "spoor undo " + p.Undoes
	}
	switch p.Action {
	case spoor.ActionRestore:
		words = []string{"spoor", "vault", "restore"}
	case spoor.ActionStop, spoor.ActionFix:
		flags := strings.Join(p.Selector[1:], " ") // they are spoor's own words
		return strings.TrimSpace(report.Command("spoor", p.Action.String(), p.Selector[0]) + " " + flags)
	case spoor.ActionAuditFix:
		words = []string{"spoor", "audit", "fix"}
	case spoor.ActionShim:
		words = []string{"spoor", "shim", "install"}
	case spoor.ActionShimRelease:
		selected := slices.DeleteFunc(slices.Clone(p.Selector), func(word string) bool { return strings.HasPrefix(word, "--") })
		flags := strings.Join(p.Selector[len(selected):], " ") // they are spoor's own words
		return strings.TrimSpace(report.Command(append([]string{"spoor", "shim", "release"}, selected...)...) + " " + flags)
	default:
	}
	return report.Command(append(words, p.Selector...)...)
}

// confirm shows the plan and asks on a terminal. Elsewhere --yes and --reason must
// be given.
func (o *options) confirm(s *server, p *spoor.Plan, f *changeFlags) error {
	if err := o.answerable(f); err != nil || f.yes {
		return err
	}
	if err := (&report.Plan{Head: s.pageHead(o), Plan: p}).Text(o.env.Err, o.style()); err != nil {
		return err
	}
	question := p.Action.String()
	if n := len(p.Targets); n > 0 {
		question += fmt.Sprintf(" %d messages", n)
	}
	return o.askFor(question)
}

// askFor asks whether to do something. The default is no.
func (o *options) askFor(what string) error {
	if _, err := fmt.Fprintf(o.env.Err, "\n%s? [y/N] ", what); err != nil {
		return err
	}
	line, _ := bufio.NewReader(o.env.In).ReadString('\n')
	if !isYes(line) {
		return refuse("not confirmed", "nothing was changed", "")
	}
	return nil
}

// answerable refuses what can neither be asked nor was answered on the command
// line.
func (o *options) answerable(f *changeFlags) error {
	switch {
	case f.yes && strings.TrimSpace(f.reason) == "":
		return refuse("--yes needs --reason TEXT: the journal keeps why it was done", "nothing was changed", "")
	case !f.yes && (!o.env.InTerminal || !o.env.ErrTerminal):
		return refuse("there is no terminal to ask on: give --yes and --reason TEXT", "nothing was changed", "")
	}
	return nil
}

// isYes reads an answer, whose default is no.
func isYes(line string) bool {
	return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(line)))
}

// apply does a plan.
func (o *options) apply(ctx context.Context, s *server, p *spoor.Plan) (*spoor.Receipt, error) {
	debug.SetGCPercent(400) // the survey's bound is for surveys; what is garbage here is small
	debug.SetMemoryLimit(math.MaxInt64)
	do := func(state *remedy.State, top *disk.Dir) (*spoor.Receipt, error) {
		p.Time = o.env.Now().UTC()
		work := &remedy.Work{State: state, Now: o.env.Now}
		if err := work.Propose(p); err != nil {
			return nil, err
		}
		return o.work(ctx, s, work, top, p)
	}
	if p.Action.Stepwise() && p.Action != spoor.ActionUndo {
		return o.lockedBefore(ctx, s, do)
	}
	return o.locked(ctx, s, do)
}

// lockedBefore is locked for a plan whose steps may rest on what a stop has done that is
// over by now: that is taken back behind them, when it stays for the plan.
func (o *options) lockedBefore(ctx context.Context, s *server, do func(state *remedy.State, top *disk.Dir) (*spoor.Receipt, error)) (receipt *spoor.Receipt, err error) {
	err = o.underLock(s, func(state *remedy.State, top *disk.Dir) error {
		if _, err := o.finishOld(ctx, s, state, top); err != nil {
			return err
		}
		receipt, err = do(state, top)
		return errors.Join(err, o.expire(context.WithoutCancel(ctx), s, state, top))
	})
	return receipt, err
}

// locked takes the locks, finishes what was cut off before, and does something.
func (o *options) locked(ctx context.Context, s *server, do func(state *remedy.State, top *disk.Dir) (*spoor.Receipt, error)) (receipt *spoor.Receipt, err error) {
	err = o.underLock(s, func(state *remedy.State, top *disk.Dir) error {
		if _, err := o.finishOld(ctx, s, state, top); err != nil {
			return err
		}
		if err := o.expire(ctx, s, state, top); err != nil {
			return err
		}
		receipt, err = do(state, top)
		return err
	})
	return receipt, err
}

// work carries out a plan that is on disk.
func (o *options) work(ctx context.Context, s *server, work *remedy.Work, top *disk.Dir, p *spoor.Plan) (*spoor.Receipt, error) {
	work.Steps = s.steps(top, o.env.Now)
	if p.Action.Stepwise() && len(p.Targets) == 0 {
		return work.Apply(ctx, p)
	}
	if p.Action == spoor.ActionShimRelease {
		return o.releaseHeld(ctx, s, work, p)
	}
	c, err := s.control(work.State, top, p.ID, p.Stop)
	if err != nil {
		return nil, err
	}
	bar := o.startMeter(p.Action.String())
	work.Controller, work.Progress = c, bar.set
	receipt, err := work.Apply(ctx, p)
	bar.stop()
	return receipt, errors.Join(err, c.Close())
}

func (o *options) showReceipt(s *server, receipt *spoor.Receipt, format string) error {
	page := &report.Receipt{Head: s.pageHead(o), Receipt: receipt, Overdue: o.overdueOf(s)}
	if receipt.Undoable && (receipt.Done > 0 || receipt.StepsDone() > 0 || receipt.Total() == 0 && receipt.Failure == "") {
		page.Undo = "spoor undo " + receipt.Plan
	}
	if format == "json" {
		return page.JSON(o.env.Out)
	}
	return page.Text(o.env.Out, o.style())
}

// outcomeOf is the exit status that a receipt deserves.
func outcomeOf(receipt *spoor.Receipt, err error) error {
	left := receipt.Total() - receipt.Done - receipt.SkippedBy[spoor.ResultGone] + len(receipt.Steps) - receipt.StepsDone()
	if err == nil && left > 0 {
		return partial()
	}
	return nil // an error has a status of its own
}
