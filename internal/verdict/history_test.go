package verdict

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"spoor"
)

// monday is where the logs of the tests begin.
var monday = time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)

// gone is the traffic of a source whose mail has all left: only the log knows it.
// All recipients got theirs, in 48 hours of equal volume, one in two.
func gone(t spoor.Traffic) spoor.Traffic {
	h := &spoor.History{
		Accepted: t.Messages, Recipients: t.Recipients, Remote: t.Outbound, Delivered: t.Recipients,
		NullSender: t.NullSender, OwnSender: t.OwnSender, ForeignSender: t.ForeignSender,
		Senders: t.Senders, Clients: t.Clients, Networks: len(networksOf(t.Clients)), WebServer: t.WebServer > 0,
		Evidence: []spoor.Evidence{{What: "log-accepted", File: "/var/log/maillog", Line: 17, Text: "info msg 967077: bytes 2168"}},
	}
	if t.Source.Kind == spoor.KindAccount {
		h.Logins = t.Messages
	}
	messages, recipients := evenly(t.Messages, 48), evenly(t.Recipients, 48)
	for i := range messages {
		h.Hours = append(h.Hours, spoor.HourTally{Start: monday.Add(time.Duration(2*i) * time.Hour), Messages: messages[i], Recipients: recipients[i]})
	}
	h.First, h.Last = h.Hours[0].Start, h.Hours[len(h.Hours)-1].Start.Add(time.Hour)
	return spoor.Traffic{
		Source: t.Source, UID: t.UID, Login: t.Login, Confidence: t.Confidence,
		Cause: t.Cause, CauseCount: t.CauseCount, History: h,
	}
}

// failed turns n deliveries into failures.
func failed(n int, why spoor.Answer, t spoor.Traffic) spoor.Traffic {
	t.History.Delivered -= n
	t.History.Failed += n
	t.History.FailedBy[why] += n
	if why == spoor.AnswerSpam {
		t.History.Receivers = append(t.History.Receivers, spoor.ReceiverTally{
			Receiver: "google", Answer: why, Count: n,
			Example: spoor.Evidence{What: "log-answer", File: "/var/log/maillog", Line: 99, Text: "failure: 550 spam"},
		})
	}
	return t
}

// putOff turns n deliveries into recipients that still wait, after five attempts.
func putOff(n int, why spoor.Answer, t spoor.Traffic) spoor.Traffic {
	t.History.Delivered -= n
	t.History.Waiting += n
	t.History.Deferrals += 5 * n
	t.History.DeferredBy[why] += 5 * n
	return t
}

// sudden puts all the mail into three hours on the fourth day, after 24 hours
// with as little as one recipient in 50.
func sudden(t spoor.Traffic) spoor.Traffic {
	h := t.History
	peak := h.Recipients / 3
	h.Hours = nil
	for i := range 24 {
		start := monday.Add(time.Duration(3*i) * time.Hour)
		h.Hours = append(h.Hours, spoor.HourTally{Start: start, Messages: 1, Recipients: max(peak/50, 1)})
	}
	for i := range 3 {
		start := monday.Add(time.Duration(80+i) * time.Hour)
		h.Hours = append(h.Hours, spoor.HourTally{Start: start, Messages: h.Accepted / 3, Recipients: peak})
	}
	return t
}

// mixed gives all mail foreign senders: nearly all one, and a few of others.
func mixed(t spoor.Traffic) spoor.Traffic {
	t.History.OwnSender, t.History.ForeignSender = 0, t.History.Accepted
	t.History.Senders = spoor.Ranking{Distinct: 9, Top: []spoor.Tally{{Value: "anna@elsewhere.example", Count: t.History.Accepted - 8}}}
	for i := range 8 {
		t.History.Senders.Top = append(t.History.Senders.Top, spoor.Tally{Value: fmt.Sprintf("user%d@corp%d.example", i, i), Count: 1})
	}
	return t
}

// addresses are clients in as many networks.
func addresses(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("2001:db8:0:%x::1", i)
	}
	return list
}

