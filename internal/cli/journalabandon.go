package cli

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
	"spoor/internal/remedy"
	"spoor/internal/report"
)

func journalAbandonCommand(o *options) *cobra.Command {
	f := &changeFlags{}
	cmd := &cobra.Command{
		Use:   "abandon PLAN",
		Short: "give up a plan that can be neither finished nor taken back",
		Long: `abandon ends a plan that was cut off and that no run can finish, because the
disk fails for one of its messages: until then every later change waits for it.

It says of each message of the unfinished part where it is: in the queue, in the
vault, or in the plan's folder beside the queue. What is beside the queue alone
goes back into the queue, message by message, and what was about to return from
the vault returns. What fails stays where it is and is listed; nothing is removed
of which there is no other copy. "spoor vault restore" puts back what is in the
vault. Once the disk is repaired, the same command brings back what had to stay.

A freeze or thaw that cannot be finished, since somebody has edited the control
file meanwhile, is ended where it is: no file is changed, and it says what is in
place. So is a rebuild, as long as its tree is not in the queue's place, and the
purge of an old one; where messages would be left in a tree that qmail does not
work on, it is refused.

Of a plan that is finished, and of which an undo has left something because somebody
else had changed it, or because it failed, it says what that is: it stays as it is,
spoor tries no more to take it back, and does not mention it again.`,
		Example: `  spoor journal abandon -n 20261126T101500-rm
  spoor journal abandon 20261126T101500-rm --yes --reason "disk error, ticket 4711"`,
		Args: oneArg("name one plan of spoor journal"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.journalAbandon(cmd.Context(), args[0], f) },
	}
	f.addAsking(cmd)
	return cmd
}

func (o *options) journalAbandon(ctx context.Context, id string, f *changeFlags) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	past, try, err := o.leftBehind(s, id)
	if err != nil {
		return err
	}
	if past != nil {
		return o.letGo(s, past, try, f)
	}
	p, err := o.cutOffPlan(s, id)
	if err != nil {
		return err
	}
	if oneStep(p.Action.String()) {
		return o.abandonWhole(ctx, s, p, f)
	}
	if f.dryRun {
		list, err := o.located(ctx, s, p)
		if err != nil {
			return err
		}
		return o.showAbandoned(s, p, list, format)
	}
	if err := o.answerable(f); err != nil {
		return err
	}
	if !f.yes {
		list, err := o.located(ctx, s, p)
		if err == nil {
			err = o.showAbandoned(s, p, list, "table")
		}
		if err == nil {
			err = o.askFor("give up " + p.ID)
		}
		if err != nil {
			return err
		}
	}
	return o.giveUp(ctx, s, p, f.reason)
}

// cutOffPlan is a plan that is not finished.
func (o *options) cutOffPlan(s *server, id string) (*spoor.Plan, error) {
	state, top, err := o.lookState(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = top.Close() }()
	defer state.Close()
	plans := state.Journal.Plans()
	i := slices.IndexFunc(plans, func(p *remedy.Past) bool { return p.Plan == id })
	switch {
	case i < 0:
		return nil, nothing("there is no such plan in the journal", o.spoor("journal"))
	case plans[i].Finished && !plans[i].GivenUp:
		return nil, nothing(id+" is not unfinished: there is nothing to give up", o.spoor("journal show "+id))
	}
	p, err := state.Plan(id)
	if err != nil {
		return nil, err
	}
	if err := o.sameServer(s, p.Root, "plan "+p.ID); err != nil {
		return nil, err
	}
	switch {
	case p.MTA != s.adapter.Name:
		return nil, refuse("plan "+p.ID+" is of "+p.MTA, "nothing was changed", o.spoor("--mta "+p.MTA+" journal abandon "+p.ID))
	case len(p.Targets) == 0 && !oneStep(p.Action.String()):
		return nil, refuse(p.ID+" has no messages that a disk could hold up", "nothing was changed: the next command that changes something does its steps, or takes them back", "")
	}
	return p, nil
}

// located tells where the messages of a plan are, and changes nothing. The locks
// prove that nobody is carrying it out.
func (o *options) located(ctx context.Context, s *server, p *spoor.Plan) (list []remedy.Located, err error) {
	err = o.underLock(s, func(state *remedy.State, top *disk.Dir) error {
		c, err := s.control(nil, top, p.ID, false)
		if err != nil {
			return err
		}
		list, err = (&remedy.Work{State: state, Controller: c, Now: o.env.Now}).Locate(ctx, p, s.givingUp(o, ""))
		return errors.Join(err, c.Close())
	})
	return list, err
}

// giveUp ends a plan with the locks taken.
func (o *options) giveUp(ctx context.Context, s *server, p *spoor.Plan, reason string) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	var list []remedy.Located
	err = o.underLock(s, func(state *remedy.State, top *disk.Dir) error {
		if past := state.Journal.Of(p.ID); past.Finished && !past.GivenUp {
			return nothing(p.ID+" was finished meanwhile", o.spoor("journal show "+p.ID))
		}
		c, err := s.control(state, top, p.ID, false)
		if err != nil {
			return err
		}
		list, err = (&remedy.Work{State: state, Controller: c, Now: o.env.Now}).GiveUp(ctx, p, s.givingUp(o, reason))
		// What is left beside the queue may keep its folder from being removed.
		_ = c.Close()
		return err
	})
	if err != nil {
		return err
	}
	return errors.Join(o.showAbandoned(s, p, list, format), leftOver(list))
}

// leftOver is the exit status where something is not where it belongs.
func leftOver(list []remedy.Located) error {
	for i := range list {
		if list[i].Err != nil || list[i].Where == remedy.Beside || list[i].Where == remedy.Unknown {
			return partial()
		}
	}
	return nil
}

// givingUp is what remedy has to know of the queue.
func (s *server) givingUp(o *options, reason string) remedy.GivingUp {
	return remedy.GivingUp{
		By: o.operator(), Reason: reason,
		Gone: func(err error) bool { return errors.Is(err, mta.ErrGone) || errors.Is(err, fs.ErrNotExist) },
		InQueue: func(ctx context.Context, t *spoor.Target) (bool, error) {
			m, err := s.queue.Find(ctx, t.ID)
			if errors.Is(err, mta.ErrGone) || errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			due := m.Recipients.Done() < m.Recipients.Len() || m.Recipients.Len() == 0
			return due && m.Arrived.Equal(t.Arrived), nil
		},
	}
}

func (o *options) showAbandoned(s *server, p *spoor.Plan, list []remedy.Located, format string) error {
	page := &report.Abandoned{Head: s.pageHead(o), Plan: p.ID, Action: p.Action, Restore: "spoor vault restore --plan " + p.ID}
	page.Beside = path.Join(firstPlace(s), "spoor", p.ID)
	for i := range list {
		l := &list[i]
		one := report.LocatedMessage{Target: *l.Target, Where: l.Where.String(), Left: l.Left}
		if l.Err != nil {
			one.Why = l.Err.Error()
		}
		page.Messages = append(page.Messages, one)
	}
	if format == "json" {
		return page.JSON(o.env.Out)
	}
	return page.Text(o.env.Out, o.style())
}
