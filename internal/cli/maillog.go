package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/logs"
	"spoor/internal/mta"
	"spoor/internal/trace"
)

// maillog is the mail log of the server, read and joined.
type maillog struct {
	server   *server
	journal  *trace.Journal
	coverage *spoor.Coverage
	brief    bool // no evidence is shown

	mu     sync.Mutex
	quoted map[spoor.LogPlace]string
}

// noLog is the value of --log that leaves the log out.
const noLog = "none"

// streams finds the logs that are to be read.
func (s *server) streams(o *options) ([]logs.Stream, error) {
	switch {
	case slices.Equal(o.logs, []string{noLog}):
		return nil, nil
	case len(o.logs) == 0:
		return logs.Find(s.root, s.ownLogs(), s.gaps), nil
	}
	streams, err := logs.Named(s.root, o.logNames())
	if err != nil {
		return nil, logProblem(err, o.root)
	}
	return streams, nil
}

// logNames are the values of --log below the root. Of the running system a relative
// name is, as for any command, one in the working directory.
func (o *options) logNames() []string {
	if filepath.Clean(o.root) != "/" {
		return o.logs
	}
	names := slices.Clone(o.logs)
	for i, name := range names {
		if whole, err := filepath.Abs(name); err == nil {
			names[i] = whole
		}
	}
	return names
}

// ownLogs are where the MTA may write its log itself.
func (s *server) ownLogs() []string {
	if q, ok := s.queue.(mta.LogFiler); ok {
		return q.LogFiles()
	}
	return nil
}

func logProblem(err error, root string) error {
	p := &spoor.Problem{What: "cannot read the log: " + err.Error(), So: "nothing was answered", Err: err}
	if errors.Is(err, fs.ErrNotExist) {
		if filepath.Clean(root) != "/" {
			p.So += "; --log names a file below the root"
		}
		p.Try = "spoor logs check"
	}
	return p
}

// logMemory is how much memory the program may take before garbage is collected
// while it reads the log, in bytes.
const logMemory = 200 << 20

// readLog reads the mail log and lets the tracer ask it.
func (s *server) readLog(ctx context.Context, o *options) error {
	if s.log != nil {
		return nil
	}
	journal := s.tracer.NewJournal()
	coverage, err := s.scanLog(ctx, o, journal.Add)
	if err != nil || coverage == nil {
		return err
	}
	if _, last := journal.Last(); last == 0 && s.noQueue != nil {
		return s.noQueue
	}
	s.log = &maillog{server: s, journal: journal, coverage: coverage, brief: o.brief, quoted: map[spoor.LogPlace]string{}}
	s.tracer.UseLog(journal, s.log.quote)
	return nil
}

// scanLog hands the events of the log to consume. The coverage is nil if there
// is no log.
func (s *server) scanLog(ctx context.Context, o *options, consume func(*spoor.Block) error) (*spoor.Coverage, error) {
	w, err := o.window()
	if err != nil {
		return nil, err
	}
	streams, err := s.streams(o)
	if err != nil || len(streams) == 0 {
		return nil, err
	}
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(logMemory)
	coverage, err := logs.Scan(ctx, s.root, streams, logs.Options{
		NewParser: s.newParser(streams),
		Since:     w.from, Until: w.until, Zone: logs.Zone(s.root), Now: o.env.Now(),
	}, consume)
	if err != nil {
		return nil, err
	}
	for _, gap := range coverage.NotRead {
		if !strings.HasPrefix(gap.Reason, logs.LeftOut) { // its lines are read elsewhere
			s.gaps.Add(gap.File, gap.Reason)
		}
	}
	if o.checkCoverage(coverage, "") != nil {
		s.partial = true
		s.gaps.Add(coverage.Files[0].Path, "not one line of the log was understood: its figures are missing")
	}
	return coverage, nil
}

// newParser makes parsers of the MTA's log. Where the MTA has written the same lines
// to a file of its own and to syslog, and the file is read, they pass over the others.
func (s *server) newParser(streams []logs.Stream) func() logs.Parser {
	q, twice := s.queue.(mta.TwiceLogger)
	twice = twice && q.LogsTwice() && s.readsOwn(streams)
	return func() logs.Parser {
		p := s.adapter.NewParser()
		if repeated, ok := p.(mta.Repeated); ok && twice {
			repeated.SkipSyslog()
		}
		return p
	}
}

