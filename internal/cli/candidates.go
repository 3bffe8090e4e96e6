package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"spoor"
	"spoor/internal/panel"
	"spoor/internal/trace"
)

// Candidates are looked for where it pays: at the largest sources whose mail
// scripts made. Logs may be huge, and web roots have many files.
const (
	maxSearched    = 5  // sources
	minSearched    = 3  // messages of a source
	maxNamed       = 3  // names of scripts that are searched for each source
	maxCandidates  = 10 // kept for each source
	logMarginStart = 5 * time.Minute
	logMarginEnd   = 2 * time.Minute
)

// addCandidates looks for the scripts behind the mail of the web server and of
// sites, in the logs and web roots that the panel knows. What it cannot read is
// a gap of the panel.
func (s *server) addCandidates(ctx context.Context, traffic []spoor.Traffic) {
	scripts, ok := s.panel.(panel.Scripts)
	if !ok {
		return
	}
	searched := 0
	for _, waiting := range []bool{true, false} { // what is in the queue can still be stopped
		for i := range traffic {
			t := &traffic[i]
			if len(t.Arrivals) < minSearched || (t.Messages > 0) != waiting || searched == maxSearched {
				continue
			}
			searched++
			t.Candidates = trace.Join(t.Candidates, s.candidates(ctx, scripts, t))
		}
	}
}

// addMessageCandidates does the same for one message.
func (s *server) addMessageCandidates(ctx context.Context, m *spoor.Message, a *spoor.Attribution) {
	scripts, ok := s.panel.(panel.Scripts)
	ledger := s.tracer.NewLedger()
	ledger.Add(m)
	for _, t := range ledger.Traffic() {
		a.Candidates = t.Candidates
		if ok && len(t.Arrivals) > 0 {
			a.Candidates = trace.Join(t.Candidates, s.candidates(ctx, scripts, &t))
		}
	}
}

func (s *server) candidates(ctx context.Context, scripts panel.Scripts, t *spoor.Traffic) []spoor.Candidate {
	query := panel.Query{
		Window: panel.Window{
			From:  t.Arrivals[0].Add(-logMarginStart),
			Until: t.Arrivals[len(t.Arrivals)-1].Add(logMarginEnd),
		},
		UIDs: []int{t.UID},
	}
	if len(s.documentRoots(t.UID)) == 0 {
		return s.loggedScripts(ctx, scripts, query.Window, t)
	}
	hits, err := scripts.WebHits(ctx, query)
	if err != nil {
		return nil // interrupted: the caller notices
	}
	mails, err := scripts.ScriptMails(ctx, query)
	if err != nil {
		return nil
	}
	matched := trace.MatchMails(t.Samples, mails)
	if len(matched) > 0 {
		mails = nil // their times tell less
	}
	ranked := trace.Join(matched, trace.RankScripts(t.Arrivals, hits, mails))
	found := trace.AddNamed(ranked, s.namedScripts(ctx, scripts, t), t.Messages)
	return found[:min(len(found), maxCandidates)]
}

// loggedScripts are those of a user whose sites are not known: wherever they lie,
// a Message-ID proves as much.
func (s *server) loggedScripts(ctx context.Context, scripts panel.Scripts, w panel.Window, t *spoor.Traffic) []spoor.Candidate {
	mails, err := scripts.ScriptMails(ctx, panel.Query{Window: w})
	if err != nil {
		return nil
	}
	found := trace.MatchMails(t.Samples, mails)
	return found[:min(len(found), maxCandidates)]
}

// namedScripts searches the web roots for the scripts that messages name.
func (s *server) namedScripts(ctx context.Context, scripts panel.Scripts, t *spoor.Traffic) []trace.NamedScript {
	roots := s.documentRoots(t.UID)
	var named []trace.NamedScript
	for _, script := range t.Scripts.Top[:min(len(t.Scripts.Top), maxNamed)] {
		paths, err := scripts.FindScript(ctx, script.Value, roots)
		if err != nil {
			return named
		}
		named = append(named, trace.NamedScript{Name: script.Value, Count: script.Count, Paths: paths})
	}
	for _, script := range t.ScriptURLs.Top[:min(len(t.ScriptURLs.Top), maxNamed)] {
		domain, path, _ := strings.Cut(script.Value, "/")
		if file := scripts.ScriptAt(domain, "/"+path); file != "" {
			named = append(named, trace.NamedScript{Name: script.Value, URL: true, Count: script.Count, Paths: []string{file}})
		}
	}
	return named
}

// documentRoots are those of the sites that a UID may run scripts of: the web
// server's of all.
func (s *server) documentRoots(uid int) []string {
	owner := s.owner(uid)
	var roots []string
	for _, site := range s.panel.Sites() {
		if owner.Role == spoor.RoleWebServer || site.UID == uid || slices.Contains(owner.Sites, site.Domain) || site.Domain == owner.Site {
			roots = append(roots, site.DocumentRoots...)
		}
	}
	return roots
}
