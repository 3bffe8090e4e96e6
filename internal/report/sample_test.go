package report

import (
	"net/netip"
	"strings"
	"time"

	"spoor"
)

// now is when the sample server was examined.
var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

const header = "/var/qmail/queue/mess/3/2996948"

func received(id spoor.QueueID, text string) spoor.Evidence {
	return spoor.Evidence{What: "received", ID: id, File: "/var/qmail/queue/mess/3/" + string(id), Line: 1, Text: text}
}

func siteLine() SourceLine {
	source := spoor.Source{Kind: spoor.KindSite, Name: "example.com"}
	return SourceLine{
		Traffic: spoor.Traffic{
			Source: source, UID: 10003, Login: "web12", Confidence: 1,
			Messages: 26120, Recipients: 301177, Done: 20000, Bytes: 87120331,
			First: ago(38 * time.Hour), Last: ago(time.Minute),
			Unprocessed: 80, Bouncing: 31, Outbound: 26120, Forged: 3, WebServer: 24,
			OwnSender: 12, ForeignSender: 26108, Contents: 14, LargestCopy: 19033,
			Senders: spoor.Ranking{Distinct: 24990, Top: []spoor.Tally{
				{Value: "support@bank.example", Count: 811}, {Value: "", Count: 40}, {Value: "info@shop.test", Count: 12},
			}},
			Subjects: spoor.Ranking{Distinct: 4, Top: []spoor.Tally{
				{Value: "Your account has been suspended", Count: 26001},
				{Value: "=?utf-8?B?UmU6IOazqOaWh+OBrueiuuiqjQ==?=", Count: 119},
				{Value: "=?x-unknown?Q?=80?= =?utf-8?Q?kept?=", Count: 1},
				{Value: "", Count: 1},
			}},
			Scripts: spoor.Ranking{Distinct: 1, Top: []spoor.Tally{{Value: "cache.php", Count: 24}}},
			Samples: []*spoor.Message{phpMessage()},
			Evidence: []spoor.Evidence{
				received("2996948", "(qmail 19514 invoked by uid 10003); 22 Nov 2026 20:00:00 -0000"),
				{What: "passwd", File: "/etc/passwd", Line: 31, Text: "web12:x:10003:10001::/var/www/vhosts/example.com:/bin/false"},
			},
			Conflicts: []spoor.Evidence{
				{What: "claim", ID: "2996948", File: header, Line: 7, Text: "X-Mailer-Account: bob@corp.example: overruled, anyone who writes the message can write this field"},
			},
			Candidates: []spoor.Candidate{{
				Source:     spoor.Source{Kind: spoor.KindScript, Name: "/var/www/vhosts/example.com/httpdocs/wp-content/plugins/seo/cache.php"},
				Confidence: 0.86, Text: "41 of 44 requests for it were followed by a message within 2 seconds",
				Evidence: []spoor.Evidence{{What: "request", File: "/var/www/vhosts/example.com/logs/access_log", Line: 18211, Text: `203.0.113.9 - - [22/Nov/2026:20:00:00 +0000] "POST /wp-content/plugins/seo/cache.php HTTP/1.1" 200 2`}},
			}, {
				Source:     spoor.Source{Kind: spoor.KindScript, Name: "/var/www/vhosts/example.com/httpdocs/index.php"},
				Confidence: 0.09, Text: "too unlikely for the page",
			}},
		},
		Verdict: spoor.Verdict{
			Source: source, Class: spoor.Spam, Confidence: 0.99, Score: 14.2,
			Reasons: []spoor.Reason{
				{Symbol: "FOREIGN_SENDERS", Family: spoor.FamilySender, Weight: 3.4, Count: 26108, Text: "26,108 of 26,120 messages have an envelope sender of a domain that is not served here", Check: "spoor queue ls site:example.com", Evidence: []spoor.Evidence{{What: "sender", Text: "811 support@bank.example"}, {What: "sender", Text: "40 <>"}}},
				{Symbol: "UID_IN_RECEIVED", Family: spoor.FamilyTrace, Weight: 5, Count: 26120, Text: "all 26,120 messages were queued by uid 10003, which runs this site's scripts", Evidence: []spoor.Evidence{received("2996948", "(qmail 19514 invoked by uid 10003); 22 Nov 2026 20:00:00 -0000")}},
				{Symbol: "OWN_SENDER", Family: spoor.FamilySender, Weight: -0.4, Count: 12, Text: "12 messages are sent as an address of this site"},
				{Symbol: "MANY_RECIPIENTS", Family: spoor.FamilyRecipients, Weight: 4.2, Count: 301177, Text: "301,177 recipients in 38 hours; the site usually has 9 a day"},
				{Symbol: "SAME_BODY", Family: spoor.FamilyContent, Weight: 2, Count: 19033, Text: "most messages share one body", Evidence: []spoor.Evidence{
					{What: "campaign c7f30001", Text: strings.TrimSpace(strings.Repeat("2996948 ", 40))},
					{What: "campaign", ID: "2996948", File: header, Text: "Subject: =?utf-8?Q?Your_account?=\n =?utf-8?Q?_has_been_suspended?="},
				}},
			},
		},
	}
}