// readsOwn reports whether one of the logs is a file that the MTA writes itself.
func (s *server) readsOwn(streams []logs.Stream) bool {
	for _, name := range s.ownLogs() {
		if resolved, err := s.root.Resolve(name); err == nil { // rotated files lie beside the file, not beside its link
			name = host.Abs(resolved)
		}
		if slices.ContainsFunc(streams, func(one logs.Stream) bool { return one.Name == name }) {
			return true
		}
	}
	return false
}

// quote reads a line of the log again, as evidence.
func (l *maillog) quote(what string, id spoor.QueueID, place spoor.LogPlace) spoor.Evidence {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, ok := l.quoted[place]
	if !ok {
		text = logs.Quote(l.server.root, l.coverage.Files, []spoor.LogPlace{place})[0]
		l.quoted[place] = text
	}
	return spoor.Evidence{What: what, ID: id, File: l.path(place), Line: int(place.Line), Text: text}
}

// forget drops the lines that were quoted: there may be as many as messages.
func (l *maillog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.quoted)
}

func (l *maillog) path(place spoor.LogPlace) string {
	if int(place.File) < len(l.coverage.Files) {
		return l.coverage.Files[place.File].Path
	}
	return ""
}

// prefetch reads many lines at once, in the order of the files.
func (l *maillog) prefetch(places []spoor.LogPlace) {
	slices.SortFunc(places, func(a, b spoor.LogPlace) int {
		if a.File != b.File {
			return int(a.File) - int(b.File)
		}
		return int(min(max(a.Offset-b.Offset, -1), 1))
	})
	places = slices.Compact(places)
	texts := logs.Quote(l.server.root, l.coverage.Files, places)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, place := range places {
		l.quoted[place] = texts[i]
	}
}

// quoteHistories fills in the evidence of what the log tells of some sources.
func (l *maillog) quoteHistories(traffic []spoor.Traffic) {
	var places []spoor.LogPlace
	for i := range traffic {
		if traffic[i].History != nil {
			places = append(places, l.journal.Places(traffic[i].Source, l.brief)...)
		}
	}
	l.prefetch(places)
	for i := range traffic {
		t := &traffic[i]
		if t.History == nil {
			continue
		}
		if !l.brief {
			l.journal.Quoted(t.Source, t.History, l.quote)
		}
		t.History.Receivers = l.journal.Receivers(t.Source, l.quote, receiverName)
		t.Evidence = append(t.Evidence, t.History.Evidence...)
	}
}

// receiverName names the large receiver behind a domain or an answer, or "".
func receiverName(domain, answer string) string {
	return mta.Receiver([]byte(domain), []byte(answer))
}

// checkCoverage is the problem of a log in which nothing was understood, or nil.
// One that the user named must not be empty either.
func (o *options) checkCoverage(c *spoor.Coverage, try string) error {
	if c == nil || c.Known > 0 || len(c.Files) == 0 {
		return nil
	}
	lines := fmt.Sprintf("none of the %d lines of", c.Lines)
	if c.Lines == 1 {
		lines = "not the one line of"
	}
	what := fmt.Sprintf("%s %s was understood: %s", lines, c.Files[0].Path, whyUnknown(c))
	if c.Lines == 0 {
		gap, failed := unread(c)
		switch {
		case failed:
			what = fmt.Sprintf("nothing was read of %s: %s", gap.File, gap.Reason)
		case len(o.logs) > 0:
			what = fmt.Sprintf("nothing was read of %s: it is empty", c.Files[0].Path)
		default:
			return nil // it was rotated away just now
		}
	}
	return &statusError{status: exitPartial, err: &spoor.Problem{What: what, So: "the log adds nothing to the answer", Try: try}}
}

// whyUnknown says why not one line was understood.
func whyUnknown(c *spoor.Coverage) string {
	switch {
	case c.Damaged == c.Lines:
		return "no line begins as those of syslog, multilog, Exim or the journal do"
	case c.Unknown > 0:
		return fmt.Sprintf("%d of its lines are of the mail system, in a form that is not known", c.Unknown)
	}
	return "it is not the log of a mail server that spoor knows"
}

// unread is the first file that could not be read.
func unread(c *spoor.Coverage) (gap spoor.Gap, ok bool) {
	for i := range c.Files {
		if c.Files[i].Complete {
			continue
		}
		for _, gap := range c.NotRead {
			if gap.File == c.Files[i].Path {
				return gap, true
			}
		}
	}
	return spoor.Gap{}, false
}
