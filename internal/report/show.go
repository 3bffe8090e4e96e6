package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"spoor"
)

// Show is the evidence bundle of one source.
type Show struct {
	Root, Host string
	Time       time.Time // when the server was examined
	MTA, Panel string    // "" where not known
	Source     SourceLine
	Complete   bool // false: something that bears on the verdict could not be read
	Gaps       []spoor.Gap
}

// Bounds of what the text page of one source quotes; JSON has everything.
const (
	maxEvidence = 5
	maxSamples  = 10
	maxTop      = 10
)

// Text writes the bundle as a page: the verdict, then everything it rests on.
func (s *Show) Text(out io.Writer, style Style) error {
	p := &page{style: style, root: s.Root}
	t, v := &s.Source.Traffic, &s.Source.Verdict
	p.server(s.Host, s.MTA, s.Panel, "root "+s.Root, style.moment(s.Time))
	p.end()
	writeSummary(p, t, v)
	pro, contra := sides(v.Reasons)
	writeJudged(p, "Why", pro)
	writeJudged(p, "Against", contra)
	writeProof(p, t)
	writeCounters(p, t)
	writeLogged(p, t.History)
	writeRanking(p, "Senders", named(t.Senders, sender))
	writeRanking(p, "Clients", t.Clients)
	writeRanking(p, "Scripts named in headers", t.Scripts)
	writeRanking(p, "Subjects", named(t.Subjects, subject))
	writeSamples(p, t.Samples)
	writeGaps(p, s.Gaps, s.Complete)
	return p.writeTo(out)
}

func writeSummary(p *page, t *spoor.Traffic, v *spoor.Verdict) {
	p.label(0, "Source")
	p.put(clip(t.Source.String(), maxQuote))
	p.put(ownerOf(t))
	p.end()
	p.label(0, "Verdict")
	p.paint(classColour(v.Class), v.Class.String())
	p.flow(", " + percent(v.Confidence) + " sure that it sends spam, score " + weight(v.Score))
	p.end()
	p.row(0, "", percent(t.Confidence)+" sure that the mail is from this source")
	if t.Cause != (spoor.Source{}) {
		p.row(0, "Cause", causeOf(t))
	}
	if t.Messages == 0 {
		p.row(0, "Queued", "nothing")
		return
	}
	p.row(0, "Queued", plural(t.Messages, "message")+", "+size(t.Bytes))
	p.row(0, "", plural(t.Recipients, "recipient")+": "+
		count(t.Done)+" done, "+count(t.Recipients-t.Done)+" pending")
	p.row(0, "Arrived", p.style.span(t.First, t.Last))
}

// causeOf says what causes a source, and how much of it: of the queue, or of the log
// where the queue has nothing of the source.
func causeOf(t *spoor.Traffic) string {
	of := plural(t.Messages, "message")
	if t.Messages == 0 && t.History != nil {
		of = plural(t.History.Accepted, "message") + " in the log"
	}
	return clip(t.Cause.String(), maxQuote) + " (" + count(t.CauseCount) + " of " + of + ")"
}

// writeJudged writes reasons with all that proves them.
func writeJudged(p *page, heading string, reasons []spoor.Reason) {
	if len(reasons) == 0 {
		return
	}
	p.heading(heading)
	for i := range reasons {
		r := &reasons[i]
		p.tab(2)
		p.put(weight(r.Weight) + "  ")
		p.flow(reasonText(r))
		p.end()
		p.para(judged, clip(r.Symbol, maxQuote)+", "+r.Family.String())
		if copyable(r.Check) {
			p.tab(judged)
			p.put("check: ")
			p.command(r.Check)
		}
		p.evidenceList(judged, r.Evidence, maxEvidence)
	}
}

// judged is the column below the words of a reason.
const judged = 8

func writeProof(p *page, t *spoor.Traffic) {
	if len(t.Evidence) > 0 {
		p.heading("Why it is this source")
		p.evidenceList(2, t.Evidence, maxEvidence)
	}
	if len(t.Conflicts) > 0 {
		p.heading("What contradicts, and why it was overruled")
		p.evidenceList(2, t.Conflicts, maxEvidence)
	}
	writeLikely(p, t.Candidates)
}

