package mailtest

import (
	"slices"
	"strings"
)

// Truth is what has to be said of a source.
type Truth struct {
	Source, Verdict string // "" for a verdict that is open
	Queued, Sent    int
	Delivered       int // recipients
	Proof           string
}

// Proofs are parts of the log lines in which the server names a source.
type Proofs struct {
	Stolen, Letter, Web, Shared, Dump, Relayed, Forwarded string
}

// Truths are the sources of what Stage did.
func Truths(p Proofs) []Truth {
	return []Truth{
		{"account:" + Stolen, "spam", StolenQueued, StolenSent, StolenDelivered, p.Stolen},
		{"account:" + Letter, "normal", LetterQueued, LetterSent, LetterSent - LetterQueued, p.Letter},
		{"user:web1", "spam", WebQueued, WebSent, 4 * (WebSent - WebQueued), p.Web},
		{"user:www-data", "spam", SharedQueued, SharedSent, 4 * (SharedSent - SharedQueued), p.Shared},
		{"user:dump", "normal", DumpQueued, DumpSent, DumpSent - DumpQueued, p.Dump},
		{"network:" + Relaying, "spam", RelayedQueued, RelayedSent, 5 * (RelayedSent - RelayedQueued), p.Relayed},
		{"network:" + Outside, "normal", 0, StraySent, 0, ""},
		{"bounce:" + Domain, "suspect", StrayBounces, StrayBounces, 0, ""},
		{"forward:@" + Forwarded, "normal", ForwardQueued, ForwardQueued, 0, p.Forwarded},
	}
}

// trueSources are the sources that may be named for a message in the queue, by
// its envelope: it tells who sent it, and spoor is not to go by it.
func trueSource(m *Message) string {
	to := m.Recipients[0].Address
	switch {
	case m.Sender == "" && strings.HasPrefix(to, "victim"):
		return "bounce:" + Domain
	case m.Sender == "":
		return "bounce:*" // of the stolen account's mail
	case m.Sender == Letter:
		return "account:" + Letter
	case m.Sender == Stolen, strings.HasPrefix(m.Sender, "billing"):
		return "account:" + Stolen
	case strings.HasPrefix(m.Sender, "prize"):
		return "network:" + Relaying
	case strings.HasPrefix(m.Sender, "fan"):
		return "forward:@" + Forwarded
	case strings.HasPrefix(m.Sender, "dump@"):
		return "user:dump"
	case strings.HasPrefix(m.Sender, "www-data@"):
		return "user:www-data"
	case strings.HasPrefix(m.Sender, "dr"):
		return "user:web1"
	}
	return "nobody: " + m.Sender
}

// CheckAnswer lets spoor answer, and compares that with the truth.
func CheckAnswer(s *Server, mta string, truths []Truth) {
	s.t.Helper()
	var a Answer
	s.JSON(&a)
	gaps := slices.DeleteFunc(a.Gaps, func(g Gap) bool { return strings.HasPrefix(g.Reason, "left out: ") })
	if a.MTA != mta || !a.Complete || len(gaps) != 0 {
		s.t.Errorf("MTA %s, complete %v, gaps %+v", a.MTA, a.Complete, gaps)
	}
	if q := a.Queue; q.Messages != Queued || q.Unreadable != 0 {
		s.t.Errorf("queue %+v, want %d messages", q, Queued)
	}
	if l := a.Log; l.Lines == 0 || l.Understood != l.Lines || l.Unknown+l.Foreign+l.Damaged != 0 {
		s.t.Errorf("log %+v, want every line understood", l)
	}
	for _, truth := range truths {
		i := slices.IndexFunc(a.Sources, func(one Source) bool { return one.Source == truth.Source })
		if i < 0 {
			s.t.Errorf("%s is not named", truth.Source)
			continue
		}
		s.check(&a.Sources[i], truth)
	}
	s.checkStolen(&a)
	s.checkShared(&a)
}

// checkShared looks at the script that the web server runs: it is the site's, as
// PHP writes into the header, and that is no forgery.
func (s *Server) checkShared(a *Answer) {
	s.t.Helper()
	i := slices.IndexFunc(a.Sources, func(one Source) bool { return one.Source == "user:www-data" })
	if i < 0 {
		return
	}
	shared := &a.Sources[i]
	for _, reason := range shared.Reasons {
		if reason.Symbol == "FORGED_TRACE" {
			s.t.Errorf("PHP's own header counts as forged: %s", reason.Text)
		}
	}
	if !slices.ContainsFunc(shared.Evidence, func(e Evidence) bool { return e.What == "claim" && strings.Contains(e.Text, "uid 10003, web1") }) {
		s.t.Errorf("no claim names whose script it is: %+v", shared.Evidence)
	}
}

