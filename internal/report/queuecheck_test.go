package report

import (
	"io"
	"testing"

	"spoor"
)

func sampleQueueCheck() *QueueCheck {
	return &QueueCheck{
		Head: Head{Root: "/", Host: "mail7.example.net", Time: now, MTA: "qmail", Panel: "plesk"},
		QueueCheck: spoor.QueueCheck{
			Queue: "/var/qmail/queue", Layout: "split 23, todo flat", Messages: 27645, Files: 82935,
			Notes: []string{"receivers that did not answer: 192.0.2.1 (2 timeouts)"},
			Damages: []spoor.Damage{
				{Check: "beheaded", Severity: spoor.SeverityHigh, Count: 5, Means: "content and recipients without a sender: never delivered", Examples: []string{"/var/qmail/queue/mess/3/2996948", "/var/qmail/queue/mess/4/\x1b[31mevil"}, Repair: "spoor queue rebuild -n"},
				{Check: "trigger", Severity: spoor.SeverityMedium, Count: 1, Means: "new mail waits", Examples: []string{"/var/qmail/queue/lock/trigger (missing)"}, Advice: "make it anew"},
				{Check: "foreign", Severity: spoor.SeverityLow, Count: 1, Means: "no part of a queue", Examples: []string{"/var/qmail/queue/x"}, Repair: "spoor queue rebuild -n; rm -rf /"},
			},
		},
	}
}

func sampleRebuild(phase string) *Rebuild {
	r := &Rebuild{
		Head: Head{Root: "/mnt/disk", Host: "mail7.example.net", Time: now, MTA: "qmail", Panel: "plesk"},
		Rebuilding: spoor.Rebuilding{
			Plan: "r20261123-120000", Phase: phase, Queue: "/var/qmail/queue", Before: "split 23, todo flat", After: "split 97, todo flat",
			Todo: 13, Queued: 102, Recipients: 768, Done: 49, Renamed: 115, Bytes: 291400, Quarantined: 3, Lost: 1, Foreign: 1,
			Aside: "/var/qmail/queue.spoor.r20261123-120000",
		},
	}
	switch phase {
	case "planned":
		r.Warnings, r.Damages = []string{"the queue has split 23 now"}, sampleQueueCheck().Damages[:1]
	case "done":
		r.OldTree, r.Late, r.Writing = "/var/qmail/queue.old.r20261123-120000", 2, 1
	}
	return r
}

func TestQueueCheckPages(t *testing.T) {
	damaged, clean := sampleQueueCheck(), sampleQueueCheck()
	clean.Damages, clean.Notes = nil, nil
	gaps := sampleQueueCheck()
	gaps.Damages, gaps.Unread = nil, []spoor.Gap{{File: "/var/qmail/queue/info", Reason: "permission denied", Count: 1}}
	f := func(name string, write func(io.Writer) error) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); golden(t, name, write) })
	}
	f("queue-check", func(w io.Writer) error { return damaged.Text(w, plainStyle) })
	f("queue-check-colour", func(w io.Writer) error { return damaged.Text(w, colourStyle) })
	f("queue-check-clean", func(w io.Writer) error { return clean.Text(w, plainStyle) })
	f("queue-check-gaps", func(w io.Writer) error { return gaps.Text(w, plainStyle) })
	f("queue-check-json", damaged.JSON)
	f("queue-rebuild-planned", func(w io.Writer) error { return sampleRebuild("planned").Text(w, plainStyle) })
	f("queue-rebuild-done", func(w io.Writer) error { return sampleRebuild("done").Text(w, plainStyle) })
	f("queue-rebuild-undone", func(w io.Writer) error { return sampleRebuild("undone").Text(w, plainStyle) })
	f("queue-rebuild-purged", func(w io.Writer) error { return sampleRebuild("purged").Text(w, plainStyle) })
	f("queue-rebuild-json", sampleRebuild("planned").JSON)
}
