package report

import (
	"iter"
	"time"

	"spoor"
)

// hostileLine is what an attacker may get into a log line.
const hostileLine = "550 <b>\x1b[31m spam\u202e"

func logHead() Head {
	return Head{Root: "/", Host: "mail7.example.net", Time: now, MTA: "qmail", Panel: "plesk"}
}

func sampleCoverage() *spoor.Coverage {
	return &spoor.Coverage{
		Files: []spoor.LogFile{
			{Path: "/var/log/maillog.1.gz", Bytes: 81000, Lines: 400, Events: 300, First: ago(48 * time.Hour), Last: ago(24 * time.Hour), Clock: "assumed", Complete: false},
			{Path: "/var/log/maillog", Bytes: 901000, Lines: 5000, Events: 4000, First: ago(24 * time.Hour), Last: ago(time.Minute), Clock: "proved by the stamps that the MTA writes itself", Proved: true, Complete: true},
		},
		Lines: 5400, Known: 5300, Events: 4300, Foreign: 60, Unknown: 38, Damaged: 2,
		Shapes:  []spoor.UnknownShape{{Program: "smtp_auth", Count: 38, Examples: []spoor.Evidence{{What: "log-unknown", File: "/var/log/maillog", Line: 77, Text: hostileLine}}}},
		First:   ago(48 * time.Hour),
		Last:    ago(time.Minute),
		NotRead: []spoor.Gap{{File: "/var/log/maillog.9.gz", Reason: "older log left out", Count: 1}},
		Assumed: []string{"year and zone of /var/log/maillog.1.gz"},
	}
}

func answerLine() spoor.Evidence {
	return spoor.Evidence{
		What: "log-answer", ID: "2996948", File: "/var/log/maillog", Line: 901,
		Text: "Nov 23 10:00:00 mail7 qmail: 1795433538.013808 delivery 1: failure: 192.0.2.1_failed_after_I_sent_the_message./Remote_host_said:_550_5.7.1_spam_\x1b[31m/",
	}
}

// loggedLine is an account whose mail has left.
func loggedLine() SourceLine {
	h := &spoor.History{
		Accepted: 4200, Recipients: 81000, Bytes: 91 << 20, Remote: 4200, Delivered: 60000, Failed: 20000, Deferrals: 3000, Waiting: 1000,
		Bounces: 3100, Logins: 5, FailedLogins: 2, Clients: spoor.Ranking{Distinct: 2, Top: []spoor.Tally{{Value: "203.0.113.9", Count: 3}, {Value: "198.51.100.4", Count: 2}}},
		Networks: 2, First: ago(5 * time.Hour), Last: ago(time.Hour), Inferred: 4200,
		Senders: spoor.Ranking{Distinct: 1, Top: []spoor.Tally{{Value: hostileLine, Count: 4200}}},
		Hours: []spoor.HourTally{
			{Start: ago(5 * time.Hour).Truncate(time.Hour), Messages: 200, Recipients: 1000},
			{Start: ago(time.Hour).Truncate(time.Hour), Messages: 4000, Recipients: 80000},
		},
		Receivers: []spoor.ReceiverTally{{Receiver: "google", Answer: spoor.AnswerSpam, Count: 912, Example: answerLine()}},
		Evidence:  []spoor.Evidence{{What: "log-session", File: "/var/log/maillog", Line: 3, Text: hostileLine}},
	}
	h.FailedBy[spoor.AnswerUserUnknown], h.FailedBy[spoor.AnswerSpam] = 19000, 1000
	h.DeferredBy[spoor.AnswerRate] = 3000
	source := spoor.Source{Kind: spoor.KindAccount, Name: "bob@corp.example"}
	return SourceLine{
		Traffic: spoor.Traffic{Source: source, UID: -1, Confidence: 0.85, History: h, Evidence: h.Evidence},
		Verdict: spoor.Verdict{Source: source, Class: spoor.Spam, Confidence: 0.97, Score: 6.1, Reasons: []spoor.Reason{{
			Symbol: "CALLED_SPAM", Family: spoor.FamilyOutcome, Weight: 3, Count: 1000, Text: "1,000 of 83,000 answers call the mail spam",
			Evidence: []spoor.Evidence{answerLine()},
		}}},
	}
}