func (s *Server) check(got *Source, want Truth) {
	s.t.Helper()
	if got.Queued != want.Queued || got.Sent != want.Sent || got.Delivered != want.Delivered || want.Verdict != "" && got.Verdict != want.Verdict {
		s.t.Errorf("%s: %s, %d queued, %d sent, %d delivered; want %+v; reasons %+v", got.Source, got.Verdict, got.Queued, got.Sent, got.Delivered, want, got.Reasons)
	}
	if kind, _, _ := strings.Cut(want.Source, ":"); got.Kind != kind {
		s.t.Errorf("%s is of kind %s", got.Source, got.Kind)
	}
	if want.Proof != "" && !slices.ContainsFunc(got.Evidence, func(e Evidence) bool {
		return strings.HasPrefix(e.File, "/var/log/") && e.Line > 0 && strings.Contains(e.Text, want.Proof)
	}) {
		s.t.Errorf("%s: no line of the log with %q among %d pieces of evidence", got.Source, want.Proof, len(got.Evidence))
	}
}

// checkStolen looks at what the log knows of the stolen account, and at the
// bounces that its mail came back as.
func (s *Server) checkStolen(a *Answer) {
	s.t.Helper()
	bounces, caused := 0, 0
	for i := range a.Sources {
		one := &a.Sources[i]
		if one.Source == "account:"+Stolen {
			if one.FailedLogins != FailedLogins || one.Clients != 2 || one.Failed != StolenBounces || one.Bounces != StolenBounces {
				s.t.Errorf("%s: %d failed logins, %d clients, %d recipients failed, %d bounces", one.Source, one.FailedLogins, one.Clients, one.Failed, one.Bounces)
			}
		}
		if one.Kind == "bounce" {
			bounces += one.Queued
		}
		if one.Kind == "bounce" && one.Cause == "account:"+Stolen {
			caused += one.CauseCount
		}
	}
	if bounces != StrayBounces+StolenBounces || caused != StolenBounces {
		s.t.Errorf("%d bounces, %d of mail of the stolen account; want %d, %d", bounces, caused, StrayBounces+StolenBounces, StolenBounces)
	}
}

// CheckMessages compares the source of each message in the queue, as the list
// and as the explanation of one of each source name it.
func CheckMessages(s *Server) {
	s.t.Helper()
	explained := map[string]bool{}
	list := s.Messages()
	for i := range list {
		m := &list[i]
		want := trueSource(m)
		kind, isKind := strings.CutSuffix(want, "*")
		if m.Source != want && (!isKind || !strings.HasPrefix(m.Source, kind)) {
			s.t.Errorf("message %s from <%s> to %v is from %s, not from %s", m.ID, m.Sender, m.Recipients, want, m.Source)
		}
		if !explained[m.Source] {
			explained[m.Source] = true
			s.explain(m)
		}
	}
	if len(list) != Queued {
		s.t.Errorf("%d messages are listed, want %d", len(list), Queued)
	}
}

// explain asks for the proof of a message, and for its life.
func (s *Server) explain(m *Message) {
	s.t.Helper()
	var e Explanation
	s.JSON(&e, "explain", m.ID)
	if e.Message.Source != m.Source || e.Message.Origin.Confidence < 0.9 || len(e.Trail.Hops) == 0 || !s.Exists(e.File) {
		s.t.Errorf("explain %s, which is of %s: %+v", m.ID, m.Source, e)
	}
	var tr Trace
	s.JSON(&tr, "trace", m.ID)
	i := slices.IndexFunc(tr.Lives, func(l Life) bool { return l.ID == m.ID }) // a bounce comes with what it is of
	if i < 0 {
		s.t.Errorf("trace %s: %+v", m.ID, tr)
		return
	}
	s.live(m, &tr.Lives[i])
}

