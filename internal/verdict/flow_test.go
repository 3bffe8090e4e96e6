package verdict

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"spoor"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// healthy is the flow of a busy server on which nothing is wrong.
func healthy() Flow {
	return Flow{
		Daemon: "qmail-send", Unseen: "not yet preprocessed",
		Now: noon, Live: true, Newest: noon.Add(-time.Minute), LastLine: noon.Add(-time.Second),
		Queue:       spoor.QueueCount{Messages: 5000, Unprocessed: 99, Remote: 4800},
		Concurrency: Concurrency{Samples: 4096, Saturated: 2047, MaxRemote: 20, LimitRemote: 20, LastRemote: 3},
		Stuck:       []Stuck{stuck("", "old.example", spoor.AnswerNoHost, 9), stuck("google", "gmail.example", spoor.AnswerRate, 9)},
		Waiting:     18,
		Troubles:    []Trouble{trouble("warning: trouble opening remote/19/967077; will try again later", noon.Add(-3*time.Hour))},
		Disk:        Disk{Path: "/var/qmail/queue", Known: true, FreeBytes: 20 << 30, TotalBytes: 40 << 30, FreeInodes: 1 << 20, TotalInodes: 2 << 20},
		Leftovers:   100,
	}
}

func stuck(receiver, domain string, answer spoor.Answer, recipients int) Stuck {
	return Stuck{
		Receiver: receiver, Domain: domain, Answer: answer, Recipients: recipients, Messages: recipients,
		Example: spoor.Evidence{What: "log-answer", File: "/var/log/maillog", Line: 7, Text: "deferral: " + answer.String()},
	}
}

func trouble(text string, last time.Time) Trouble {
	return Trouble{Text: text, Count: 4, First: last.Add(-time.Hour), Last: last, Example: spoor.Evidence{What: "log-trouble", Text: text}}
}

