package verdict

import (
	"fmt"
	"strings"
	"time"

	"spoor"
)

// The least free space of a healthy queue: one large mail for each delivery that
// may run, or a two-hundredth of the disk. Inodes run out in the same way.
const (
	minFree      = 50 << 20 // bytes
	minFreeShare = 200      // of the whole, one in so many
)

// diskFull: qmail-queue refuses mail and qmail-send cannot note what it has done.
func diskFull(f *Flow) []spoor.Obstacle {
	d := &f.Disk
	space := d.FreeBytes < minFree || d.FreeBytes*minFreeShare < d.TotalBytes
	inodes := d.TotalInodes > 0 && d.FreeInodes*minFreeShare < d.TotalInodes
	if !d.Known || !space && !inodes {
		return nil
	}
	free, total, unit := d.FreeBytes>>20, d.TotalBytes>>20, "MB"
	if !space {
		free, total, unit = d.FreeInodes, d.TotalInodes, "inodes"
	}
	text := fmt.Sprintf("the disk of the queue is nearly full: %s of %s %s are free", thousands(int(free)), thousands(int(total)), unit)
	return []spoor.Obstacle{{
		Name: "disk-full", Severity: high, Count: int(free), Text: text,
		Try:      "make room on that disk; logs and old backups are the usual suspects, the queue is not the place to delete from",
		Evidence: []spoor.Evidence{{What: "disk", File: d.Path, Text: text}},
	}}
}

// stopped: qmail-send sleeps until it can write the bounce, and delivers nothing
// meanwhile.
func stopped(f *Flow) []spoor.Obstacle {
	return f.troubled(spoor.Obstacle{
		Name: "delivery-stopped", Severity: high,
		Text: "qmail-send waits because it cannot write, and delivers nothing meanwhile",
		Try:  "check the free space of the queue's disk and the permissions of queue/bounce",
	}, "HELP! sleeping")
}

// frozen: concurrencyremote is 0. With nothing to deliver that may be intended.
func frozen(f *Flow) []spoor.Obstacle {
	c := &f.Concurrency
	if c.Samples == 0 || c.LimitRemote > 0 {
		return nil
	}
	severity := high
	if f.Queue.Remote == 0 {
		severity = medium
	}
	return []spoor.Obstacle{{
		Name: "frozen", Severity: severity, Count: f.Queue.Remote, Evidence: c.Evidence,
		Text: fmt.Sprintf("no remote delivery may run (concurrencyremote is 0): %s with remote recipients in the queue",
			counted(f.Queue.Remote, "message")),
		Try: "if nobody froze it on purpose, look at control/concurrencyremote",
	}}
}

// silence is how long the log of an MTA with work to do may be silent. qmail-send
// logs each message that it takes from todo, and qmail-queue wakes it for each:
// that takes seconds, and minutes on a flooded server.
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
		Text: fmt.Sprintf("%s %s, and the MTA has logged nothing for %s: it is stopped, or waits for its logger",
			counted(f.Queue.Unprocessed, "message"), f.Unseen, counted(int(silent.Minutes()), "minute")),
		Try:      "see whether " + f.Daemon + " runs, and whether syslog, or what else takes its lines, still does (a full log disk stops that)",
		Evidence: []spoor.Evidence{{What: "log", Text: "last line of the MTA at " + f.LastLine.UTC().Format(time.RFC3339)}},
	}}
}

// A backlog is what a server does not take in at once: more than a burst of mail,
// and a part of the queue. A thousand take qmail-send minutes.
const (
	minBacklog      = 100
	minBacklogShare = 20 // of the messages, one in so many
	largeBacklog    = 1000
)