// live compares the life of a message with the message.
func (s *Server) live(m *Message, life *Life) {
	s.t.Helper()
	pending := 0
	for _, step := range life.Steps {
		if step.Line == 0 || !strings.Contains(step.Text, m.ID) {
			s.t.Errorf("trace %s: step %+v quotes no line of the log with the ID", m.ID, step)
		}
		if step.What == "deferred" {
			pending++
		}
	}
	for _, recipient := range m.Recipients {
		if !recipient.Done {
			pending--
		}
	}
	if life.Source != m.Source || !life.Queued || life.Ended || pending != 0 {
		s.t.Errorf("trace %s, which is of %s: %+v", m.ID, m.Source, life)
	}
}

// CheckTrace wants the log to be found by an address that the server wrote anew.
func CheckTrace(s *Server) {
	s.t.Helper()
	for what, lives := range map[string]int{"member3@" + Forwarded: 1, "@" + TakesDomain + "": 1, "nobody3@" + Domain: 1} {
		var tr Trace
		s.JSON(&tr, "trace", what)
		if len(tr.Lives) < lives {
			s.t.Errorf("trace %s finds %d messages", what, len(tr.Lives))
		}
	}
}

// CheckAudit wants the doors found through which Stage came, and nothing said of
// another MTA's files.
func CheckAudit(s *Server, others ...string) {
	s.t.Helper()
	page := s.Spoor("audit", "ls")
	for _, found := range []string{"high    127.0.5.0/24  (relay-list)", "high    " + Forwarded + "  (nonexistent-user)"} {
		if !strings.Contains(page, found) {
			s.t.Errorf("the audit does not find %q:\n%s", found, page)
		}
	}
	for _, other := range others {
		if strings.Contains(page, other) {
			s.t.Errorf("the audit speaks of %s:\n%s", other, page)
		}
	}
}

// CheckLog wants spoor logs check to find the logs by itself, the MTA's first, and
// to know each of their lines.
func CheckLog(s *Server, names ...string) {
	s.t.Helper()
	var check struct {
		Trust string
		Log   struct{ Lines, Understood int }
		Files []struct {
			File  string
			Lines int
		}
		Unknown []struct{ Examples []string }
	}
	s.JSON(&check, "logs", "check")
	if check.Trust != "good" || check.Log.Understood != check.Log.Lines || len(check.Unknown) != 0 || len(check.Files) != len(names) {
		s.t.Fatalf("logs check: %+v, want %v", check, names)
	}
	for i, name := range names {
		if file := check.Files[i]; file.File != name || file.Lines != strings.Count(s.Read(name), "\n") {
			s.t.Errorf("read %s with %d lines, want %s with %d", file.File, file.Lines, name, strings.Count(s.Read(name), "\n"))
		}
	}
}

// CheckSame compares what spoor compat prints with what the MTA's own tool does.
// Ages change from one minute to the next: only what the tool printed before and
// after is held against spoor.
func CheckSame(s *Server, compat string, order func(string) string, tool ...string) {
	s.t.Helper()
	var got, want string
	s.Until("a moment in which "+compat+" does not change", func() bool {
		want = s.Run(0, "", tool[0], tool[1:]...)
		got = s.Spoor("compat", compat)
		return s.Run(0, "", tool[0], tool[1:]...) == want
	})
	g, w := strings.Split(order(got), "\n"), strings.Split(order(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			s.t.Errorf("compat %s, line %d:\n%s\nwant:\n%s", compat, i+1, g[i], w[i])
			return
		}
	}
	if len(g) != len(w) {
		s.t.Errorf("compat %s: %d lines, want %d", compat, len(g), len(w))
	}
}

// Sorted is the one for tools that go through directories as they are.
func Sorted(text string) string { return strings.Join(slices.Sorted(strings.Lines(text)), "") }

// ByArrival is the one for exim -bp: of messages that came in the same fraction of a
// second Exim lists first what the directory does (queue.c, merge_queue_lists), so
// these are put in the order of their IDs.
func ByArrival(text string) string {
	messages := strings.SplitAfter(text, "\n\n")
	slices.SortStableFunc(messages, func(a, b string) int { return strings.Compare(arrival(a), arrival(b)) })
	return strings.Join(messages, "")
}

// arrival is what tells when the message of an entry came: the second in its ID, the
// fraction, and then the rest of the ID. What is no entry comes last.
func arrival(entry string) string {
	fields := strings.Fields(entry)
	if len(fields) < 3 || len(fields[2]) < len("1xVRQq-0007Zw-2b") {
		return "~"
	}
	id := fields[2]
	return id[:6] + id[14:] + id
}