func sampleObstacles() []spoor.Obstacle {
	return []spoor.Obstacle{
		{Name: "blocked-by-receiver", Severity: "high", Count: 900, Text: "900 of 1,000 recipients that were put off wait for receivers that refuse or slow down this server: google 900", Try: "stop the source", Evidence: []spoor.Evidence{answerLine()}},
		{Name: "todo-backlog", Severity: "medium", Count: 300, Text: "300 of 4,000 messages are not yet preprocessed"},
	}
}

func loggedWho() *Who {
	w := cleanWho()
	w.Sources = append([]SourceLine{loggedLine()}, w.Sources...)
	w.Log, w.Obstacles = sampleCoverage(), sampleObstacles()
	w.MinorSources, w.MinorMessages = 1, 2
	w.Minor = minorLines()
	return w
}

func minorLines() iter.Seq[SourceLine] {
	return func(yield func(SourceLine) bool) {
		source := spoor.Source{Kind: spoor.KindNetwork, Name: "192.0.2.77"}
		yield(SourceLine{
			Traffic: spoor.Traffic{Source: source, UID: -1, Confidence: 0.9, History: &spoor.History{Accepted: 2, Recipients: 2, Delivered: 2}},
			Verdict: spoor.Verdict{Source: source, Confidence: 0.1},
		})
	}
}

func sampleTrace() *Trace {
	at := ago(time.Hour)
	return &Trace{
		Head: logHead(), What: hostileLine, Coverage: sampleCoverage(), Complete: true, Dropped: 3,
		Lives: []Life{{
			ID: "2996948", QP: 4711, Source: spoor.Source{Kind: spoor.KindAccount, Name: "bob@corp.example"}, Sure: 0.45, Inferred: true, Rivals: 2, Ended: true,
			Steps: []Step{
				{Time: at, Kind: spoor.EventAccepted, Address: hostileLine, Line: spoor.Evidence{File: "/var/log/maillog", Line: 899, Text: "Nov 23 10:00:00 mail7 qmail: 1795433538.006608 info msg 2996948: bytes 1365 from <x> qp 4711 uid 2020"}},
				{Time: at, Kind: spoor.EventAttempt, Address: "a@b.example", Delivery: 1, Line: spoor.Evidence{File: "/var/log/maillog", Line: 900}},
				{Time: at, Kind: spoor.EventFailed, Answer: spoor.AnswerSpam, Delivery: 1, Line: answerLine()},
				{Time: at, Kind: spoor.EventEnded, Line: spoor.Evidence{File: "/var/log/maillog", Line: 902}},
			},
		}, {ID: "2996949", QP: -1, Queued: true, Steps: []Step{{Time: at, Kind: spoor.EventAttempt}}}},
	}
}

func sampleReasons() *Reasons {
	return &Reasons{
		Head: logHead(), Obstacles: sampleObstacles(), Waiting: 1000, Coverage: sampleCoverage(), Complete: true,
		Groups: []ReasonGroup{
			{Receiver: "google", Domain: "gmail.com", Answer: spoor.AnswerBlocked, Recipients: 700, Messages: 80, Oldest: ago(time.Hour), Line: answerLine()},
			{Receiver: "google", Domain: "googlemail.com", Answer: spoor.AnswerBlocked, Recipients: 200, Messages: 20, Oldest: ago(2 * time.Hour), Line: answerLine()},
			{Domain: hostileLine, Answer: spoor.AnswerNoHost, Recipients: 100, Messages: 9, Line: answerLine()},
		},
	}
}

func sampleShape() *Shape {
	s := &Shape{Head: logHead(), By: "recipient", Complete: true}
	for i, domain := range []string{"gmail.com", hostileLine, ""} {
		row := ShapeRow{Domain: domain}
		row.Add(time.Duration(i)*time.Hour, 10*(i+1))
		row.Add(48*time.Hour, 1)
		s.Rows = append(s.Rows, row)
	}
	return s
}

func sampleLogCheck() *LogCheck { return &LogCheck{Head: logHead(), Coverage: sampleCoverage()} }
