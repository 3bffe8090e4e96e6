package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"spoor"
)

// Flow is what tells why mail is slow: figures of the queue, and what the log
// has of deliveries.
type Flow struct {
	Now      time.Time
	Live     bool      // the running machine's own server; else Now means nothing to it
	Newest   time.Time // arrival of the newest message in the queue
	LastLine time.Time // newest line of the MTA's own in the log; zero without a log
	Queue    spoor.QueueCount

	Concurrency Concurrency
	Stuck       []Stuck
	Waiting     int // recipients in Stuck
	Troubles    []Trouble
	Disk        Disk
}

// Concurrency is what the MTA tells of the deliveries it runs, of late.
type Concurrency struct {
	Samples, Saturated int // status lines, and those with as many remote deliveries as may run
	MaxRemote          int
	LimitRemote        int // of the newest; 0 with Samples is a frozen channel
	LastRemote         int
	Since, Until       time.Time
	Evidence           []spoor.Evidence
}

// Stuck is one destination that keeps recipients waiting for one reason.
type Stuck struct {
	Receiver             string // a large receiver, or ""
	Domain               string
	Answer               spoor.Answer
	Text                 string
	Recipients, Messages int
	Oldest               time.Time
	Example              spoor.Evidence
}

// Trouble is one sort of warning of the MTA.
type Trouble struct {
	Text        string
	Count       int
	First, Last time.Time
	Example     spoor.Evidence
}

// Disk is the file system of the queue.
type Disk struct {
	Path                    string
	Known                   bool
	FreeBytes, TotalBytes   int64
	FreeInodes, TotalInodes int64
}

// severities, worst first.
const (
	high   = "high"
	medium = "medium"
	low    = "low"
)

