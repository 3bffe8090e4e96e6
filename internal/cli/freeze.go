package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
	"spoor/internal/remedy"
)

// freezeFlags are those of freeze and thaw.
type freezeFlags struct {
	changeFlags
	method string
	force  bool
}

func queueFreezeCommand(o *options) *cobra.Command {
	f := &freezeFlags{}
	cmd := &cobra.Command{
		Use:   "freeze",
		Short: "deliver nothing to other servers for now, and go on taking mail in (qmail)",
		Long: `freeze stops all delivery to other servers while mail is still taken in and
delivered locally: time to look, before the server is put on a blocklist. thaw
ends it.

For qmail. Without --method, control/smtproutes is replaced by one that leads all
remote mail to a closed port of this machine: at once, without a restart, but it
uses up attempts. With --method concurrencyremote, qmail-send is stopped and
started again with no remote deliveries allowed, and messages wait as they are.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.freeze(cmd.Context(), f) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.method, "method", "", "`HOW`: smtproutes (default) or concurrencyremote")
	return cmd
}

func queueThawCommand(o *options) *cobra.Command {
	f := &freezeFlags{}
	cmd := &cobra.Command{
		Use:   "thaw",
		Short: "deliver to other servers again: the end of freeze (qmail)",
		Long: `thaw restores exactly what was there before freeze. If somebody has edited the file
since, it shows the difference and changes nothing, unless --force is given.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.thaw(cmd.Context(), f) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.force, "force", false, "restore what was there, over what somebody has edited since")
	return cmd
}

