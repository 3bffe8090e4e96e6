package report

import (
	"cmp"

	"spoor"
)

// stepwiseTitle says in one line what a plan of steps comes to.
func stepwiseTitle(p *spoor.Plan, messages string) string {
	title := map[spoor.Action]string{
		spoor.ActionStop: "can send no more", spoor.ActionFix: "can send no more", spoor.ActionUndo: "what was done is taken back",
		spoor.ActionAuditFix: "a weakness of the server is mended", spoor.ActionShim: "a recorder is put in front of sendmail",
	}[p.Action]
	if (p.Action == spoor.ActionStop || p.Action == spoor.ActionFix) && len(p.Selector) > 0 {
		title = clip(p.Selector[0], maxAddress) + " " + title
	}
	switch {
	case len(p.Targets) == 0:
		return title
	case p.Action == spoor.ActionUndo:
		return title + ", and " + messages + " go from the vault back into the queue"
	}
	return title + ", and " + messages + " leave the queue for the vault"
}

// shownSteps are those with words, and whether any of them has no inverse.
func shownSteps(steps []spoor.Step) []*spoor.Step {
	var shown []*spoor.Step
	for i := range steps {
		if steps[i].What != "" {
			shown = append(shown, &steps[i])
		}
	}
	return shown
}

func (p *Plan) writeSteps(page *page) {
	undo := p.Action == spoor.ActionUndo
	for i, s := range shownSteps(p.Steps) {
		if undo {
			words := s.What
			if s.Inverse == "" {
				words += ": this cannot be taken back"
			}
			page.row(detail, count(i+1), clip(words, maxQuote))
			continue
		}
		page.row(detail, count(i+1), clip(s.What, maxQuote))
		page.row(detail, "", "undone by: "+clip(cmp.Or(s.Inverse, "nothing: it cannot be taken back"), maxQuote))
	}
	for i, line := range p.Breaks {
		page.row(detail, onlyFirst(i, "breaks"), clip(line, maxQuote))
	}
	for i, line := range p.Open {
		page.row(detail, onlyFirst(i, "stays open"), clip(line, maxQuote))
	}
	for i, line := range p.ByHand {
		page.row(detail, onlyFirst(i, "by hand"), clip(line, maxQuote))
	}
	if !p.Expires.IsZero() {
		page.row(detail, "until", page.style.clock(p.Expires)+"; then it is taken back")
	}
}

func onlyFirst(i int, label string) string {
	if i > 0 {
		return ""
	}
	return label
}

func stepsDone(done, planned int) string {
	if done == planned {
		return plural(done, "step")
	}
	return count(done) + " of " + plural(planned, "step")
}

// shownOutcomes counts those that a reader sees.
func shownOutcomes(steps []spoor.StepOutcome) (done, all int) {
	for _, s := range steps {
		switch {
		case s.Result != spoor.ResultDone:
			all++
		case s.What != "":
			done++
			all++
		}
	}
	return done, all
}

func writeStepOutcomes(p *page, steps []spoor.StepOutcome) {
	for _, s := range steps {
		words := clip(s.What, maxQuote)
		if s.What == "" && s.Result == spoor.ResultDone {
			continue
		}
		if s.Why != "" {
			words += ": " + clip(s.Why, maxQuote)
		}
		p.row(detail, stepWord(s.Result), words)
	}
}

// stepWord is what became of a step.
func stepWord(result spoor.Result) string {
	switch result {
	case spoor.ResultDone:
		return "done"
	case spoor.ResultChanged:
		return "not undone"
	default:
		return "failed"
	}
}

type changeJSON struct {
	Kind    string `json:"kind"`
	What    text   `json:"what"`
	Subject text   `json:"subject"`
	Inverse text   `json:"inverse"` // "" if nothing takes it back
}

func (d *planJSON) steps(p *spoor.Plan) {
	for _, s := range shownSteps(p.Steps) {
		d.Steps = append(d.Steps, changeJSON{Kind: s.Kind.String(), What: text(s.What), Subject: text(s.Subject()), Inverse: text(s.Inverse)})
	}
	if len(p.Breaks) > 0 {
		d.Breaks = texts(p.Breaks)
	}
	if len(p.Open) > 0 {
		d.Open = texts(p.Open)
	}
	if len(p.ByHand) > 0 {
		d.ByHand = texts(p.ByHand)
	}
	if !p.Expires.IsZero() {
		d.Expires = jsonTime(p.Expires)
	}
}

type stepOutcomeJSON struct {
	What   text   `json:"what"`
	Result string `json:"result"`
	Why    text   `json:"why,omitempty"`
}

func stepOutcomes(steps []spoor.StepOutcome) []stepOutcomeJSON {
	var list []stepOutcomeJSON
	for _, s := range steps {
		if s.What == "" && s.Result == spoor.ResultDone {
			continue
		}
		list = append(list, stepOutcomeJSON{What: text(s.What), Result: s.Result.String(), Why: text(s.Why)})
	}
	return list
}