// backlog: qmail-send takes one message of todo for each turn, and many
// deliveries keep it from turning ("silly qmail").
func backlog(f *Flow) []spoor.Obstacle {
	n := f.Queue.Unprocessed
	if n < minBacklog || n*minBacklogShare < f.Queue.Messages {
		return nil
	}
	severity := medium
	if n >= largeBacklog {
		severity = high
	}
	return []spoor.Obstacle{{
		Name: "todo-backlog", Severity: severity, Count: n,
		Text: partOf(n, f.Queue.Messages, "messages") +
			" are " + f.Unseen + ": new mail waits before its first delivery, as on a flooded server",
		Try:      "stop what floods the queue first; the backlog then shrinks by itself",
		Evidence: []spoor.Evidence{{What: "queue", Text: fmt.Sprintf("%d %s, %d messages", n, f.Unseen, f.Queue.Messages)}},
	}}
}

// minStatus is how many status lines a share needs: there are two for each
// delivery, so a burst fills as many within seconds.
const minStatus = 20

// saturated: as many remote deliveries run as may, half of the time or more.
func saturated(f *Flow) []spoor.Obstacle {
	c := &f.Concurrency
	if c.Samples < minStatus || c.LimitRemote == 0 || c.Saturated*2 < c.Samples {
		return nil
	}
	severity := medium
	if c.Saturated*10 >= c.Samples*9 {
		severity = high
	}
	return []spoor.Obstacle{{
		Name: "remote-concurrency", Severity: severity, Count: c.Saturated, Evidence: c.Evidence,
		Text: fmt.Sprintf("all %s remote deliveries that may run at once are busy in %s",
			thousands(c.LimitRemote), partOf(c.Saturated, c.Samples, "status lines of late")),
		Try: "see what they are busy with below; more of them (control/concurrencyremote) only helps if the mail is wanted",
	}}
}

// recently is how long before the end of the log the last warning of a sort may
// be. qmail-send tries again what it cannot do every 123 seconds, and with each
// delivery of the message: after two hours without, it is over.
const recently = 2 * time.Hour

// troubled adds to an obstacle the warnings that hold one of the words and are
// not over. There is none without one.
func (f *Flow) troubled(o spoor.Obstacle, words ...string) []spoor.Obstacle {
	for i := range f.Troubles {
		t := &f.Troubles[i]
		over := !f.LastLine.IsZero() && f.LastLine.Sub(t.Last) >= recently
		if over || !containsAny(t.Text, words) {
			continue
		}
		o.Count += t.Count
		if len(o.Evidence) < maxQuoted {
			o.Evidence = append(o.Evidence, t.Example)
		}
	}
	if o.Count == 0 {
		return nil
	}
	o.Text += fmt.Sprintf(" (%s, the last less than %d hours before the end of the log)", counted(o.Count, "warning"), int(recently.Hours()))
	return []spoor.Obstacle{o}
}

func containsAny(text string, words []string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// maxLeftovers is how many old leftovers are no wonder: each is a client that
// went away, and qmail-send removes them about once a day.
const maxLeftovers = 100

// cleanup: files that qmail cannot remove or open stay for ever. That happens
// when somebody removes files of the queue while qmail-send runs. Leftovers of
// more than 36 hours are qmail-clean's to remove (qmail INTERNALS).
func cleanup(f *Flow) []spoor.Obstacle {
	list := f.troubled(spoor.Obstacle{
		Name: "cleanup-stuck", Severity: medium,
		Text: "qmail-send warns again and again of files that it cannot open or remove: somebody may have removed files of the queue while it ran",
		Try:  "do not remove files of a running queue by hand; a restart of qmail-send forgets what is gone",
	}, "unable to clean up", "trouble opening", "unable to unlink", "trouble marking")
	if len(list) > 0 || f.Leftovers <= maxLeftovers {
		return list
	}
	return []spoor.Obstacle{{
		Name: "cleanup-stuck", Severity: medium, Count: f.Leftovers,
		Text:     counted(f.Leftovers, "file") + " in queue/mess belong to no message and are older than 36 hours: qmail-clean should have removed them",
		Try:      "see whether qmail-clean runs beside qmail-send",
		Evidence: []spoor.Evidence{{What: "queue", Text: fmt.Sprintf("%d leftovers", f.Leftovers)}},
	}}
}
