package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"spoor"
)

// Audience is whom a handout is for.
type Audience uint8

// The audiences.
const (
	ForAbuseDesk Audience = iota // of a blocklist, of a receiver, or of the network the mail came from
	ForCustomer                  // who owns the account, the site or the script
)

var audienceNames = [...]string{"abuse", "customer"}

// Audiences lists every Audience.
func Audiences() []Audience { return []Audience{ForAbuseDesk, ForCustomer} }

// String returns the word of the command line.
func (a Audience) String() string {
	if int(a) < len(audienceNames) {
		return audienceNames[a]
	}
	return fmt.Sprintf("audience(%d)", uint8(a))
}

// Handout is what an administrator gives away about one source: to its owner, or
// to an abuse desk. It says nothing of other sources of the server, and no weights.
type Handout struct {
	Head
	Audience Audience
	Source   SourceLine
	Known    bool // there is something of the source in queue or log; else only Done and Samples tell of it
	Done     []HandoutAct
	Samples  []HandoutSample
	// Mask hides what the reader has no business with, addresses of recipients
	// first of all; nil for nothing.
	Mask     func(text string) string
	Complete bool // false: something that bears on the verdict could not be read
}

// HandoutAct is one thing that was done about the source.
type HandoutAct struct {
	Time     time.Time
	Action   string // the word of the journal
	Messages int    // of the source; 0 where the action was not on messages
	Plan     string
	UndoneBy string // the plan that took it back; ""
	Failure  string // what stopped it; ""
}

// HandoutSample is the header of one message.
type HandoutSample struct {
	ID         spoor.QueueID
	Arrived    time.Time
	Recipients int
	Vault      bool // it is in the vault; else in the queue
	Header     []byte
}

// Bounds of what a handout quotes.
const (
	handoutQuotes  = 3  // of one reason
	handoutRanked  = 10 // of a ranking
	maxSampleLines = 60 // of one header
)

// part is one section of a handout.
type part struct {
	title  string
	rows   []labelled
	blocks []block
}

type labelled struct{ label, words string }

// block is words with quoted lines below them.
type block struct {
	words string
	lines []string // as they are, but for what is masked
}

// parts are the sections in the order of the page.
func (h *Handout) parts() []part {
	all := []part{h.summary(), h.done(), h.reasons(), h.proof()}
	if h.Audience == ForCustomer {
		all = append(all, h.candidates(), h.advice())
	}
	all = append(all, h.against(), h.samples(), h.notes())
	return slices.DeleteFunc(all, func(p part) bool { return len(p.rows)+len(p.blocks) == 0 })
}

func (h *Handout) title() string {
	if h.Audience == ForCustomer {
		return "Unwanted mail sent by your " + kindWords(h.Source.Traffic.Source)
	}
	return "Abuse report: unwanted mail from one " + kindWords(h.Source.Traffic.Source)
}

// kindWords is a kind of source for people who do not know spoor's words.
func kindWords(s spoor.Source) string {
	switch s.Kind {
	case spoor.KindAccount:
		return "mail account"
	case spoor.KindScript:
		return "script"
	case spoor.KindSite:
		return "web site"
	case spoor.KindUser:
		return "system user"
	case spoor.KindNetwork:
		return "address that relays"
	case spoor.KindForward:
		return "forward"
	case spoor.KindList:
		return "mailing list"
	default:
		return "source (" + s.Kind.String() + ")"
	}
}

func (h *Handout) summary() part {
	t, v := &h.Source.Traffic, &h.Source.Verdict
	p := part{title: "Summary"}
	add := func(label, words string) {
		if words != "" {
			p.rows = append(p.rows, labelled{label, words})
		}
	}
	add("source", t.Source.Name)
	add("kind", strings.Replace(kindWords(t.Source)+ownerOf(t), "  ", " ", 1))
	add("server", h.Host)
	if !h.Known {
		add("judgement", "no message of it is in the queue or in the mail log any more")
		return p
	}
	add("judgement", judgement(v))
	add("period", span(t))
	add("messages", volume(t))
	add("outcome", outcomeWords(t.History))
	add("clients", h.ranked(clientsOf(t)))
	add("senders", h.ranked(sendersOf(t)))
	add("subjects", h.ranked(named(t.Subjects, subject)))
	return p
}

