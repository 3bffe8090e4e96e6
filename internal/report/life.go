package report

import (
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"spoor"
)

// TraceSchema names the contract of Trace.JSON.
const TraceSchema = "spoor.trace/1"

// Trace is the life of the messages that were asked for, as the log tells it.
type Trace struct {
	Head
	What     string // that was asked for
	Lives    []Life
	Dropped  int // lives that were found and are not listed
	Coverage *spoor.Coverage
	Complete bool
	Gaps     []spoor.Gap
}

// Life is all that the log tells of one message.
type Life struct {
	ID       spoor.QueueID
	QP       int // PID of the process that queued it; -1 where not logged
	Source   spoor.Source
	Sure     float64
	Inferred bool // Source follows from order and time, not from a record
	Rivals   int  // sessions that it could have come from, where inferred
	Cause    spoor.Source
	Ended    bool
	Queued   bool          // it is in the queue now
	Again    spoor.QueueID // under which it was queued again; "" if it was not
	Steps    []Step
}

// Step is one line of a life.
type Step struct {
	Time     time.Time
	Kind     spoor.EventKind
	Answer   spoor.Answer
	Address  string
	Delivery uint64
	Line     spoor.Evidence
}

type traceJSON struct {
	headJSON
	What     text         `json:"what"`
	Lives    []lifeJSON   `json:"lives"`
	Dropped  int          `json:"not_listed"`
	Log      coverageJSON `json:"log"`
	Complete bool         `json:"complete"`
	Gaps     []gapJSON    `json:"gaps"`
}

type lifeJSON struct {
	ID         text       `json:"id"`
	QP         *int       `json:"qp,omitempty"`
	Source     text       `json:"source"`
	Confidence float64    `json:"confidence"`
	Inferred   bool       `json:"inferred"`
	Sessions   int        `json:"possible_sessions,omitempty"`
	Cause      text       `json:"cause,omitempty"`
	Ended      bool       `json:"ended"`
	Queued     bool       `json:"queued"`
	Again      text       `json:"queued_again,omitempty"`
	Steps      []stepJSON `json:"steps"`
}

type stepJSON struct {
	Time    string `json:"time"`
	What    string `json:"what"`
	Answer  string `json:"answer,omitempty"`
	Address text   `json:"address,omitempty"`
	File    text   `json:"file"`
	Line    int    `json:"line"`
	Text    text   `json:"text"`
}

// JSON writes one document of the schema spoor.trace/1.
func (t *Trace) JSON(out io.Writer) error {
	document := traceJSON{
		headJSON: t.json(TraceSchema), What: text(t.What), Lives: []lifeJSON{}, Dropped: t.Dropped,
		Log: newCoverageJSON(t.Coverage), Complete: t.Complete, Gaps: newGapsJSON(t.Gaps),
	}
	for i := range t.Lives {
		document.Lives = append(document.Lives, newLifeJSON(&t.Lives[i]))
	}
	return writeJSON(out, document)
}

func newLifeJSON(l *Life) lifeJSON {
	j := lifeJSON{
		ID: text(l.ID), QP: knownUID(l.QP), Source: text(l.Source.String()), Confidence: finite(l.Sure), Inferred: l.Inferred,
		Ended: l.Ended, Queued: l.Queued, Again: text(l.Again), Steps: []stepJSON{},
	}
	if l.Inferred {
		j.Sessions = l.Rivals
	}
	if l.Cause != (spoor.Source{}) {
		j.Cause = text(l.Cause.String())
	}
	for i := range l.Steps {
		s := &l.Steps[i]
		step := stepJSON{
			Time: jsonTime(s.Time), What: s.Kind.String(), Address: text(s.Address),
			File: text(s.Line.File), Line: s.Line.Line, Text: text(s.Line.Text),
		}
		if s.Kind == spoor.EventDeferred || s.Kind == spoor.EventFailed {
			step.Answer = s.Answer.String()
		}
		j.Steps = append(j.Steps, step)
	}
	return j
}

// maxSteps is how many lines of one life a page shows.
const maxSteps = 40

// Text writes a page: one section for each message.
func (t *Trace) Text(out io.Writer, style Style) error {
	p := t.page(style)
	for i := range t.Lives {
		p.end()
		writeLife(p, &t.Lives[i])
	}
	if t.Dropped > 0 {
		p.end()
		p.para(0, count(t.Dropped)+" more messages are not listed: --top shows more, --json up to 1,000")
	}
	writeGaps(p, t.Gaps, t.Complete)
	return p.writeTo(out)
}

func writeLife(p *page, l *Life) {
	p.paint(sgrBold, "message "+clip(string(l.ID), maxAddress))
	p.put("  " + lifeState(l))
	p.end()
	p.row(2, "source", clip(l.Source.String(), maxQuote)+", "+percent(l.Sure)+" sure"+basisOf(l))
	if l.Cause != (spoor.Source{}) {
		p.row(2, "cause", clip(l.Cause.String(), maxQuote))
	}
	layout := "15:04:05"
	for i := range l.Steps {
		if l.Steps[i].Time.Nanosecond() != 0 {
			layout = "15:04:05.000"
		}
	}
	for i := range l.Steps[:min(maxSteps, len(l.Steps))] {
		writeStep(p, &l.Steps[i], layout)
	}
	if more := len(l.Steps) - maxSteps; more > 0 {
		p.para(2, "and "+plural(more, "line")+" more: see --json")
	}
}

func lifeState(l *Life) string {
	switch {
	case l.Ended:
		return "(ended)"
	case l.Queued:
		return "(in the queue)"
	case l.Again != "":
		return "(queued again as " + clip(string(l.Again), maxAddress) + ")"
	}
	return "(not ended in the log, and not in the queue)"
}

// basisOf says what the source of a life rests on.
func basisOf(l *Life) string {
	switch {
	case l.Source.Kind == spoor.KindUnknown:
		return ": the log begins after it, or shows no session that it could be of"
	case !l.Inferred:
		return ": by the MTA's record"
	case l.Rivals > 1:
		return ": inferred from order and time among " + count(l.Rivals) + " sessions that it could be of"
	}
	return ": inferred from order and time; log lines of sessions and messages share no key"
}

func writeStep(p *page, s *Step, layout string) {
	p.tab(2)
	p.put(p.style.format(s.Time, layout))
	p.tab(wordsColumn)
	words := s.Kind.String()
	if s.Address != "" {
		words += " " + clip(s.Address, maxAddress)
	}
	if s.Kind == spoor.EventDeferred || s.Kind == spoor.EventFailed {
		words += ": " + answerWords(s.Answer)
	}
	p.flow(words)
	p.put("  (" + clip(path.Base(s.Line.File), maxAddress) + ":" + strconv.Itoa(s.Line.Line) + ")")
	p.end()
	switch s.Kind {
	case spoor.EventDelivered, spoor.EventDeferred, spoor.EventFailed:
		p.para(wordsColumn+2, clip(answerOf(s.Line.Text), maxQuote))
	case spoor.EventAccepted, spoor.EventSubmitted, spoor.EventNamed, spoor.EventRemoved, spoor.EventInvoked, spoor.EventProxied, spoor.EventWebmail, spoor.EventIdentified, spoor.EventReceived, spoor.EventLogin, spoor.EventConnect:
		p.para(wordsColumn+2, clip(afterStamp(s.Line.Text), maxQuote))
	default:
	}
}

// afterStamp leaves out what a step shows already: the header of the line.
func afterStamp(line string) string {
	if at := strings.Index(line, ": "); at > 0 && at < 80 {
		return line[at+2:]
	}
	return line
}