// serve adds ordinary accounts to the stage, and sums its log up. change is what
// happens to all mail of the server.
func (s *stage) serve(accounts int, change func(spoor.Traffic) spoor.Traffic) {
	for i := range accounts {
		address := fmt.Sprintf("user%d@corp.example", i)
		one := ownedBy(address, source(spoor.KindAccount, address, 120, 1))
		one = change(gone(from(one, fmt.Sprintf("192.0.2.%d", i+1))))
		s.queue.Traffic = append(s.queue.Traffic, failed(2, spoor.AnswerUserUnknown, one))
	}
	for i := range s.queue.Traffic {
		add(&s.queue.Rates, ratesOf(s.queue.Traffic[i].History))
	}
}

func add(sum *spoor.Rates, r spoor.Rates) {
	sum.Accepted += r.Accepted
	sum.Recipients += r.Recipients
	sum.Delivered += r.Delivered
	sum.Failed += r.Failed
	sum.Deferrals += r.Deferrals
	for a := range spoor.NumAnswers {
		sum.FailedBy[a] += r.FailedBy[a]
		sum.DeferredBy[a] += r.DeferredBy[a]
	}
}

func unchanged(t spoor.Traffic) spoor.Traffic { return t }

// listedBy is a server on blocklists: six in ten recipients are refused or wait
// because of it.
func listedBy(t spoor.Traffic) spoor.Traffic {
	n := t.History.Recipients
	return putOff(n*3/10, spoor.AnswerRate, failed(n*3/10, spoor.AnswerBlocked, t))
}