// Obstacles says why mail is slow or stuck, worst first.
func Obstacles(f Flow) []spoor.Obstacle {
	var list []spoor.Obstacle
	for _, find := range [...]func(*Flow) []spoor.Obstacle{
		diskFull, stopped, frozen, loggerBlocked, backlog, saturated, blocked, deferred, cleanup,
	} {
		list = append(list, find(&f)...)
	}
	rank := map[string]int{high: 0, medium: 1, low: 2}
	slices.SortStableFunc(list, func(a, b spoor.Obstacle) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
	return list
}

// diskFull: qmail-queue refuses mail and qmail-send cannot note what it has done.
func diskFull(f *Flow) []spoor.Obstacle {
	d := &f.Disk
	const little = 50 << 20
	bytes := d.FreeBytes < little || d.TotalBytes > 0 && d.FreeBytes*200 < d.TotalBytes
	inodes := d.TotalInodes > 0 && d.FreeInodes*200 < d.TotalInodes
	if !d.Known || !bytes && !inodes {
		return nil
	}
	text := fmt.Sprintf("the disk of the queue is nearly full: %d of %d MB are free", d.FreeBytes>>20, d.TotalBytes>>20)
	if !bytes {
		text = fmt.Sprintf("the disk of the queue has nearly no inodes left: %d of %d are free", d.FreeInodes, d.TotalInodes)
	}
	return []spoor.Obstacle{{
		Name: "disk-full", Severity: high, Count: int(d.FreeBytes >> 20), Text: text,
		Try:      "make room on that disk; logs and old backups are the usual suspects, the queue is not the place to delete from",
		Evidence: []spoor.Evidence{{What: "disk", File: d.Path, Text: text}},
	}}
}

// stopped: qmail-send sleeps until it can write the bounce, and delivers nothing
// meanwhile.
func stopped(f *Flow) []spoor.Obstacle {
	return f.trouble("delivery-stopped", high, "HELP! sleeping",
		"qmail-send waits because it cannot write, and delivers nothing meanwhile",
		"check the free space of the queue's disk and the permissions of queue/bounce")
}

// frozen: concurrencyremote is 0.
func frozen(f *Flow) []spoor.Obstacle {
	c := &f.Concurrency
	if c.Samples == 0 || c.LimitRemote > 0 {
		return nil
	}
	return []spoor.Obstacle{{
		Name: "frozen", Severity: high, Count: f.Queue.Remote, Evidence: c.Evidence,
		Text: fmt.Sprintf("no remote delivery may run (concurrencyremote is 0): %s wait", counted(f.Queue.Remote, "message")),
		Try:  "if nobody froze it on purpose, look at control/concurrencyremote",
	}}
}

// silence is how long the log of an MTA with work to do may be silent.
const silence = 15 * time.Minute

// loggerBlocked: qmail-send waits for whoever reads its log. The queue fills and
// there are no lines.
func loggerBlocked(f *Flow) []spoor.Obstacle {
	if f.LastLine.IsZero() || f.Queue.Unprocessed == 0 {
		return nil
	}
	until := f.Newest
	if f.Live && f.Now.After(until) {
		until = f.Now
	}
	silent := until.Sub(f.LastLine)
	if silent < silence {
		return nil
	}
	return []spoor.Obstacle{{
		Name: "logger-blocked", Severity: high, Count: f.Queue.Unprocessed,
		Text: fmt.Sprintf("%s not yet preprocessed, and the MTA has logged nothing for %s: it is stopped, or waits for its logger",
			counted(f.Queue.Unprocessed, "message"), silent.Round(time.Minute)),
		Try:      "see whether qmail-send runs, and whether splogger, multilog or syslog still take its lines (a full log disk stops them)",
		Evidence: []spoor.Evidence{{What: "log", Text: "last line of the MTA at " + f.LastLine.UTC().Format(time.RFC3339)}},
	}}
}

// backlog: qmail-send takes one message of todo for each turn, and many
// deliveries keep it from turning ("silly qmail").
func backlog(f *Flow) []spoor.Obstacle {
	n := f.Queue.Unprocessed
	if n < 100 || n*20 < f.Queue.Messages {
		return nil
	}
	severity := medium
	if n >= 1000 {
		severity = high
	}
	return []spoor.Obstacle{{
		Name: "todo-backlog", Severity: severity, Count: n,
		Text: fmt.Sprintf("%s are not yet preprocessed: new mail waits before its first delivery (the \"silly qmail\" of a flooded server)",
			partOf(n, f.Queue.Messages, "messages")),
		Try:      "stop what floods the queue first; the backlog then shrinks by itself",
		Evidence: []spoor.Evidence{{What: "queue", Text: fmt.Sprintf("%d in todo", n)}},
	}}
}

// saturated: as many remote deliveries run as may, nearly all of the time.
func saturated(f *Flow) []spoor.Obstacle {
	c := &f.Concurrency
	if c.Samples < 20 || c.LimitRemote == 0 || c.Saturated*2 < c.Samples {
		return nil
	}
	severity := medium
	if c.Saturated*10 >= c.Samples*9 {
		severity = high
	}
	return []spoor.Obstacle{{
		Name: "remote-concurrency", Severity: severity, Count: c.Saturated, Evidence: c.Evidence,
		Text: fmt.Sprintf("all %d remote deliveries that may run at once are busy in %s of the last %s of load",
			c.LimitRemote, percent(c.Saturated, c.Samples), counted(c.Samples, "line")),
		Try: "see what they are busy with below; more of them (control/concurrencyremote) only helps if the mail is wanted",
	}}
}

// blocked: receivers that refuse this server, grouped by name.
func blocked(f *Flow) []spoor.Obstacle {
	return f.grouped("blocked-by-receiver", high, func(a spoor.Answer) bool {
		return a == spoor.AnswerBlocked || a == spoor.AnswerSpam || a == spoor.AnswerRate
	}, "refuse or slow down this server", "stop the source of the spam before asking to be taken off a list: it would be listed again")
}

// deferred: receivers that cannot be reached, or will take the mail later.
func deferred(f *Flow) []spoor.Obstacle {
	return f.grouped("deferrals", medium, func(a spoor.Answer) bool {
		return a == spoor.AnswerNoConnection || a == spoor.AnswerNoHost || a == spoor.AnswerGreylisted || a == spoor.AnswerMailboxFull || a == spoor.AnswerTLS
	}, "cannot be reached or put the mail off", "spoor queue reasons")
}

// minWaiting is how many recipients have to wait for it to be worth a line.
const minWaiting = 10

// grouped sums up what waits for a sort of answers.
func (f *Flow) grouped(name, severity string, of func(spoor.Answer) bool, what, try string) []spoor.Obstacle {
	total := 0
	counts := map[string]int{}
	o := spoor.Obstacle{Name: name, Severity: severity, Try: try}
	for i := range f.Stuck {
		s := &f.Stuck[i]
		if !of(s.Answer) {
			continue
		}
		total += s.Recipients
		counts[cmp.Or(s.Receiver, s.Domain)] += s.Recipients
		if len(o.Evidence) < maxQuoted {
			o.Evidence = append(o.Evidence, s.Example)
		}
	}
	if total < minWaiting {
		return nil
	}
	o.Count = total
	o.Text = fmt.Sprintf("%s wait for receivers that %s: %s", partOf(total, f.Waiting, "recipients that were put off"), what, mostWaited(counts))
	return []spoor.Obstacle{o}
}

// mostWaited names the destinations with most recipients.
func mostWaited(counts map[string]int) string {
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b)) })
	var words []string
	for _, name := range names[:min(maxNamed, len(names))] {
		if !plain(name) {
			name = "a domain"
		}
		words = append(words, name)
	}
	for i, name := range names[:len(words)] {
		words[i] += " " + thousands(counts[name])
	}
	if more := len(names) - len(words); more > 0 {
		words = append(words, counted(more, "other"))
	}
	return strings.Join(words, ", ")
}

// cleanup: files that qmail cannot remove or open stay for ever. That happens
// when somebody removes files of the queue while qmail-send runs.
func cleanup(f *Flow) []spoor.Obstacle {
	var list []spoor.Obstacle
	for _, words := range [...]string{"unable to clean up", "trouble opening", "unable to unlink", "trouble marking"} {
		list = append(list, f.trouble("cleanup-stuck", medium, words,
			"qmail-send warns again and again of files that it cannot open or remove: somebody may have removed files of the queue while it ran",
			"do not remove files of a running queue by hand; restart qmail-send, which forgets what is gone")...)
	}
	return list[:min(len(list), 1)]
}

// recently is how long ago the last warning of a sort may be.
const recently = 2 * time.Hour

// trouble finds warnings that hold some words and are not over.
func (f *Flow) trouble(name, severity, words, text, try string) []spoor.Obstacle {
	o := spoor.Obstacle{Name: name, Severity: severity, Try: try}
	for i := range f.Troubles {
		t := &f.Troubles[i]
		if strings.Contains(t.Text, words) && (f.LastLine.IsZero() || f.LastLine.Sub(t.Last) < recently) {
			o.Count += t.Count
			o.Evidence = append(o.Evidence, t.Example)
		}
	}
	if o.Count == 0 {
		return nil
	}
	o.Text = fmt.Sprintf("%s (%s, the last at most %d hours before the end of the log)", text, counted(o.Count, "warning"), int(recently.Hours()))
	return []spoor.Obstacle{o}
}