func accountLine() SourceLine {
	source := spoor.Source{Kind: spoor.KindAccount, Name: "bob@corp.example"}
	return SourceLine{
		Traffic: spoor.Traffic{
			Source: source, UID: -1, Confidence: 0.95, Messages: 120, Recipients: 1180,
			First: ago(3 * time.Hour), Last: ago(2 * time.Minute),
		},
		Verdict: spoor.Verdict{
			Source: source, Class: spoor.Suspect, Confidence: 0.615, Score: 4.1,
			Reasons: []spoor.Reason{
				{Symbol: "MANY_CLIENTS", Family: spoor.FamilyClient, Weight: 3.1, Count: 9, Text: "9 client addresses in 7 networks within 3 hours"},
				{Symbol: "RAMP", Family: spoor.FamilyVolume, Weight: 1.5, Count: 112, Text: "112 messages in the last hour"},
				{Symbol: "LIST", Family: spoor.FamilyContent, Weight: -0.5, Count: 100, Text: "100 messages carry a list identity (List-Unsubscribe)"},
			},
		},
	}
}

func normalLine(name string, messages int) SourceLine {
	source := spoor.Source{Kind: spoor.KindSite, Name: name}
	return SourceLine{
		Traffic: spoor.Traffic{Source: source, UID: 10010, Messages: messages, Recipients: messages, First: ago(time.Hour), Last: ago(time.Minute)},
		Verdict: spoor.Verdict{Source: source, Class: spoor.Normal, Confidence: 0.02},
	}
}

func sampleCount() spoor.QueueCount {
	return spoor.QueueCount{
		Messages: 27645, Unprocessed: 82, Local: 12, Remote: 27633, Bouncing: 40,
		Recipients: 310022, Done: 20114, Bytes: 91827364, Oldest: ago(74 * time.Hour),
	}
}

func sampleFindings() []spoor.Finding {
	return []spoor.Finding{
		{Check: "sender-open", Severity: "low", Subject: "mail7.example.net", Text: "accounts may use any envelope sender"},
		{Check: "nonexistent-user", Severity: "high", Subject: "example.org", Text: "mail to unknown users is accepted and bounced later: backscatter", Fix: "spoor audit fix nonexistent-user"},
	}
}

func sampleWho() *Who {
	return &Who{
		Stops:  func(spoor.Kind) bool { return true },
		Unseen: "not yet preprocessed",
		Root:   "/", Host: "mail7.example.net", Time: now, MTA: "qmail", Panel: "plesk", Queue: sampleCount(),
		Sources: []SourceLine{
			siteLine(), accountLine(), normalLine("shop.test", 12), normalLine("club.test", 6), normalLine("a.test", 3),
			normalLine("b.test", 1), normalLine("c.test", 1),
		},
		Findings: sampleFindings(), Complete: true,
		Gaps: []spoor.Gap{
			{File: "/var/qmail/queue/mess/3/2996951", Reason: "no header", Count: 1},
			{File: "/var/qmail/queue/mess/3/2996951", Reason: "no header", Count: 2},
		},
	}
}

func emptyWho() *Who {
	return &Who{Root: "/mnt/disk", Host: "mail7.example.net", Time: now, MTA: "qmail", Panel: "plain", Complete: true}
}

func partialWho() *Who {
	w := cleanWho()
	w.Complete = false
	w.Queue.Unreadable = 1204
	w.Gaps = []spoor.Gap{
		{File: "(more)", Reason: "permission denied", Count: 1202},
		{File: "/var/qmail/queue/mess/3/2996948", Reason: "permission denied", Count: 1},
		{File: "/var/qmail/queue/mess/3/2996971", Reason: "permission denied", Count: 1},
		{File: "/var/log/maillog", Reason: "line of unknown shape", Count: 31},
	}
	return w
}

func cleanWho() *Who {
	w := sampleWho()
	w.Sources, w.Findings, w.Gaps = w.Sources[2:], nil, nil
	w.Queue = spoor.QueueCount{Messages: 23, Remote: 23, Recipients: 23, Bytes: 901, Oldest: ago(40 * time.Minute)}
	return w
}