func TestJudgeByLog(t *testing.T) {
	account := func(messages, perMessage, clients int) spoor.Traffic {
		one := ownedBy("info@site1.example", source(spoor.KindAccount, "info@site1.example", messages, perMessage))
		return gone(from(one, addresses(clients)...))
	}
	site := func(messages, perMessage int) spoor.Traffic {
		return gone(ownedBy("wordpress@site1.example", source(spoor.KindSite, "site1.example", messages, perMessage)))
	}
	network := func(outbound int) spoor.Traffic {
		one := forgedBy(from(source(spoor.KindNetwork, "203.0.113.46", 400, 1), "203.0.113.46"))
		one.Outbound = outbound
		return gone(one)
	}
	queued := func(n int, listed bool, t spoor.Traffic) spoor.Traffic {
		t.Messages, t.Recipients, t.Outbound = n, n*t.History.Recipients/t.History.Accepted, n
		t.OwnSender, t.Senders, t.Clients = n, t.History.Senders, t.History.Clients
		if listed {
			t.Bulk = n
		}
		return t
	}
	unsure := func(confidence float64, t spoor.Traffic) spoor.Traffic {
		t.Confidence, t.History.Inferred = confidence, t.History.Accepted
		return t
	}
	attacked := spoor.Traffic{Source: spoor.Source{Kind: spoor.KindAccount, Name: "info@site1.example"}, UID: -1, Confidence: 1, History: &spoor.History{FailedLogins: 20000}}
	forward := func() spoor.Traffic {
		return failed(300, spoor.AnswerSpam, gone(source(spoor.KindForward, "info@site1.example", 1200, 1)))
	}
	bounces := func(n int) spoor.Traffic {
		one := source(spoor.KindBounce, "mail.host.example", n, 1)
		one.NullSender, one.Cause, one.CauseCount = n, spoor.Source{Kind: spoor.KindNetwork, Name: "203.0.113.46"}, n-2
		return gone(one)
	}

	for _, c := range []struct {
		name        string
		traffic     spoor.Traffic
		others      func(spoor.Traffic) spoor.Traffic
		least, most spoor.Class
	}{
		{"a hijacked account whose mail has all left is spam", failed(2500, spoor.AnswerUserUnknown, sudden(account(1500, 8, 40))), unchanged, spoor.Spam, spoor.Spam},
		{"a hijacked account with a good list is spam", account(1500, 8, 40), unchanged, spoor.Spam, spoor.Spam},
		{"a hijacked account on a server that is on blocklists is spam", listedBy(account(1500, 8, 40)), listedBy, spoor.Spam, spoor.Spam},
		{"a hijacked account that is only likely to be the source is suspect", unsure(0.6, account(1500, 8, 40)), unchanged, spoor.Suspect, spoor.Suspect},
		{"a hijacked account that is inferred with confidence is spam", unsure(0.7, account(1500, 8, 40)), unchanged, spoor.Spam, spoor.Spam},
		{"a newsletter of a known account with hardly a failure is normal", failed(15, spoor.AnswerUserUnknown, account(10, 150, 1)), unchanged, spoor.Normal, spoor.Normal},
		{"a newsletter that is new is normal", failed(15, spoor.AnswerUserUnknown, sudden(account(10, 150, 1))), unchanged, spoor.Normal, spoor.Normal},
		{"a newsletter with list headers is normal", queued(4, true, failed(15, spoor.AnswerUserUnknown, sudden(account(10, 150, 1)))), unchanged, spoor.Normal, spoor.Normal},
		{"a newsletter with list headers and an old list is not spam", queued(4, true, failed(200, spoor.AnswerUserUnknown, sudden(account(10, 150, 1)))), unchanged, spoor.Normal, spoor.Suspect},
		{"a newsletter on a server that is on blocklists is not spam", listedBy(account(10, 150, 1)), listedBy, spoor.Normal, spoor.Normal},
		{"a newsletter on a server that everybody refuses is not spam", failed(1500, spoor.AnswerBlocked, account(10, 150, 1)), listedBy, spoor.Normal, spoor.Suspect},
		{"one message to three dead addresses is a bad day", failed(3, spoor.AnswerUserUnknown, account(20, 1, 1)), unchanged, spoor.Normal, spoor.Normal},
		{"a contact form that writes steadily is normal", site(500, 1), unchanged, spoor.Normal, spoor.Normal},
		{"a site with 50 times its volume and dead addresses is spam", failed(500, spoor.AnswerUserUnknown, sudden(site(2000, 1))), unchanged, spoor.Spam, spoor.Spam},
		{"a site with 50 times its volume that arrives is normal", sudden(site(2000, 1)), unchanged, spoor.Normal, spoor.Normal},
		{"a site whose mail receivers call spam all of a sudden is spam", failed(200, spoor.AnswerSpam, sudden(site(2000, 1))), unchanged, spoor.Spam, spoor.Spam},
		{"a network that delivers incoming mail is normal", failed(200, spoor.AnswerUserUnknown, network(0)), unchanged, spoor.Normal, spoor.Normal},
		{"a network that relays under made-up senders is spam", network(400), unchanged, spoor.Spam, spoor.Spam},
		{"an account that passwords are tried on is normal", attacked, unchanged, spoor.Normal, spoor.Normal},
		{"a forwarder whose spam is refused is at most suspect", forward(), unchanged, spoor.Normal, spoor.Suspect},
		{"a forwarder whose spam is refused all of a sudden is at most suspect", sudden(failed(300, spoor.AnswerUserUnknown, forward())), unchanged, spoor.Suspect, spoor.Suspect},
		{"many bounces are suspect", bounces(900), unchanged, spoor.Suspect, spoor.Suspect},
		{"a few bounces are normal", bounces(9), unchanged, spoor.Normal, spoor.Normal},
		{"a stolen account from three clients of which all mail is new and unwanted is spam", failed(300, spoor.AnswerUserUnknown, sudden(account(300, 8, 3))), unchanged, spoor.Spam, spoor.Spam},
		{"a customer who writes from elsewhere, among whose mail is some of others, is normal", mixed(account(900, 1, 3)), unchanged, spoor.Normal, spoor.Normal},
		{"a telephone in many networks over days is normal", account(60, 1, 6), unchanged, spoor.Normal, spoor.Normal},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(100, 300)
			s.queue.Traffic = append(s.queue.Traffic, c.traffic)
			s.serve(20, c.others)
			got := s.judge(t)
			if got.Class < c.least || got.Class > c.most {
				t.Errorf("%s is %s, want %s to %s\n%s", got.Source, got.Class, c.least, c.most, lines(got))
			}
			checkVerdict(t, got)
		})
	}
}