// writeLikely lists candidates with what makes them likely.
func writeLikely(p *page, candidates []spoor.Candidate) {
	candidates = likely(candidates)
	if len(candidates) == 0 {
		return
	}
	p.heading("Likely, not proven")
	for i := range candidates[:min(maxTop, len(candidates))] {
		p.tab(2)
		p.candidate(&candidates[i])
		p.evidenceList(4, candidates[i].Evidence, maxEvidence)
	}
	if more := len(candidates) - maxTop; more > 0 {
		p.para(2, "and "+count(more)+" more: see --json")
	}
}

// counter is one number of a source's traffic.
type counter struct {
	key   string // in JSON
	words string
	n     int
}

// counters lists what was counted of the messages of a source.
func counters(t *spoor.Traffic) []counter {
	return []counter{
		{"unprocessed", "not yet taken up by the MTA", t.Unprocessed},
		{"bouncing", "bouncing", t.Bouncing},
		{"null_sender", "with the null sender", t.NullSender},
		{"bulk", "with a list identity", t.Bulk},
		{"outbound", "leave this server", t.Outbound},
		{"submitted", "came in by SMTP without authentication", t.Submitted},
		{"forged", "hold header fields that contradict the proof", t.Forged},
		{"web_server", "queued by the web server's user", t.WebServer},
		{"own_sender", "have an envelope sender of this source", t.OwnSender},
		{"foreign_sender", "have an envelope sender that is not served here", t.ForeignSender},
		{"contents", "different bodies", t.Contents},
		{"largest_copy", "share the most frequent body", t.LargestCopy},
	}
}

func writeCounters(p *page, t *spoor.Traffic) {
	if t.Messages == 0 {
		return
	}
	p.heading("Of " + plural(t.Messages, "message"))
	for _, c := range counters(t) {
		if c.n != 0 && (c.key != "largest_copy" || c.n > 1) {
			p.para(0, fmt.Sprintf("%11s  %s", count(c.n), c.words))
		}
	}
}

func writeRanking(p *page, heading string, r spoor.Ranking) {
	if len(r.Top) == 0 {
		return
	}
	p.heading(heading + ", " + count(r.Distinct) + " different")
	for _, t := range r.Top[:min(maxTop, len(r.Top))] {
		p.put(fmt.Sprintf("%11s  ", count(t.Count)))
		p.put(cmp.Or(clip(t.Value, p.style.pageColumns()-p.column), "(empty)"))
		p.end()
	}
}

func writeSamples(p *page, samples []*spoor.Message) {
	if len(samples) == 0 {
		return
	}
	p.heading("Sample messages")
	for _, m := range samples[:min(maxSamples, len(samples))] {
		p.label(2, clip(string(m.ID), maxQuote))
		p.put(p.style.clock(m.Arrived) + ", " + size(m.SizeBytes) + ", from ")
		p.flow(clip(senderOf(m), maxQuote))
		p.end()
		p.row(2, "", "to "+clip(recipientsOf(m), maxQuote))
		if m.Subject != "" {
			p.row(2, "", "subject: "+clip(subject(m.Subject), maxQuote))
		}
	}
	if word, ok := shellWord(string(samples[0].ID)); ok {
		p.end()
		p.suggest(2, "the proof for one of them:", "spoor explain "+word)
	}
}

// named is a ranking with its values in words.
func named(r spoor.Ranking, words func(string) string) spoor.Ranking {
	top := slices.Clone(r.Top)
	for i := range top {
		top[i].Value = words(top[i].Value)
	}
	r.Top = top
	return r
}

// sender is an envelope sender as mail logs write it.
func sender(address string) string { return cmp.Or(address, "<>") }

// senderOf is the envelope sender in words. The brackets keep an address from
// reading like one of them.
func senderOf(m *spoor.Message) string {
	switch {
	case !m.HasEnvelope:
		return "unknown: the envelope could not be read"
	case m.Sender == "":
		return "<> (null sender)"
	}
	return "<" + m.Sender + ">"
}

// recipientsOf names the first recipients and counts the others.
func recipientsOf(m *spoor.Message) string {
	const named = 2
	var words []string
	for r := range m.Recipients.All() {
		if len(words) == named {
			break
		}
		words = append(words, clip(r.Address, maxAddress))
	}
	more := m.Recipients.Len() - len(words)
	switch {
	case len(words) == 0:
		return plural(more, "recipient")
	case more == 0:
		return strings.Join(words, ", ")
	}
	return strings.Join(words, ", ") + " and " + count(more) + " more"
}