// manyWho has more spam than the page shows, and a bounce whose cause is known.
func manyWho() *Who {
	w := sampleWho()
	w.Sources = append([]SourceLine{bounceShow().Source}, w.Sources...)
	w.Sources = append(w.Sources, siteLine())
	w.Sources[0].Verdict.Class = spoor.Spam
	return w
}

func sampleShow() *Show {
	return &Show{Root: "/", Host: "mail7.example.net", Time: now, MTA: "qmail", Panel: "plesk", Source: siteLine(), Complete: true}
}

func bounceShow() *Show {
	source := spoor.Source{Kind: spoor.KindBounce, Name: "it's"}
	return &Show{
		Root: "/", Host: "mail7.example.net", Time: now, MTA: "qmail",
		Source: SourceLine{
			Traffic: spoor.Traffic{
				Source: source, UID: 7793, Login: "qmails", Confidence: 1, Messages: 40, Recipients: 40, Bytes: 81920,
				Cause: spoor.Source{Kind: spoor.KindSite, Name: "example.com"}, CauseCount: 38,
				First: ago(time.Hour), Last: ago(time.Hour), NullSender: 40,
				Clients: spoor.Ranking{Distinct: 1, Top: []spoor.Tally{{Value: "203.0.113.9", Count: 38}}},
			},
			Verdict: spoor.Verdict{Source: source, Class: spoor.Normal, Confidence: 0.1},
		},
	}
}

func recipients(list ...spoor.Recipient) spoor.Recipients {
	var r spoor.Recipients
	for _, one := range list {
		r.Add(one.Channel, one.Done, []byte(one.Address))
	}
	return r
}

func phpMessage() *spoor.Message {
	return &spoor.Message{
		ID: "2996948", Folder: "/var/qmail/queue/mess/3", Arrived: ago(38 * time.Hour), Routed: ago(38 * time.Hour),
		SizeBytes: 9073, HasEnvelope: true, Sender: "support@bank.example", State: spoor.StateRemote, Bouncing: true,
		Recipients: recipients(
			spoor.Recipient{Address: "user1@domain1.example", Channel: spoor.ChannelRemote, Done: true},
			spoor.Recipient{Address: "user2@domain2.example", Channel: spoor.ChannelRemote},
			spoor.Recipient{Address: "user3@domain3.example", Channel: spoor.ChannelRemote}),
		Subject: "Your account has been suspended", MessageID: "<20261122200000.19514.qmail@mail7.example.net>",
		Trail: spoor.Trail{
			Hops: []spoor.Hop{{Via: spoor.ViaUID, PID: 24441, UID: 48, Line: 1, Text: "(qmail 24441 invoked by uid 48); 22 Nov 2026 20:00:00 -0000"}},
			Claims: []spoor.Claim{
				{Field: "X-PHP-Originating-Script", Value: "10003:cache.php", Line: 5},
				{Field: "X-PHP-Script", Value: "example.com/wp-content/plugins/seo/cache.php for 203.0.113.9", Line: 6},
			},
			Forgeable: []spoor.Claim{
				{Field: "Received", Value: "from mail.bank.example (HELO localhost) (192.0.2.7) by mx.bank.example with ESMTPA; 22 Nov 2026 19:59:58 -0000", Line: 8},
			},
		},
	}
}

func siteAttribution() *spoor.Attribution {
	line := siteLine()
	t := &line.Traffic
	return &spoor.Attribution{
		Source: t.Source, UID: 48, Confidence: 0.9,
		Evidence: t.Evidence, Conflicts: t.Conflicts, Candidates: t.Candidates,
	}
}

func explainOf(m *spoor.Message, a *spoor.Attribution) *Explain {
	return &Explain{
		Root: "/", Host: "mail7.example.net", Time: now, MTA: "qmail", Panel: "plesk",
		Message: m, Attribution: a, Logins: map[int]string{48: "apache", 10003: "web12"},
	}
}

func explainPHP() *Explain { return explainOf(phpMessage(), siteAttribution()) }

func authMessage() *spoor.Message {
	m := phpMessage()
	m.ID, m.Bouncing, m.SizeBytes = "2997003", false, 734003
	m.Sender, m.Subject = "bob@corp.example", "=?iso-8859-1?Q?R=E9sum=E9?= =?utf-8?B?IOazqOaWh+OBrueiuuiqjQ==?="
	m.State, m.Unprocessed = spoor.StateTodo, true
	m.Recipients = recipients(spoor.Recipient{Address: "alice@far.example"})
	m.Arrived, m.Routed = ago(90*time.Second), time.Time{}
	m.Trail = spoor.Trail{Hops: []spoor.Hop{{
		Via: spoor.ViaNetwork, PID: 24470, UID: -1, Line: 1, Text: "(qmail 24470 invoked from network); 23 Nov 2026 09:58:30 -0000\n" +
			"from unknown (HELO User) (bob@corp.example@198.51.100.62)\n  by mail7.example.net with ESMTPA; 23 Nov 2026 09:58:30 -0000",
		Client: netip.MustParseAddr("198.51.100.62"), HELO: "User", ReverseName: "unknown", Account: "bob@corp.example", Authenticated: true,
	}}}
	return m
}