func judgement(v *spoor.Verdict) string {
	switch v.Class {
	case spoor.Spam:
		return "spam, " + percent(v.Confidence) + " sure"
	case spoor.Suspect:
		return "suspected of spam, " + percent(v.Confidence) + " sure"
	default:
		return "no spam: " + percent(1-v.Confidence) + " sure"
	}
}

// utc is a time for readers anywhere.
func utc(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

func span(t *spoor.Traffic) string {
	first, last := t.Span()
	if first.IsZero() && last.IsZero() {
		return ""
	}
	return utc(first) + " to " + utc(last)
}

func volume(t *spoor.Traffic) string {
	messages := t.Messages
	if t.History != nil {
		messages = t.Unlogged + t.History.Accepted
	}
	words := plural(messages, "message") + " to " + plural(t.TotalRecipients(), "recipient")
	if t.Messages > 0 {
		words += "; " + count(t.Messages) + " in the queue now"
	}
	return words
}

func outcomeWords(history *spoor.History) string {
	if history == nil {
		return ""
	}
	return count(history.Delivered) + " delivered, " + count(history.Failed) + " refused for good, " + count(history.Waiting) + " waiting"
}

func clientsOf(t *spoor.Traffic) spoor.Ranking {
	if t.History != nil && t.History.Clients.Distinct > t.Clients.Distinct {
		return t.History.Clients
	}
	return t.Clients
}

func sendersOf(t *spoor.Traffic) spoor.Ranking {
	if t.History != nil && t.History.Senders.Distinct > t.Senders.Distinct {
		return named(t.History.Senders, sender)
	}
	return named(t.Senders, sender)
}

// ranked lists the most frequent values with their counts.
func (h *Handout) ranked(r spoor.Ranking) string {
	var words []string
	for _, tally := range r.Top[:min(handoutRanked, len(r.Top))] {
		words = append(words, cmp.Or(h.masked(tally.Value), "(none)")+" ("+count(tally.Count)+")")
	}
	list := strings.Join(words, ", ")
	if more := r.Distinct - len(words); more > 0 && list != "" {
		list += " and " + count(more) + " more"
	}
	return list
}

func (h *Handout) masked(text string) string {
	if h.Mask == nil {
		return text
	}
	return h.Mask(text)
}

// actWords are what an action does, for people who do not know spoor's words.
var actWords = map[string]string{
	"rm":      "removed from the queue, and kept where they can be put back from",
	"hold":    "held: they are not delivered",
	"release": "released for delivery",
	"restore": "put back into the queue",
	"retry":   "tried again",
	"stop":    "the source was stopped from sending",
	"unstop":  "the source may send again",
	"fix":     "the source was stopped, and its mail taken out of the queue",
	"shim":    "a recorder of every submission was installed",
}

func (h *Handout) done() part {
	p := part{title: "What was done"}
	for i := range h.Done {
		act := &h.Done[i]
		words := cmp.Or(actWords[act.Action], act.Action)
		if act.Messages > 0 {
			words = plural(act.Messages, "message") + " " + words
		}
		if act.Failure != "" {
			words += " (ended early)"
		}
		if act.UndoneBy != "" {
			words += "; taken back later"
		}
		p.rows = append(p.rows, labelled{utc(act.Time), words})
	}
	return p
}

func (h *Handout) reasons() part {
	pro, _ := sides(h.Source.Verdict.Reasons)
	pro = slices.DeleteFunc(slices.Clone(pro), func(r spoor.Reason) bool { return r.Symbol == "QUEUE_SHARE" }) // tells of others
	return h.judged("What shows it", pro)
}

func (h *Handout) against() part {
	_, contra := sides(h.Source.Verdict.Reasons)
	return h.judged("What speaks against it", contra)
}

func (h *Handout) judged(title string, reasons []spoor.Reason) part {
	p := part{title: title}
	for i := range reasons {
		p.blocks = append(p.blocks, block{h.masked(reasonText(&reasons[i])), h.quotes(reasons[i].Evidence)})
	}
	return p
}

// proof says why it is this source and no other.
func (h *Handout) proof() part {
	p := part{title: "How the source is known"}
	list := h.Source.Traffic.Evidence
	if len(list) == 0 && h.Source.Traffic.History != nil {
		list = h.Source.Traffic.History.Evidence
	}
	if lines := h.quotes(list); len(lines) > 0 {
		p.blocks = append(p.blocks, block{"From the headers and logs that this server itself wrote:", lines})
	}
	return p
}

// quotes are the first facts of a list that stand somewhere, each with its place.
func (h *Handout) quotes(list []spoor.Evidence) []string {
	var lines []string
	for _, e := range distinct(list) {
		if e.Place() == "" || e.Text == "" {
			continue // it was counted, and its words say so
		}
		if len(lines) == handoutQuotes {
			break
		}
		lines = append(lines, e.Place()+": "+h.masked(quoted(e.Text)))
	}
	return lines
}

func (h *Handout) candidates() part {
	p := part{title: "Files that probably send"}
	list := likely(h.Source.Traffic.Candidates)
	for i := range list[:min(handoutRanked, len(list))] {
		c := &list[i]
		p.blocks = append(p.blocks, block{c.Source.Name + ": likely, not proven. " + h.masked(c.Text), h.quotes(c.Evidence)})
	}
	return p
}

// advice is what the owner of the source should do.
func (h *Handout) advice() part {
	p := part{title: "What to do"}
	for _, words := range adviceFor(h.Source.Traffic.Source.Kind) {
		p.blocks = append(p.blocks, block{words: words})
	}
	return p
}

func adviceFor(kind spoor.Kind) []string {
	switch kind {
	case spoor.KindAccount:
		return []string{
			"Somebody else knows the password of this account. Set a new one that is used nowhere else, from a computer that is known to be clean.",
			"Look for malware on every computer and telephone that knew the old password.",
			"Look at the forwards, filters and automatic answers of the mailbox: intruders leave some behind.",
		}
	case spoor.KindSite, spoor.KindScript, spoor.KindUser:
		return []string{
			"A script of this site sends. Bring the site's software, its plug-ins and themes up to date, and remove those that nobody maintains.",
			"Compare the files of the site with a clean copy; look at files that were added or changed since the first message. Remove what does not belong there.",
			"Contact forms and share functions need protection against abuse (a rate limit, a captcha, a fixed recipient).",
			"Then set new passwords for the site's administrators, its database and FTP.",
		}
	case spoor.KindNetwork:
		return []string{
			"A device at this address sends without a password. Find it and look for malware; let it send with an account of its own instead.",
		}
	case spoor.KindForward:
		return []string{
			"This forward passes on all that it gets, unwanted mail included. Fetch the mailbox from the other provider instead, or filter before it forwards.",
		}
	default:
		return nil
	}
}

func (h *Handout) samples() part {
	p := part{title: "Sample messages"}
	for i := range h.Samples {
		s := &h.Samples[i]
		words := "Queue ID " + string(s.ID) + ", arrived " + utc(s.Arrived) + ", " + plural(s.Recipients, "recipient")
		if s.Vault {
			words += ", taken out of the queue"
		}
		lines := strings.Split(strings.TrimRight(h.masked(string(s.Header)), "\r\n"), "\n")
		if more := len(lines) - maxSampleLines; more > 0 {
			lines = append(lines[:maxSampleLines], "["+count(more)+" more lines]")
		}
		for i := range lines {
			lines[i] = strings.ReplaceAll(strings.TrimSuffix(lines[i], "\r"), "\t", "    ")
		}
		p.blocks = append(p.blocks, block{words + ". Its header:", lines})
	}
	return p
}

func (h *Handout) notes() part {
	notes := []string{"Times are UTC. Places such as /var/log/mail.log:812 are files and lines of the server."}
	if h.Mask != nil {
		notes = append(notes, "Addresses and names of people that are not of the source are masked; the whole lines are kept on the server.")
	}
	if !h.Complete {
		notes = append(notes, "Not everything could be read: the numbers are lower bounds.")
	}
	notes = append(notes, "Made "+utc(h.Time)+" on "+cmp.Or(h.Host, "the server")+" by spoor.")
	p := part{title: "Notes"}
	for _, words := range notes {
		p.blocks = append(p.blocks, block{words: words})
	}
	return p
}

// FileName names the file of a handout, without its ending: what it is, of which
// source, of which second. It is safe as a file's name.
func (h *Handout) FileName() string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '@' {
			return r
		}
		return '-'
	}, h.Source.Traffic.Source.String())
	name = strings.Trim(name, "-.")
	if len(name) > 80 {
		name = name[:80]
	}
	return "spoor-" + h.Audience.String() + "-" + name + "-" + h.Time.UTC().Format("20060102T150405")
}