func TestOrdinarySourcesStayNormalBesideASpammer(t *testing.T) {
	s := newStage(100, 300)
	s.queue.Traffic = append(s.queue.Traffic, failed(9000, spoor.AnswerUserUnknown, gone(source(spoor.KindSite, "site1.example", 30000, 1))))
	s.serve(20, listedBy)
	got, err := Judge(t.Context(), s.queue)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range got.Verdicts {
		if v.Source.Kind == spoor.KindAccount && v.Class != spoor.Normal {
			t.Error(lines(v))
		}
	}
}

func TestSpammersDoNotHideEachOther(t *testing.T) {
	s := newStage(100, 300)
	for i := range 4 {
		one := gone(source(spoor.KindSite, fmt.Sprintf("site%d.example", i), 2000, 1))
		s.queue.Traffic = append(s.queue.Traffic, failed(500, spoor.AnswerUserUnknown, one))
	}
	s.serve(20, unchanged)
	got := reasonOf(t, s.judge(t), "USER_UNKNOWN")
	if got.Weight != 2.5 || !strings.HasSuffix(got.Text, "the median of 24 sources is 2%") {
		t.Errorf("%v %q", got.Weight, got.Text)
	}
}

func TestReasonsOfTheLogSayWhatWasCounted(t *testing.T) {
	f := func(symbol string, one spoor.Traffic, weight float64, count int, text string) {
		t.Helper()
		rates := ratesOf(one.History)
		add(&rates, spoor.Rates{Accepted: 2000, Recipients: 2000, Delivered: 1980, Failed: 20, FailedBy: [spoor.NumAnswers]int{spoor.AnswerUserUnknown: 20}})
		got := reasonOf(t, judge(&facts{t: &one, rates: rates, norms: norms{since: monday, until: monday.Add(96 * time.Hour)}}), symbol)
		if got.Weight != weight || got.Count != count || got.Text != text {
			t.Errorf("%s weighs %v, counts %d and says %q\nwant %v, %d, %q", symbol, got.Weight, got.Count, got.Text, weight, count, text)
		}
		if got.Check != "" || len(got.Evidence) == 0 {
			t.Errorf("%s: check %q, evidence %v", symbol, got.Check, got.Evidence)
		}
	}
	site := func() spoor.Traffic { return gone(source(spoor.KindSite, "site1.example", 1000, 2)) }
	f("QUEUE_SHARE", site(), 2, 1000, "1,000 of 3,000 messages in the log (33%) and 2,000 of 4,000 recipients (50%)")
	f("MANY_RECIPIENTS", site(), 0.13, 2000, "2,000 recipients in 1,000 messages: 2.0 a message, in the log")
	f("USER_UNKNOWN", failed(400, spoor.AnswerUserUnknown, site()), 2.5, 400, "400 of 2,000 decided recipients (20%) do not exist; of the rest of the server's mail, 1%")
	f("CALLED_SPAM", failed(400, spoor.AnswerSpam, site()), 3, 400, "400 of 2,000 answers (20%) call the mail spam (recipients at google 400); of the rest of the server's mail, 0%")
	f("CALLED_SPAM", listedBy(failed(40, spoor.AnswerSpam, site())), 3, 40, "40 of 800 answers (5%) call the mail spam (recipients at google 40); of the rest of the server's mail, 0%")
	f("CALLED_SPAM", putOff(40, spoor.AnswerSpam, site()), 3, 200, "200 of 2,160 answers (9%) call the mail spam; of the rest of the server's mail, 0%")
	f("FAILING", failed(500, spoor.AnswerPolicy, site()), 1, 500, "500 of 2,000 decided recipients (25%) failed for other reasons; of the rest of the server's mail, 0%")
	f("DELIVERED_WELL", failed(20, spoor.AnswerUserUnknown, site()), -3, 1980, "1,980 of 2,000 decided recipients (99%) got the mail")
	f("DELIVERED_WELL", failed(900, spoor.AnswerBlocked, site()), -3, 1100, "all 1,100 decided recipients got the mail")
	f("RATE_JUMP", sudden(site()), 2.5, 666, "666 recipients in the hour from 2026-11-19 08:00 UTC; in the busiest of the 24 hours with mail before, 13")
	f("STEADY", site(), -0.98, 42, "at most 42 recipients in one of 36 hours with mail after its first day, and 41 on that day")

	late := site()
	late.History.First = monday.Add(48 * time.Hour)
	late.History.Hours = []spoor.HourTally{{Start: late.History.First, Messages: 100, Recipients: 300}}
	f("NEW_SENDER", late, 1, 300, "300 recipients in the hour from 2026-11-18 00:00 UTC; no mail from it in the first 48 hours of the log")

	account := gone(from(source(spoor.KindAccount, "info@site1.example", 400, 2), addresses(40)...))
	f("MANY_CLIENTS", account, 4, 40, "one account, used from 40 client addresses in 40 networks (/24 or /64), in the log")
	bounces := gone(source(spoor.KindBounce, "mail.host.example", 1000, 1))
	f("BACKSCATTER", bounces, 3.5, 1000, "1,000 of 3,000 messages in the log (33%) are bounces made here, for senders who may never have written (backscatter); what caused them is not known")
}