func accountAttribution() *spoor.Attribution {
	return &spoor.Attribution{
		Source: spoor.Source{Kind: spoor.KindAccount, Name: "bob@corp.example"}, UID: -1, Confidence: 1,
		Evidence: []spoor.Evidence{{What: "received", ID: "2997003", File: "/var/qmail/queue/mess/3/2997003", Line: 1, Text: "(qmail 24470 invoked from network); 23 Nov 2026 09:58:30 -0000\n" +
			"from unknown (HELO User) (bob@corp.example@198.51.100.62)\n  by mail7.example.net with ESMTPA; 23 Nov 2026 09:58:30 -0000"}},
	}
}

func explainAuth() *Explain { return explainOf(authMessage(), accountAttribution()) }

func bounceMessage() *spoor.Message {
	m := authMessage()
	m.ID, m.Sender, m.Subject, m.SizeBytes = "2997010", "", "failure notice", 950
	m.State, m.Unprocessed = spoor.StateBoth, false
	m.Trail.Hops = append([]spoor.Hop{
		{Via: spoor.ViaBounce, PID: 24480, UID: -1, Line: 1, Text: "(qmail 24480 invoked for bounce)", Address: "nobody@far.example", Reason: "Sorry, no mailbox here by that name. (#5.1.1)"},
		{Via: spoor.ViaForward, PID: 24475, UID: 7790, Line: 3, Text: "(qmail 24475 invoked by alias)", Address: "all@corp.example"},
		{Via: spoor.ViaList, PID: 24474, UID: -1, Line: 5, Text: "(qmail 24474 invoked by uid 7801)", Address: "news@corp.example"},
		{Via: spoor.ViaNetwork, PID: 24471, UID: -1, Line: 7, Text: "(qmail 24471 invoked from network)", HELO: "x, authenticated as y", Account: "ident-word"},
	}, m.Trail.Hops...)
	return m
}

func bounceAttribution() *spoor.Attribution {
	return &spoor.Attribution{
		Source: spoor.Source{Kind: spoor.KindBounce, Name: "far.example"}, UID: -1, Confidence: 1,
		Cause: spoor.Source{Kind: spoor.KindAccount, Name: "bob@corp.example"},
	}
}

func explainBounce() *Explain { return explainOf(bounceMessage(), bounceAttribution()) }

func orphanMessage() *spoor.Message {
	return &spoor.Message{
		ID: "2997021", Folder: "/var/qmail/queue/mess/9", Arrived: ago(100 * 24 * time.Hour), SizeBytes: 12,
		State: spoor.StateIncomplete, Trail: spoor.Trail{Broken: "no empty line ends the header"},
	}
}

func explainNothing() *Explain {
	return explainOf(orphanMessage(), &spoor.Attribution{UID: -1})
}

func sampleQueue() *Queue {
	return &Queue{Root: "/", Host: "mail7.example.net", Time: now, MTA: "qmail", Panel: "plesk", Count: sampleCount(), Complete: true}
}

func sampleCat() *Cat {
	return &Cat{Message: phpMessage(), Content: []byte("Received: (qmail 24441 invoked by uid 48); 22 Nov 2026 20:00:00 -0000\n" +
		"Subject: Your account has been suspended\nX-Title: \x1b]0;owned\x07 caf\xe9\n\nDear customer,\r\n\tclick \u202ehere\n\nno line end")}
}

type sampleRow struct {
	message     *spoor.Message
	attribution *spoor.Attribution
}

func sampleMessages() []sampleRow {
	held := authMessage()
	held.ID, held.Held, held.Sender = "2997004", true, "=cmd|' /C calc'!A0"
	held.SizeBytes = 1 << 20
	return []sampleRow{
		{phpMessage(), siteAttribution()},
		{authMessage(), accountAttribution()},
		{held, nil},
		{bounceMessage(), bounceAttribution()},
		{orphanMessage(), &spoor.Attribution{UID: -1}},
	}
}

// wiped is what a scan may leave of a message that was listed.
func wiped() spoor.Message {
	return spoor.Message{ID: "overwritten", Sender: "overwritten", Subject: "overwritten"}
}
