package report

import (
	"spoor"
)

// sourceJSON is a source as spoor.who/1 lists it. Keys of the contract are
// always there, as "" where nothing is known, except uid; the others are not.
type sourceJSON struct {
	Source     text            `json:"source"`
	Kind       string          `json:"kind"`
	Name       text            `json:"name"`
	UID        *int            `json:"uid,omitempty"`
	User       text            `json:"user"`
	Queued     int             `json:"queued"`
	Recipients int             `json:"recipients"`
	First      string          `json:"first"`
	Last       string          `json:"last"`
	Verdict    string          `json:"verdict"`
	Confidence float64         `json:"confidence"`
	Score      float64         `json:"score"`
	Reasons    []reasonJSON    `json:"reasons"`
	Evidence   []evidenceJSON  `json:"evidence"`
	Conflicts  []evidenceJSON  `json:"conflicts,omitempty"`
	Candidates []candidateJSON `json:"candidates,omitempty"`
	Cause      text            `json:"cause,omitempty"`
	CauseCount int             `json:"cause_count,omitempty"`
	*historyJSON
}

// historyJSON is what the log tells of a source. Its keys are absent where no
// log was read, or where it has nothing of the source.
type historyJSON struct {
	Sent            int            `json:"sent"`
	Delivered       int            `json:"delivered"`
	Failed          int            `json:"failed"`
	Deferrals       int            `json:"deferrals"`
	Waiting         int            `json:"waiting"`
	FailedBy        map[string]int `json:"failed_by,omitempty"`
	DeferredBy      map[string]int `json:"deferred_by,omitempty"`
	Logins          int            `json:"logins"`
	FailedLogins    int            `json:"failed_logins"`
	ClientAddresses int            `json:"client_addresses"`
	ClientNetworks  int            `json:"client_networks"`
	Bounces         int            `json:"bounces"`
	Inferred        int            `json:"inferred"`
	Attribution     float64        `json:"attribution"`
	SentFirst       string         `json:"sent_first"`
	SentLast        string         `json:"sent_last"`
}

func newHistoryJSON(t *spoor.Traffic) *historyJSON {
	h := t.History
	if h == nil {
		return nil
	}
	return &historyJSON{
		Sent: h.Accepted, Delivered: h.Delivered, Failed: h.Failed, Deferrals: h.Deferrals, Waiting: h.Waiting,
		FailedBy: byAnswer(&h.FailedBy), DeferredBy: byAnswer(&h.DeferredBy),
		Logins: h.Logins, FailedLogins: h.FailedLogins, ClientAddresses: h.Clients.Distinct, ClientNetworks: h.Networks,
		Bounces: h.Bounces, Inferred: h.Inferred, Attribution: finite(t.Confidence),
		SentFirst: jsonTime(h.First), SentLast: jsonTime(h.Last),
	}
}

// byAnswer names the counts that are not 0.
func byAnswer(counts *[spoor.NumAnswers]int) map[string]int {
	var named map[string]int
	for i, n := range counts {
		if n == 0 {
			continue
		}
		if named == nil {
			named = map[string]int{}
		}
		named[spoor.Answer(i).String()] = n
	}
	return named
}

type reasonJSON struct {
	Symbol   text           `json:"symbol"`
	Family   string         `json:"family"`
	Weight   float64        `json:"weight"`
	Count    int            `json:"count"`
	Text     text           `json:"text"`
	Check    text           `json:"check,omitempty"`
	Evidence []evidenceJSON `json:"evidence,omitempty"`
}

type evidenceJSON struct {
	What text `json:"what"`
	ID   text `json:"id"`
	File text `json:"file"`
	Line int  `json:"line"`
	Text text `json:"text"`
}

type candidateJSON struct {
	Source     text           `json:"source"`
	Kind       string         `json:"kind"`
	Name       text           `json:"name"`
	Confidence float64        `json:"confidence"`
	Text       text           `json:"text"`
	Evidence   []evidenceJSON `json:"evidence"`
}

type gapJSON struct {
	File   text `json:"file"`
	Reason text `json:"reason"`
	Count  int  `json:"count"`
}

func newSourceJSON(line *SourceLine) sourceJSON {
	t, v := &line.Traffic, &line.Verdict
	first, last := t.Span()
	s := sourceJSON{
		Source: text(t.Source.String()), Kind: t.Source.Kind.String(), Name: text(t.Source.Name),
		UID: knownUID(t.UID), User: text(t.Login),
		Queued: t.Messages, Recipients: t.TotalRecipients(), historyJSON: newHistoryJSON(t),
		First: jsonTime(first), Last: jsonTime(last),
		Verdict: v.Class.String(), Confidence: finite(v.Confidence), Score: finite(v.Score),
		Reasons:    newReasonsJSON(v.Reasons),
		Evidence:   newEvidenceJSON(t.Evidence),
		Conflicts:  newEvidenceJSON(t.Conflicts),
		Candidates: newCandidatesJSON(t.Candidates),
	}
	if t.Cause != (spoor.Source{}) {
		s.Cause, s.CauseCount = text(t.Cause.String()), t.CauseCount
	}
	return s
}

func newReasonsJSON(reasons []spoor.Reason) []reasonJSON {
	list := make([]reasonJSON, 0, len(reasons))
	for _, r := range reasons {
		list = append(list, reasonJSON{
			Symbol: text(r.Symbol), Family: r.Family.String(), Weight: finite(r.Weight), Count: r.Count,
			Text: text(r.Text), Check: text(r.Check), Evidence: newEvidenceJSON(r.Evidence),
		})
	}
	return list
}

func newEvidenceJSON(evidence []spoor.Evidence) []evidenceJSON {
	list := make([]evidenceJSON, 0, len(evidence))
	for _, e := range evidence {
		list = append(list, evidenceJSON{
			What: text(e.What), ID: text(e.ID), File: text(e.File), Line: e.Line, Text: text(e.Text),
		})
	}
	return list
}

func newCandidatesJSON(candidates []spoor.Candidate) []candidateJSON {
	list := make([]candidateJSON, 0, len(candidates))
	for _, c := range candidates {
		list = append(list, candidateJSON{
			Source: text(c.Source.String()), Kind: c.Source.Kind.String(), Name: text(c.Source.Name),
			Confidence: finite(c.Confidence), Text: text(c.Text), Evidence: newEvidenceJSON(c.Evidence),
		})
	}
	return list
}

func newGapsJSON(gaps []spoor.Gap) []gapJSON {
	list := make([]gapJSON, 0, len(gaps))
	for _, g := range mergeGaps(gaps) {
		list = append(list, gapJSON{File: text(g.File), Reason: text(g.Reason), Count: g.Count})
	}
	return list
}

// knownUID is nil for -1, which no JSON reader should take for a UID.
func knownUID(uid int) *int {
	if uid < 0 {
		return nil
	}
	return &uid
}