func TestObstacles(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *Flow)
		want   []string // name, severity, count and text of each
	}{
		{"a healthy server has none", func(*Flow) {}, nil},
		{"a server without a log has none", func(f *Flow) { *f = Flow{Now: noon, Queue: f.Queue} }, nil},
		{"all deliveries busy", func(f *Flow) { f.Concurrency.Saturated = 4000 }, []string{
			"remote-concurrency high 4000: all 20 remote deliveries that may run at once are busy in 4,000 of 4,096 status lines of late (98%)",
		}},
		{"all deliveries busy half of the time", func(f *Flow) { f.Concurrency.Saturated = 2048 }, []string{
			"remote-concurrency medium 2048: all 20 remote deliveries that may run at once are busy in 2,048 of 4,096 status lines of late (50%)",
		}},
		{"all deliveries busy for a moment", func(f *Flow) { f.Concurrency.Samples, f.Concurrency.Saturated = 19, 19 }, nil},
		{"a frozen channel", func(f *Flow) { f.Concurrency.LimitRemote = 0 }, []string{
			"frozen high 4800: no remote delivery may run (concurrencyremote is 0): 4,800 messages with remote recipients in the queue",
		}},
		{"a frozen channel with nothing to do", func(f *Flow) { f.Concurrency.LimitRemote, f.Queue.Remote = 0, 0 }, []string{
			"frozen medium 0: no remote delivery may run (concurrencyremote is 0): 0 messages with remote recipients in the queue",
		}},
		{"no status lines", func(f *Flow) { f.Concurrency = Concurrency{} }, nil},
		{"receivers that block the server", func(f *Flow) {
			f.Stuck = []Stuck{
				stuck("", "corp.example", spoor.AnswerSpam, 40), stuck("google", "a.example", spoor.AnswerRate, 700), stuck("google", "b.example", spoor.AnswerBlocked, 112),
				stuck("", "evil.example;reboot", spoor.AnswerBlocked, 50), stuck("microsoft", "c.example", spoor.AnswerBlocked, 90), stuck("", "d.example", spoor.AnswerBlocked, 8),
			}
			f.Waiting = 1000
		}, []string{
			"blocked-by-receiver high 1000: all 1,000 recipients that were put off wait for receivers that refuse or slow down this server: google 812, microsoft 90, domains with odd names 50, 2 others",
		}},
		{"a block that concerns few", func(f *Flow) { f.Stuck[1].Recipients, f.Waiting = 10, 101 }, []string{
			"blocked-by-receiver medium 10: 10 of 101 recipients that were put off (10%) wait for receivers that refuse or slow down this server: google 10",
		}},
		{"receivers that cannot be reached", func(f *Flow) {
			f.Stuck = append(f.Stuck, stuck("", "grey.example", spoor.AnswerGreylisted, 20), stuck("", "full.example", spoor.AnswerMailboxFull, 5), stuck("", "far.example", spoor.AnswerNoConnection, 300))
			f.Waiting = 343
		}, []string{
			"deferrals medium 334: 334 of 343 recipients that were put off (97%) wait for receivers that cannot be reached or put the mail off: far.example (no-connection) 300, grey.example (greylisted) 20, old.example (no-host) 9, 1 other",
		}},
		{"a backlog", func(f *Flow) { f.Queue.Unprocessed = 250 }, []string{
			`todo-backlog medium 250: 250 of 5,000 messages (5%) are not yet preprocessed: new mail waits before its first delivery, as on a flooded server`,
		}},
		{"a large backlog", func(f *Flow) { f.Queue.Unprocessed = 4000 }, []string{
			`todo-backlog high 4000: 4,000 of 5,000 messages (80%) are not yet preprocessed: new mail waits before its first delivery, as on a flooded server`,
		}},
		{"a burst that is small for the queue", func(f *Flow) { f.Queue.Unprocessed = 249 }, nil},
		{"a silent log", func(f *Flow) { f.LastLine = noon.Add(-40 * time.Minute) }, []string{
			"logger-blocked high 99: 99 messages not yet preprocessed, and the MTA has logged nothing for 40 minutes: it is stopped, or waits for its logger",
		}},
		{"a silent log of an idle server", func(f *Flow) { f.LastLine, f.Queue.Unprocessed = noon.Add(-time.Hour), 0 }, nil},
		{"the log of a server that was captured long ago", func(f *Flow) {
			f.Live, f.Disk, f.Now = false, Disk{}, noon.Add(1000*time.Hour)
		}, nil},
		{"mail that came after the last line", func(f *Flow) {
			f.Live, f.LastLine, f.Newest = false, noon.Add(-40*time.Minute), noon.Add(-25*time.Minute)
		}, []string{
			"logger-blocked high 99: 99 messages not yet preprocessed, and the MTA has logged nothing for 15 minutes: it is stopped, or waits for its logger",
		}},
		{"a full disk", func(f *Flow) { f.Disk.FreeBytes = 199 << 20 }, []string{
			"disk-full high 199: the disk of the queue is nearly full: 199 of 40,960 MB are free",
		}},
		{"a small disk that is full", func(f *Flow) { f.Disk.FreeBytes, f.Disk.TotalBytes = 49<<20, 512<<20 }, []string{
			"disk-full high 49: the disk of the queue is nearly full: 49 of 512 MB are free",
		}},
		{"a disk without inodes", func(f *Flow) { f.Disk.FreeInodes = 1234 }, []string{
			"disk-full high 1234: the disk of the queue is nearly full: 1,234 of 2,097,152 inodes are free",
		}},
		{"a disk that counts no inodes", func(f *Flow) { f.Disk.FreeInodes, f.Disk.TotalInodes = 0, 0 }, nil},
		{"a disk that nobody asked", func(f *Flow) { f.Disk = Disk{Path: "/var/qmail/queue"} }, nil},
		{"a clean-up that cannot proceed", func(f *Flow) {
			f.Troubles = []Trouble{
				trouble("warning: qmail-clean unable to clean up mess/3/967077", noon.Add(-time.Minute)),
				trouble("warning: trouble opening remote/19/967077; will try again later", noon.Add(-time.Hour)),
				trouble("warning: unable to stat mess/5/5", noon.Add(-time.Hour)),
			}
		}, []string{
			"cleanup-stuck medium 8: qmail-send warns again and again of files that it cannot open or remove: somebody may have removed files of the queue while it ran (8 warnings, the last less than 2 hours before the end of the log)",
		}},
		{"leftovers that stay", func(f *Flow) { f.Leftovers = 1204 }, []string{
			"cleanup-stuck medium 1204: 1,204 files in queue/mess belong to no message and are older than 36 hours: qmail-clean should have removed them",
		}},
		{"a server that stopped to deliver", func(f *Flow) {
			f.Troubles = append(f.Troubles, trouble("alert: unable to append to bounce message; HELP! sleeping...", noon))
		}, []string{
			"delivery-stopped high 4: qmail-send waits because it cannot write, and delivers nothing meanwhile (4 warnings, the last less than 2 hours before the end of the log)",
		}},
		{"several, worst first", func(f *Flow) {
			f.Stuck[0].Recipients, f.Stuck[1].Recipients, f.Waiting = 500, 100, 600
			f.Disk.FreeBytes, f.Queue.Unprocessed = 0, 300
		}, []string{
			"disk-full high 0: the disk of the queue is nearly full: 0 of 40,960 MB are free",
			"blocked-by-receiver high 100: 100 of 600 recipients that were put off (17%) wait for receivers that refuse or slow down this server: google 100",
			`todo-backlog medium 300: 300 of 5,000 messages (6%) are not yet preprocessed: new mail waits before its first delivery, as on a flooded server`,
			"deferrals medium 500: 500 of 600 recipients that were put off (83%) wait for receivers that cannot be reached or put the mail off: old.example (no-host) 500",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := healthy()
			c.change(&f)
			var got []string
			for _, o := range Obstacles(f) {
				got = append(got, fmt.Sprintf("%s %s %d: %s", o.Name, o.Severity, o.Count, o.Text))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
			}
		})
	}
}

