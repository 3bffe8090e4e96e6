package cli

import (
	"spoor"
	"spoor/internal/disk"
	"spoor/internal/remedy"
	"spoor/internal/report"
)

// leftBehind is a plan that is finished and of which an undo has left something; nil if
// this one is none.
func (o *options) leftBehind(s *server, id string) (past *remedy.Past, try *remedy.Try, err error) {
	_, err = o.stepwise(s, func(j *remedy.Journal) []*remedy.Past {
		past, try = leftOf(j, id)
		return nil
	})
	if err == nil && past != nil {
		err = o.sameServer(s, past.Record.Root, "plan "+id)
	}
	return past, try, err
}

func leftOf(j *remedy.Journal, id string) (*remedy.Past, *remedy.Try) {
	for _, past := range j.Left() {
		if past.Plan != id {
			continue
		}
		if try := j.LastTry(past, past.Start); try != nil && len(try.Left) > 0 {
			return past, try
		}
	}
	return nil, nil
}

// letGo ends a plan whose undo has left something, which stays as it is.
func (o *options) letGo(s *server, past *remedy.Past, try *remedy.Try, f *changeFlags) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	action, _ := spoor.ParseAction(past.Action)
	page := &report.Abandoned{Head: s.pageHead(o), Plan: past.Plan, Action: action, Stays: try.Left}
	show := func() error {
		if format == "json" {
			return page.JSON(o.env.Out)
		}
		return page.Text(o.env.Out, o.style())
	}
	if f.dryRun {
		return show()
	}
	if err := o.answerable(f); err != nil {
		return err
	}
	if !f.yes {
		if err := page.Text(o.env.Err, o.style()); err != nil {
			return err
		}
		if err := o.askFor("give up " + past.Plan); err != nil {
			return err
		}
	}
	err = o.underLock(s, func(state *remedy.State, _ *disk.Dir) error {
		if now, _ := leftOf(state.Journal, past.Plan); now == nil {
			return nothing(past.Plan+" was taken back meanwhile", o.spoor("journal show "+past.Plan))
		}
		work := &remedy.Work{State: state, Now: o.env.Now}
		return work.LetGo(past.Plan, o.operator(), f.reason)
	})
	if err != nil {
		return err
	}
	return show()
}
