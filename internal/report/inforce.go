package report

import (
	"time"
)

// InForce is a stop that was not taken back.
type InForce struct {
	Plan    string
	Action  string
	Subject string    // the source, as the plan was given it
	Since   time.Time // UTC
	Expires time.Time // zero if it does not
	Stuck   string    // why it could not be taken back when its time was over; "" if that was not tried
}

// over reports whether its time is over: the next command that changes something
// takes it back.
func (f *InForce) over(now time.Time) bool { return !f.Expires.IsZero() && !f.Expires.After(now) }

// maxInForce is how many the page shows.
const maxInForce = 10

func (w *Who) writeInForce(p *page) {
	if len(w.InForce) == 0 {
		return
	}
	p.heading("In force")
	over, stuck := false, ""
	for i := range w.InForce[:min(maxInForce, len(w.InForce))] {
		f := &w.InForce[i]
		words := clip(f.Subject, maxAddress) + "  since " + p.style.clock(f.Since)
		switch {
		case f.Stuck != "":
			words += ", its time is over, and it could not be taken back: " + f.Stuck
			stuck = f.Plan
		case f.over(w.Time):
			words += ", its time is over"
			over = true
		case !f.Expires.IsZero():
			words += ", until " + p.style.clock(f.Expires)
		}
		p.row(detail, f.Action, words+"  ("+f.Plan+")")
	}
	if more := len(w.InForce) - maxInForce; more > 0 {
		p.para(detail, "and "+count(more)+" more: see spoor journal")
	}
	if over {
		p.suggest(detail, "what is over is taken back by the next command that changes something, or now:", "spoor unstop --expired")
	}
	if stuck != "" {
		p.suggest(detail, "when that is put right:", "spoor unstop "+stuck)
		p.suggest(detail, "if it is to stay as it is:", "spoor journal abandon "+stuck)
	}
}

type inForceJSON struct {
	Plan    string `json:"plan"`
	Action  string `json:"action"`
	Subject text   `json:"subject"`
	Since   string `json:"since"`
	Expires string `json:"expires,omitempty"`
	Stuck   text   `json:"stuck,omitempty"`
}

func (w *Who) inForce() []inForceJSON {
	var list []inForceJSON
	for _, f := range w.InForce {
		line := inForceJSON{Plan: f.Plan, Action: f.Action, Subject: text(f.Subject), Since: jsonTime(f.Since), Stuck: text(f.Stuck)}
		if !f.Expires.IsZero() {
			line.Expires = jsonTime(f.Expires)
		}
		list = append(list, line)
	}
	return list
}