func TestObstaclesHoldTheirPromises(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFlow(rt)
		before := slices.Clone(f.Stuck)
		list := Obstacles(f)
		if !slices.Equal(before, f.Stuck) {
			rt.Fatal("the input was changed")
		}
		for i, o := range list {
			if !strings.Contains(o.Text, thousands(o.Count)) {
				rt.Fatalf("%q does not say %d", o.Text, o.Count)
			}
			if o.Try == "" {
				rt.Fatalf("%s leaves the reader alone", o.Name)
			}
			if strings.ContainsAny(o.Text+o.Try, "<\x1b`") {
				rt.Fatalf("%s shows what an attacker wrote: %q", o.Name, o.Text)
			}
			if i > 0 && o.Severity == high && list[i-1].Severity != high {
				rt.Fatalf("%s stands below %s", o.Name, list[i-1].Name)
			}
		}
	})
}

// drawFlow draws figures in any combination, with a hostile text wherever
// somebody else writes.
func drawFlow(t *rapid.T) Flow {
	n := func(label string) int { return rapid.IntRange(0, 5000).Draw(t, label) }
	f := Flow{
		Now: noon, Newest: noon, Live: rapid.Bool().Draw(t, "live"), LastLine: noon.Add(-time.Duration(n("silent")) * time.Second),
		Queue:       spoor.QueueCount{Messages: n("messages"), Unprocessed: n("todo"), Remote: n("remote")},
		Concurrency: Concurrency{Samples: n("samples"), Saturated: n("saturated"), LimitRemote: rapid.IntRange(0, 20).Draw(t, "limit")},
		Disk:        Disk{Known: true, FreeBytes: int64(n("free")) << 20, TotalBytes: 1 << 32, FreeInodes: int64(n("inodes")), TotalInodes: 1 << 16},
		Leftovers:   n("leftovers"),
	}
	for range rapid.IntRange(0, 8).Draw(t, "stuck") {
		one := stuck(rapid.SampledFrom([]string{"", "google"}).Draw(t, "receiver"), hostile, rapid.SampledFrom(spoor.Answers()).Draw(t, "answer"), n("recipients"))
		f.Stuck, f.Waiting = append(f.Stuck, one), f.Waiting+one.Recipients
	}
	for _, words := range []string{"HELP! sleeping", "unable to unlink"} {
		if rapid.Bool().Draw(t, words) {
			f.Troubles = append(f.Troubles, trouble("alert: "+hostile+words, noon))
		}
	}
	return f
}
