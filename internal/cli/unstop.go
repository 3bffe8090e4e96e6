package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/remedy"
)

func unstopCommand(o *options) *cobra.Command {
	f := &changeFlags{}
	expired := false
	cmd := &cobra.Command{
		Use:   "unstop SOURCE|PLAN",
		Short: "let a source send again that was stopped",
		Long: `unstop takes a stop back, as "spoor undo" does with the plan that made it:
configuration, rights and scripts are as they were before, byte for byte and with
their times, unless somebody has changed them since; then only spoor's own lines
are taken out, and what cannot be told apart is said.

Messages that the plan has put into the vault stay there: "spoor undo PLAN" puts
them back too. With --expired it takes back all stops whose time is over; the timer
of --for runs that, and every command that changes something does it first.`,
		Example: `  spoor unstop account:info@shop.test
  spoor unstop --expired --yes --reason timer`,
		Args: func(cmd *cobra.Command, args []string) error {
			if expired && len(args) == 0 {
				return nil
			}
			return oneArg("name one source or plan that is stopped")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if expired {
				return o.unstopExpired(cmd.Context(), f)
			}
			return o.unstop(cmd.Context(), args[0], f)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&expired, "expired", false, "all stops whose time is over")
	return cmd
}

func (o *options) unstop(ctx context.Context, word string, f *changeFlags) error {
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	before, err := o.finishCutOff(ctx, s, f)
	if err != nil {
		return err
	}
	if receipt := tookBack(before, []string{word}); receipt != nil {
		return o.finishedUndo(s, receipt)
	}
	past, err := o.stopOf(s, word, (*remedy.Journal).InForce)
	if err == nil && past == nil { // or one that somebody else has overtaken, and may have put right since
		past, err = o.stopOf(s, word, (*remedy.Journal).Left)
	}
	if err != nil {
		return err
	}
	if past == nil {
		return nothing("nothing has stopped "+word, o.spoor("journal"))
	}
	p, err := o.unstopPlan(s, past)
	if err != nil {
		return err
	}
	return o.carryOut(ctx, s, p, f)
}

// unstopPlan takes back the steps of a plan, not its messages.
func (o *options) unstopPlan(s *server, past *remedy.Past) (*spoor.Plan, error) {
	if err := o.sameServer(s, past.Record.Root, past.Plan); err != nil {
		return nil, err
	}
	state, top, err := o.lookState(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = top.Close() }()
	defer state.Close()
	p, err := state.Plan(past.Plan)
	if err != nil {
		return nil, err
	}
	back := state.Inverse(past, p)
	back.Host, back.Root, back.MTA = s.host, s.root.Dir(), s.adapter.Name
	back.StepsOnly = past.Done() > 0
	return back, nil
}

// unstopExpired takes back what is over.
func (o *options) unstopExpired(ctx context.Context, f *changeFlags) error {
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	over, err := o.anyOver(s)
	if err != nil {
		return err
	}
	if !over {
		return o.noneDue(s)
	}
	if f.dryRun {
		return nil
	}
	if err := o.answerable(f); err != nil {
		return err
	}
	begun := o.env.Now()
	if _, err = o.locked(ctx, s, func(*remedy.State, *disk.Dir) (*spoor.Receipt, error) { return nil, nil }); err != nil {
		return err
	}
	left, err := o.overdueStops(s)
	if err == nil && slices.ContainsFunc(left, func(one remedy.Overdue) bool { return !one.Last.Time.Before(begun.Truncate(time.Second)) }) {
		return partial() // told when it was tried
	}
	return err
}

// noneDue is the answer where no stop is to be taken back now.
func (o *options) noneDue(s *server) error {
	left, err := o.overdueStops(s)
	if err != nil {
		return err
	}
	if len(left) == 0 {
		return nothing("no stop is over", o.spoor("journal"))
	}
	return &statusError{status: exitPartial, err: &spoor.Problem{
		What: "what is over could not be taken back", So: "it is tried again an hour after the last time, or at once by its name", Try: o.unstopCommand(s, left[0].Past),
	}}
}

// anyOver reports whether the time of a stop is over that is to be taken back now.
func (o *options) anyOver(s *server) (bool, error) {
	due, err := o.stepwise(s, func(j *remedy.Journal) []*remedy.Past { return j.Due(o.env.Now()) })
	return len(due) > 0, err
}

// expire takes back the stops whose time is over, and does again what a restart or
// an upgrade has ended of the others. The lock is taken. What cannot be done is told
// and keeps nobody from working.
func (o *options) expire(ctx context.Context, s *server, state *remedy.State, top *disk.Dir) error {
	work := &remedy.Work{State: state, Now: o.env.Now, Steps: s.steps(top, o.env.Now)}
	for _, past := range state.Journal.Due(o.env.Now()) {
		p, err := state.Plan(past.Plan)
		if err != nil {
			o.say("%s is over, and cannot be taken back: %v", past.Plan, err)
			continue
		}
		if p.Root != s.root.Dir() || p.MTA != s.adapter.Name {
			continue // of another tree, or another MTA's: it is taken back there
		}
		if err := o.expireOne(ctx, s, work, past, p); err != nil {
			return err
		}
	}
	if err := work.Renew(ctx, s.root.Dir()); err != nil {
		for _, one := range unjoined(err) {
			o.say("%v", one)
		}
	}
	return nil
}

// expireOne takes back a stop whose time is over.
func (o *options) expireOne(ctx context.Context, s *server, work *remedy.Work, past *remedy.Past, p *spoor.Plan) error {
	back := work.State.Inverse(past, p)
	back.Host, back.Root, back.MTA, back.Time = s.host, s.root.Dir(), s.adapter.Name, o.env.Now().UTC()
	back.By, back.Reason, back.StepsOnly = "spoor", "its time was over", past.Done() > 0
	if err := work.Propose(back); err != nil {
		return err
	}
	receipt, err := work.Apply(ctx, back)
	if err != nil {
		return err
	}
	if receipt.StepsDone() == len(receipt.Steps) {
		o.say("%s was over and is taken back: %s", past.Plan, cameTo(back, receipt))
	} else if try := work.State.Journal.LastTry(past, back.Time); try != nil {
		o.sayOverdue(s, &remedy.Overdue{Past: past, Last: *try})
	}
	return nil
}

// unjoined are the errors that were joined.
func unjoined(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}
