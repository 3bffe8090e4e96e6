package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"spoor"
)

func (w *Who) writeSources(p *page, top int) {
	lines := w.ranked()
	bad := slices.IndexFunc(lines, func(l *SourceLine) bool { return l.Verdict.Class == spoor.Normal })
	if bad < 0 {
		bad = len(lines)
	}
	shown := min(top, bad)
	for i, line := range lines[:shown] {
		p.end()
		writeSource(p, i+1, line, w.Stops)
	}
	if len(lines) > 0 {
		p.end()
	}
	if hidden := lines[shown:bad]; len(hidden) > 0 {
		spam, suspect := classTally(hidden, spoor.Spam), classTally(hidden, spoor.Suspect)
		p.suggest(0, "Not shown: "+count(spam.sources)+" spam, "+count(suspect.sources)+" suspect, "+
			plural(spam.messages+suspect.messages, "message")+":", "spoor --top "+strconv.Itoa(bad))
	}
	ordinary := classTally(lines, spoor.Normal)
	ordinary.sources += w.MinorSources
	ordinary.accepted += w.MinorMessages
	if ordinary.sources > 0 {
		noun := "source"
		if bad > 0 {
			noun = "other source"
		}
		words := plural(ordinary.sources, noun) + ", " + plural(ordinary.messages, "message")
		if w.Log != nil {
			words += " in the queue, " + count(ordinary.accepted) + " in the log"
		}
		p.para(0, words+": normal")
	}
}

// detail is where the labels below a source start.
const detail = 4

// doubtful is how sure of a source one has to be for the page not to mention it.
const doubtful = 0.7

// Bounds of what the page tells of one source; the rest is in spoor show.
const (
	maxWhy        = 5
	maxAgainst    = 3
	maxCandidates = 3
)

func writeSource(p *page, rank int, line *SourceLine, stops func(spoor.Kind) bool) {
	t, v := &line.Traffic, &line.Verdict
	p.put(fmt.Sprintf("%2d. ", rank))
	p.verdict(v)
	p.tab(wordsColumn)
	p.put(clip(t.Source.String(), maxQuote))
	p.put(ownerOf(t))
	p.end()
	if t.Messages > 0 || t.History == nil {
		p.row(detail, "queued", plural(t.Messages, "message")+" to "+plural(t.Recipients, "recipient"))
		p.row(detail, "arrived", p.style.span(t.First, t.Last))
	}
	writeHistory(p, t.History)
	if t.Confidence < doubtful && t.Source.Kind != spoor.KindUnknown {
		p.row(detail, "doubt", "only "+percent(t.Confidence)+" sure that the mail is from this source")
	}
	if t.Cause != (spoor.Source{}) {
		p.row(detail, "cause", causeOf(t))
	}
	pro, contra := sides(v.Reasons)
	writeReasons(p, "why", pro, maxWhy)
	writeReasons(p, "against", contra, maxAgainst)
	writeCandidates(p, t.Candidates)
	p.label(detail, "next")
	p.command(showCommand(t.Source))
	if command := sealCommand(t, v); stops != nil && stops(spoor.KindScript) && command != "" {
		p.label(detail, "")
		p.command(command)
	}
	if command := endCommand(v); stops != nil && stops(v.Source.Kind) && command != "" {
		p.label(detail, "")
		p.command(command)
	}
}

// writeHistory tells in a few lines what the log has of a source.
func writeHistory(p *page, h *spoor.History) {
	if h == nil || h.Accepted == 0 && h.Logins == 0 {
		return
	}
	p.row(detail, "log", plural(h.Accepted, "message")+" to "+plural(h.Recipients, "recipient")+": "+
		count(h.Delivered)+" delivered, "+count(h.Failed)+" failed, "+count(h.Waiting)+" put off")
	if !h.First.IsZero() {
		p.row(detail, "", p.style.span(h.First, h.Last))
	}
	if h.Inferred > 0 {
		p.row(detail, "inferred", inferredOf(h))
	}
	if h.Logins > 0 {
		p.row(detail, "logins", count(h.Logins)+" from "+addresses(h.Clients.Distinct)+failedLogins(h.FailedLogins))
	}
}

// inferredOf says how many messages were joined to the source without a record.
func inferredOf(h *spoor.History) string {
	if h.Inferred >= h.Accepted {
		return "the log joins sessions and messages by order and time only"
	}
	return count(h.Inferred) + " of these are joined by order and time only"
}

func addresses(n int) string {
	if n == 1 {
		return "1 address"
	}
	return count(n) + " addresses"
}

func failedLogins(n int) string {
	if n == 0 {
		return ""
	}
	return ", " + count(n) + " failed"
}

// sides parts the reasons for spam from those against it, strongest first.
func sides(reasons []spoor.Reason) (pro, contra []spoor.Reason) {
	for _, r := range reasons {
		if r.Weight < 0 {
			contra = append(contra, r)
		} else {
			pro = append(pro, r)
		}
	}
	strongest := func(a, b spoor.Reason) int {
		return cmp.Compare(math.Abs(b.Weight), math.Abs(a.Weight))
	}
	slices.SortStableFunc(pro, strongest)
	slices.SortStableFunc(contra, strongest)
	return pro, contra
}

func writeReasons(p *page, label string, reasons []spoor.Reason, limit int) {
	for _, r := range reasons[:min(limit, len(reasons))] {
		p.label(detail, label)
		p.put(weight(r.Weight) + "  ")
		p.flow(reasonText(&r))
		p.end()
		label = ""
	}
	if more := len(reasons) - limit; more > 0 {
		p.row(detail, label, "and "+count(more)+" more")
	}
}

// reasonText is the reason in words. Its count is added where the words leave
// it out.
func reasonText(r *spoor.Reason) string {
	words := clip(cmp.Or(r.Text, r.Symbol), maxQuote)
	if r.Count == 0 || strings.ContainsAny(words, "0123456789") {
		return words
	}
	return words + " (" + count(r.Count) + ")"
}

// minLikely is the confidence from which a candidate is worth a person's time.
const minLikely = 0.1

// likely leaves out the candidates that are not.
func likely(candidates []spoor.Candidate) []spoor.Candidate {
	return slices.DeleteFunc(slices.Clone(candidates), func(c spoor.Candidate) bool { return c.Confidence < minLikely })
}

func writeCandidates(p *page, candidates []spoor.Candidate) {
	candidates = likely(candidates)
	label := "likely"
	for _, c := range candidates[:min(maxCandidates, len(candidates))] {
		p.label(detail, label)
		p.candidate(&c)
		label = ""
	}
	if more := len(candidates) - maxCandidates; more > 0 {
		p.row(detail, label, "and "+count(more)+" more")
	}
}

// ownerOf tells the system user behind a source.
func ownerOf(t *spoor.Traffic) string {
	switch {
	case t.UID < 0:
		return ""
	case t.Login == "":
		return "  (uid " + strconv.Itoa(t.UID) + ")"
	}
	return "  (uid " + strconv.Itoa(t.UID) + ", " + clip(t.Login, maxLogin) + ")"
}
