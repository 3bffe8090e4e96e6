package cli

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"spoor/internal/remedy"
	"spoor/internal/report"
)

// say tells something on standard error, in one line.
func (o *options) say(format string, values ...any) {
	fmt.Fprintln(o.env.Err, "spoor: "+report.Escape(fmt.Sprintf(format, values...)))
}

// shortest and longest are the bounds of --for.
const (
	shortest = time.Minute
	longest  = 366 * 24 * time.Hour
)

// expiry is when a stop takes itself back; zero for never.
func (o *options) expiry(lasts string) (time.Time, error) {
	if lasts == "" {
		return time.Time{}, nil
	}
	span, err := days(lasts)
	if err != nil || span < shortest || span > longest {
		return time.Time{}, usage(errors.New("--for " + lasts + ": want a time such as 24h or 7d, from one minute to a year"))
	}
	return o.env.Now().UTC().Add(span).Truncate(time.Second), nil
}

// overdueStops are the plans of this server whose time is over, and of which the undo
// has left something.
func (o *options) overdueStops(s *server) ([]remedy.Overdue, error) {
	var list []remedy.Overdue
	_, err := o.stepwise(s, func(j *remedy.Journal) []*remedy.Past {
		list = j.Overdue(o.env.Now())
		return nil
	})
	return slices.DeleteFunc(list, func(one remedy.Overdue) bool { return o.ofAnother(s, one.Past) }), err
}

// maxOverdue is how many plans are told of that are overdue.
const maxOverdue = 3

// tellOverdue says, once, which stops are over and could not be taken back: a line for
// each. Who may not read the state folder cannot do anything about it.
func (o *options) tellOverdue(s *server) {
	if o.toldOverdue != nil || o.check {
		return
	}
	o.toldOverdue = map[string]bool{}
	list, err := o.overdueStops(s)
	if err != nil {
		return // what needs the state folder says so
	}
	for i := range list[:min(maxOverdue, len(list))] {
		o.sayOverdue(s, &list[i])
	}
	if more := len(list) - maxOverdue; more > 0 {
		o.say("%d more stops are over and could not be taken back: %s", more, o.spoor("journal"))
	}
}

// sayOverdue tells of one, with the commands that end it, unless that was told.
func (o *options) sayOverdue(s *server, one *remedy.Overdue) {
	if o.toldOverdue[one.Plan] {
		return
	}
	if o.toldOverdue == nil {
		o.toldOverdue = map[string]bool{}
	}
	o.toldOverdue[one.Plan] = true
	what := one.Plan
	if len(one.Record.Selector) > 0 {
		what += " (" + one.Record.Selector[0] + ")"
	}
	o.say("%s is over since %s and could not be taken back: %s; when that is put right: %s; if it is to stay as it is: %s",
		what, one.Record.Expires.In(o.env.Zone).Format("2006-01-02 15:04"), one.Last.Why, o.unstopCommand(s, one.Past), o.spoor("journal abandon "+one.Plan))
}

// unstopCommand is what takes back a plan.
func (o *options) unstopCommand(s *server, past *remedy.Past) string {
	words := "unstop " + past.Plan
	if past.Record.MTA != s.adapter.Name {
		words = "--mta " + past.Record.MTA + " " + words
	}
	return o.spoor(words)
}