func (o *options) freeze(ctx context.Context, f *freezeFlags) error {
	s, err := o.freezable(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	p := &spoor.Plan{Action: spoor.ActionFreeze, Host: s.host, Root: s.root.Dir(), MTA: s.adapter.Name, Selector: methodWords(f.method)}
	return o.carryOutOnce(ctx, s, p, f, func(ctx context.Context, work *remedy.Work, freezer mta.Freezer) (*spoor.Receipt, error) {
		record, err := freezer.Plan(ctx)
		if err != nil {
			return nil, err
		}
		if err := work.State.SaveRecord(p.ID, record); err != nil {
			return nil, err
		}
		receipt, err := work.Once(ctx, p, func(ctx context.Context) error { return freezer.Freeze(ctx, record) })
		return receipt, ifEdited(work, p, freezer, record, err)
	})
}

// ifEdited ends a plan of which nothing was done, since somebody has edited the file that
// it is about: no later one has to wait for it.
func ifEdited(work *remedy.Work, p *spoor.Plan, freezer mta.Freezer, record []byte, err error) error {
	if !errors.Is(err, mta.ErrChanged) {
		return err
	}
	if now, unknown := freezer.Look(record); unknown != nil || now.Standing != mta.StandingEdited {
		return err
	}
	return errors.Join(err, work.Abandon(p, err))
}

func methodWords(method string) []string {
	if method == "" {
		return nil
	}
	return []string{"--method", method}
}

// freezable is a server whose MTA can be frozen.
func (o *options) freezable(ctx context.Context) (*server, error) {
	s, err := o.examine(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case s.noQueue != nil:
		err = s.noQueue
	case s.adapter.Freezer == nil:
		err = refuse("freeze and thaw are for qmail; hold messages of "+s.adapter.Name+" instead", "nothing was changed", o.spoor("queue hold --help"))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// thaw ends the last freeze that was not ended.
func (o *options) thaw(ctx context.Context, f *freezeFlags) error {
	s, err := o.freezable(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	state, top, err := o.lookState(s)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	plans := state.Journal.Plans()
	state.Close()
	for _, past := range slices.Backward(plans) {
		if past.Action == spoor.ActionFreeze.String() && past.UndoneBy == "" && (past.Failure == "" || past.GivenUp) {
			return o.thawPlan(ctx, s, past.Plan, f)
		}
	}
	return nothing("nothing is frozen", o.spoor("journal"))
}

func (o *options) thawPlan(ctx context.Context, s *server, frozen string, f *freezeFlags) error {
	p := &spoor.Plan{Action: spoor.ActionThaw, Host: s.host, Root: s.root.Dir(), MTA: s.adapter.Name, Undoes: frozen}
	return o.carryOutOnce(ctx, s, p, f, func(ctx context.Context, work *remedy.Work, freezer mta.Freezer) (*spoor.Receipt, error) {
		record, err := work.State.Record(frozen)
		if err != nil {
			return nil, err
		}
		receipt, err := work.Once(ctx, p, func(ctx context.Context) error { return freezer.Thaw(ctx, record, f.force) })
		return receipt, ifEdited(work, p, freezer, record, err)
	})
}

// carryOutOnce shows a plan that is one step, asks, and does it.
func (o *options) carryOutOnce(ctx context.Context, s *server, p *spoor.Plan, f *freezeFlags, do func(context.Context, *remedy.Work, mta.Freezer) (*spoor.Receipt, error)) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	p.By, p.Reason = o.operator(), f.reason
	if p.Action == spoor.ActionFreeze {
		if err := o.explainFreeze(s, p, f); err != nil {
			return err
		}
	}
	if f.dryRun {
		return o.showDry(s, p, format, true)
	}
	if err := o.confirm(s, p, &f.changeFlags); err != nil {
		return err
	}
	receipt, err := o.locked(ctx, s, func(state *remedy.State, top *disk.Dir) (*spoor.Receipt, error) {
		p.Time = o.env.Now().UTC()
		work := &remedy.Work{State: state, Now: o.env.Now}
		if err := work.Propose(p); err != nil {
			return nil, err
		}
		freezer, err := s.freezer(state, top, p.ID, f.method, f.stop != "no")
		if err != nil {
			return nil, err
		}
		return do(ctx, work, freezer)
	})
	if receipt == nil {
		return err
	}
	return errors.Join(o.showReceipt(s, receipt, format), err)
}

func (o *options) explainFreeze(s *server, p *spoor.Plan, f *freezeFlags) error {
	top, err := disk.Open(s.root.Dir(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	freezer, err := s.freezer(nil, top, "dry-run", f.method, f.stop != "no")
	if err != nil {
		return usage(err)
	}
	p.Method = freezer.Explain()
	_, err = freezer.Plan(context.Background())
	return err
}

// freezer opens what freezes and thaws, for one plan. state is nil where nothing
// is to be changed. The method says whether qmail-send has to be started again; without
// stop that is refused.
func (s *server) freezer(state *remedy.State, top *disk.Dir, plan, method string, stop bool) (mta.Freezer, error) {
	c := mta.Control{Top: top, Live: s.root.Live(), Plan: plan, Run: programs{}, Stop: stop}
	if state != nil {
		c.State = state.Dir()
	}
	return s.adapter.Freezer(s.mtaServer(), c, method)
}

// finishOnce does the rest of a freeze or thaw that was cut off.
func (o *options) finishOnce(ctx context.Context, s *server, state *remedy.State, top *disk.Dir, p *spoor.Plan) (*spoor.Receipt, error) {
	if s.adapter.Freezer == nil {
		return nil, fmt.Errorf("%s: %w", p.Action, mta.ErrUnsupported)
	}
	frozen := p.ID
	if p.Action == spoor.ActionThaw {
		frozen = p.Undoes
	}
	record, err := state.Record(frozen)
	if err != nil {
		return nil, err
	}
	freezer, err := s.freezer(state, top, p.ID, "", true)
	if err != nil {
		return nil, err
	}
	work := &remedy.Work{State: state, Now: o.env.Now}
	return work.Once(ctx, p, func(ctx context.Context) error {
		if p.Action == spoor.ActionThaw {
			return freezer.Thaw(ctx, record, false)
		}
		return freezer.Freeze(ctx, record)
	})
}
