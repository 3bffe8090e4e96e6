package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
	"spoor/internal/mta/qmail"
	"spoor/internal/remedy"
	"spoor/internal/report"
)

// abandonWhole gives up a plan that is one step: a freeze, a thaw or a rebuild.
func (o *options) abandonWhole(ctx context.Context, s *server, p *spoor.Plan, f *changeFlags) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	if !f.dryRun {
		if err := o.answerable(f); err != nil {
			return err
		}
	}
	if f.dryRun || !f.yes {
		left, err := o.leaveWhole(ctx, s, p, f, true)
		if err == nil {
			err = left.show(o, s, p, format, f.dryRun)
		}
		if err != nil || f.dryRun {
			return err
		}
		if err := o.askFor("give up " + p.ID); err != nil {
			return err
		}
	}
	left, err := o.leaveWhole(ctx, s, p, f, false)
	if err != nil {
		return err
	}
	return left.show(o, s, p, format, true)
}

// leftWhole is what a plan that was given up leaves.
type leftWhole struct {
	state string // for people
	next  string // a command; "" if there is none
}

func (l *leftWhole) show(o *options, s *server, p *spoor.Plan, format string, last bool) error {
	page := &report.Abandoned{Head: s.pageHead(o), Plan: p.ID, Action: p.Action, State: l.state, Next: l.next}
	if format == "json" {
		if !last {
			return nil // one document, when it is done
		}
		return page.JSON(o.env.Out)
	}
	return page.Text(o.env.Out, o.style())
}

// leaveWhole finds how a plan is left, with the locks taken, and gives it up unless dry
// is set. What it has left stopped is started.
func (o *options) leaveWhole(ctx context.Context, s *server, p *spoor.Plan, f *changeFlags, dry bool) (left leftWhole, err error) {
	err = o.underLock(s, func(state *remedy.State, top *disk.Dir) error {
		past := state.Journal.Of(p.ID)
		if past.Finished && !past.GivenUp {
			return nothing(p.ID+" was finished meanwhile", o.spoor("journal show "+p.ID))
		}
		if p.Action == spoor.ActionRebuild {
			left, err = o.leaveRebuild(s, state, top, p, dry)
		} else {
			left, err = o.leaveFreeze(s, state, top, p)
		}
		if err != nil || dry {
			return err
		}
		if s.adapter.Recover != nil {
			control := mta.Control{Top: top, Live: s.root.Live(), Run: programs{}, State: state.Dir()}
			err = s.adapter.Recover(ctx, s.mtaServer(), control)
		}
		if past.GivenUp {
			return err
		}
		work := &remedy.Work{State: state, Now: o.env.Now}
		return errors.Join(err, work.GiveUpWhole(p, s.givingUp(o, f.reason), left.state))
	})
	return left, err
}

// leaveFreeze tells what a freeze or thaw leaves. No file is changed.
func (o *options) leaveFreeze(s *server, state *remedy.State, top *disk.Dir, p *spoor.Plan) (leftWhole, error) {
	record, err := state.Record(cmp.Or(p.Undoes, p.ID))
	if errors.Is(err, remedy.ErrNoPlan) && p.Action == spoor.ActionFreeze {
		return leftWhole{state: "nothing was begun: mail is delivered as it was"}, nil
	}
	if err != nil {
		return leftWhole{}, err
	}
	freezer, err := s.freezer(state, top, p.ID, "", true)
	if err != nil {
		return leftWhole{}, err
	}
	now, err := freezer.Look(record)
	if err != nil {
		return leftWhole{}, err
	}
	kept := ""
	if now.Kept != "" {
		kept = "; what was there before is in " + now.Kept
	}
	switch now.Standing {
	case mta.StandingBefore:
		return leftWhole{state: now.File + " is what it was before the freeze: mail is delivered"}, nil
	case mta.StandingFrozen:
		return leftWhole{state: now.File + " is that of the freeze: no mail leaves this server" + kept, next: "spoor queue thaw"}, nil
	case mta.StandingEdited:
		return leftWhole{state: now.File + " is neither what it was before the freeze nor that of the freeze: somebody has edited it, and it stays as it is" + kept, next: "spoor queue thaw --force"}, nil
	default:
		return leftWhole{}, refuse(
			now.File+" is not there, since two files were changing places when "+p.ID+" was cut off"+kept, "nothing was changed: put the file back by hand, then any command that changes something finishes the plan, or this one gives it up", "")
	}
}

// leaveRebuild tells what a rebuild leaves, and removes what is of no use unless dry is
// set.
func (o *options) leaveRebuild(s *server, state *remedy.State, top *disk.Dir, p *spoor.Plan, dry bool) (leftWhole, error) {
	record, err := state.Record(p.ID)
	if errors.Is(err, remedy.ErrNoPlan) {
		return leftWhole{state: "nothing was begun: the queue is as it was"}, nil
	}
	var order rebuildOrder
	if err == nil {
		err = json.Unmarshal(record, &order)
	}
	if err != nil {
		return leftWhole{}, fmt.Errorf("the record of %s: %w", p.ID, err)
	}
	r, err := s.openRebuild(state, top, cmp.Or(order.Of, p.ID), order)
	if err != nil {
		return leftWhole{}, err
	}
	defer func() { _ = r.Close() }()
	words, err := r.GiveUp(order.Verb, dry)
	if errors.Is(err, qmail.ErrHalf) {
		return leftWhole{}, refuse(err.Error(), "nothing was changed", "")
	}
	return leftWhole{state: words}, err
}