func TestOneObservationIsOneSymbol(t *testing.T) {
	one := failed(500, spoor.AnswerUserUnknown, gone(source(spoor.KindSite, "site1.example", 2000, 1)))
	one.Messages, one.Recipients, one.Bouncing = 1500, 1500, 400
	for _, r := range judge(&facts{t: &one, rates: ratesOf(one.History)}).Reasons {
		if r.Symbol == "BOUNCING" {
			t.Errorf("failures count twice: %s", r.Text)
		}
	}
	one.History.Failed = 0 // the log begins later
	reasonOf(t, judge(&facts{t: &one}), "BOUNCING")
}

func TestAListThatTheQueueShowsHardlyAnythingOf(t *testing.T) {
	one := gone(forgedBy(source(spoor.KindSite, "site1.example", 2000, 1)))
	one.Messages, one.Recipients, one.Bulk = 5, 5, 5
	for _, r := range judge(&facts{t: &one}).Reasons {
		if r.Symbol == "LIST_IDENTITY" {
			t.Errorf("a header in the queue excuses forged senders in the log: %+v", r)
		}
	}
	honest := gone(source(spoor.KindSite, "site1.example", 2000, 1))
	honest.Messages, honest.Recipients, honest.Bulk = 1, 1, 1
	if r := reasonOf(t, judge(&facts{t: &honest}), "LIST_IDENTITY"); r.Weight != -0.7 {
		t.Errorf("one message of many: %v", r.Weight)
	}
}

func TestQuietSourcesCostNothing(t *testing.T) {
	client := func(i, messages int) spoor.Traffic {
		return gone(source(spoor.KindNetwork, fmt.Sprintf("2001:db8::%x", i), messages, 1))
	}
	allocations := func(sources int) float64 {
		var q Queue
		for i := range sources {
			q.Traffic = append(q.Traffic, client(i, 2))
		}
		return testing.AllocsPerRun(5, func() {
			if _, err := Judge(t.Context(), q); err != nil {
				t.Error(err)
			}
		})
	}
	if few, many := allocations(10), allocations(1010); many-few > 100 {
		t.Errorf("%v allocations for 1,000 more", many-few)
	}
	for messages, notable := range map[int]bool{2: false, 3: true} {
		got, err := Judge(t.Context(), Queue{Traffic: []spoor.Traffic{client(1, messages)}})
		if err != nil || len(got.Verdicts) != 1 {
			t.Fatal(got, err)
		}
		v := got.Verdicts[0]
		if (len(v.Reasons) > 0) != notable || v.Class != spoor.Normal || !notable && v.Confidence != 0.10 {
			t.Errorf("%d messages: %s", messages, lines(v))
		}
	}
}

func TestAFewOthersSayLittle(t *testing.T) {
	one := failed(500, spoor.AnswerUserUnknown, gone(source(spoor.KindSite, "site1.example", 2000, 1)))
	rates := ratesOf(one.History)
	add(&rates, spoor.Rates{Failed: 5, FailedBy: [spoor.NumAnswers]int{spoor.AnswerUserUnknown: 5}})
	if r := reasonOf(t, judge(&facts{t: &one, rates: rates}), "USER_UNKNOWN"); r.Weight != 2.5 {
		t.Errorf("beside five recipients of others: %v", r.Weight)
	}
}
