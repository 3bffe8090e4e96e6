package verdict

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"spoor"
)

func TestJudge(t *testing.T) {
	network := func(name string, messages, perMessage int) spoor.Traffic {
		one := from(source(spoor.KindNetwork, name, messages, perMessage), name)
		one.Submitted = messages
		return one
	}
	webServer := func(sender string, messages, perMessage int) spoor.Traffic {
		one := ownedBy(sender, source(spoor.KindUser, "apache", messages, perMessage))
		one.WebServer, one.UID, one.Login = messages, 48, "apache"
		return one
	}
	listed := func(one spoor.Traffic) spoor.Traffic { one.Bulk = one.Messages; return one }
	bounces := func(messages int) spoor.Traffic {
		one := source(spoor.KindBounce, "mail.host.example", messages, 1)
		one.NullSender = messages
		one.Cause, one.CauseCount = spoor.Source{Kind: spoor.KindNetwork, Name: "192.0.2.99"}, messages-2
		return one
	}
	inbound := func(one spoor.Traffic) spoor.Traffic { one.Outbound = 0; return forgedBy(one) }
	account := func(messages, perMessage int, clients ...string) spoor.Traffic {
		one := source(spoor.KindAccount, "info@site1.example", messages, perMessage)
		return from(ownedBy("info@site1.example", one), clients...)
	}
	site := func(messages, perMessage int) spoor.Traffic {
		return source(spoor.KindSite, "site1.example", messages, perMessage)
	}
	stolen := []string{"198.51.100.23", "198.51.100.24", "198.51.100.25"}

	for _, c := range []struct {
		name                 string
		traffic              spoor.Traffic
		write                writer
		messages, recipients int // of the queue
		least, most          spoor.Class
	}{
		{"a newsletter of a known account without list headers is at most suspect", account(70, 150, "192.0.2.10"), letter(1), 117, 11000, spoor.Normal, spoor.Suspect},
		{"a newsletter of a known account without list headers that also bounces is at most suspect", bounced(account(70, 150, "192.0.2.10")), same(soup(1)(0)), 117, 11000, spoor.Normal, spoor.Suspect},
		{"a newsletter of a known account with list headers is normal", listed(account(70, 150, "192.0.2.10")), letter(1), 117, 11000, spoor.Normal, spoor.Normal},
		{"a newsletter of a known site with list headers is normal", listed(ownedBy("news@site1.example", site(70, 150))), same("our news " + soup(1)(0)), 117, 11000, spoor.Normal, spoor.Normal},
		{"a newsletter of a known site without list headers is at most suspect", ownedBy("news@site1.example", site(70, 150)), letter(1), 117, 11000, spoor.Normal, spoor.Suspect},
		{"a stolen account with its own sender from three clients is suspect", account(14, 8, stolen...), soup(2), 117, 800, spoor.Suspect, spoor.Suspect},
		{"a stolen account that dominates the queue is spam whatever it writes", account(70, 8, stolen...), soup(2), 117, 800, spoor.Spam, spoor.Spam},
		{"a stolen account that sends one letter from everywhere is spam", account(30, 8, "192.0.2.1", "198.51.100.2", "203.0.113.3", "2001:db8::1", "2001:db8:1::1"), letter(2), 117, 800, spoor.Spam, spoor.Spam},
		{"a person with an office, a home and a telephone is normal", account(30, 1, "192.0.2.1", "198.51.100.2", "203.0.113.3"), soup(2), 117, 800, spoor.Normal, spoor.Normal},
		{"a hacked site with dozens of forged senders is spam", forgedBy(site(34, 12)), soup(3), 117, 800, spoor.Spam, spoor.Spam},
		{"a hacked site with dozens of forged senders is spam in a large queue too", forgedBy(site(34, 12)), soup(3), 20000, 30000, spoor.Spam, spoor.Spam},
		{"a hacked site that adds list headers to forged mail is spam", listed(forgedBy(site(34, 12))), soup(3), 117, 800, spoor.Spam, spoor.Spam},
		{"a contact form with visitors' addresses to its owner is normal", local(forgedBy(site(12, 1))), soup(3), 117, 800, spoor.Normal, spoor.Normal},
		{"a script under the web server's UID is suspect", webServer("apache@mail.host.example", 18, 4), soup(4), 117, 800, spoor.Suspect, spoor.Suspect},
		{"a script under the web server's UID with few recipients is suspect", webServer("apache@mail.host.example", 18, 3), soup(4), 117, 800, spoor.Suspect, spoor.Suspect},
		{"a script under the web server's UID with near-identical content is spam", webServer("apache@mail.host.example", 18, 4), letter(4), 117, 800, spoor.Spam, spoor.Spam},
		{"a script under the web server's UID with a large share is spam", webServer("apache@mail.host.example", 60, 4), soup(4), 117, 500, spoor.Spam, spoor.Spam},
		{"a contact form under the web server's UID is normal", webServer("noreply@shop.example", 4, 1), letter(4), 117, 800, spoor.Normal, spoor.Normal},
		{"an unauthenticated relay with forged senders is spam", forgedBy(network("203.0.113.45", 10, 5)), soup(5), 117, 800, spoor.Spam, spoor.Spam},
		{"an unauthenticated relay with forged senders is spam from eight messages to one recipient each", forgedBy(network("203.0.113.45", 8, 1)), soup(5), 1000, 5000, spoor.Spam, spoor.Spam},
		{"an unauthenticated relay with a few messages under one sender is normal", ownedBy("accounts@corpmx.example", network("203.0.113.77", 3, 1)), soup(5), 117, 800, spoor.Normal, spoor.Normal},
		{"a relayed device with one foreign sender is not spam", foreign("nas@corp.example", network("203.0.113.77", 60, 1)), letter(5), 117, 800, spoor.Normal, spoor.Suspect},
		{"inbound mail from anyone is normal", inbound(network("203.0.113.46", 60, 9)), letter(6), 117, 800, spoor.Normal, spoor.Normal},
		{"many bounces are suspect", bounces(40), letter(7), 117, 800, spoor.Suspect, spoor.Suspect},
		{"hundreds of bounces in a large queue are suspect", bounces(600), letter(7), 200000, 800000, spoor.Suspect, spoor.Suspect},
		{"a few bounces are normal", bounces(4), letter(7), 117, 800, spoor.Normal, spoor.Normal},
		{"the bounces of a large queue are normal", bounces(40), letter(7), 27645, 310022, spoor.Normal, spoor.Normal},
		{"a shop's order confirmations are normal at half the queue", ownedBy("orders@site1.example", site(60, 1)), letter(8), 117, 800, spoor.Normal, spoor.Normal},
		{"three messages of one user are not spam though they are all of the queue", source(spoor.KindUser, "anna", 3, 20), same(soup(9)(0)), 3, 60, spoor.Normal, spoor.Normal},
		{"an unknown source is at most suspect", forgedBy(source(spoor.KindUnknown, "", 90, 20)), letter(10), 117, 2000, spoor.Suspect, spoor.Suspect},
		{"a mailing list is normal", listed(ownedBy("talk-owner@site1.example", source(spoor.KindList, "talk@site1.example", 60, 90))), soup(11), 117, 6000, spoor.Normal, spoor.Normal},
		{"cron mail to root is normal", ownedBy("root@mail.host.example", source(spoor.KindUser, "root", 80, 1)), letter(12), 117, 200, spoor.Normal, spoor.Normal},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(c.messages, c.recipients)
			s.add(c.traffic, c.write)
			got := s.judge(t)
			if got.Class < c.least || got.Class > c.most {
				t.Errorf("%s is %s, want %s to %s\n%s", got.Source, got.Class, c.least, c.most, lines(got))
			}
			checkVerdict(t, got)
		})
	}
}

func bounced(one spoor.Traffic) spoor.Traffic { one.Bouncing = one.Messages; return one }

func local(one spoor.Traffic) spoor.Traffic { one.Outbound = 0; return one }

func foreign(sender string, one spoor.Traffic) spoor.Traffic {
	one = ownedBy(sender, one)
	one.OwnSender, one.ForeignSender = 0, one.Messages
	return one
}

// checkVerdict checks what holds for every verdict.
func checkVerdict(t rapid.TB, v spoor.Verdict) {
	t.Helper()
	sum := 0.0
	for _, reason := range v.Reasons {
		sum += reason.Weight
		if reason.Count <= 0 || reason.Text == "" {
			t.Errorf("%s: count %d, text %q", reason.Symbol, reason.Count, reason.Text)
		}
		if reason.Check == "" && len(reason.Evidence) == 0 && v.Source.Name != "" && plain(v.Source.Name) {
			t.Errorf("%s can be recounted by nothing", reason.Symbol)
		}
		if !strings.Contains(reason.Text, thousands(reason.Count)) && reason.Count != 1 {
			t.Errorf("%s: %q does not say %d", reason.Symbol, reason.Text, reason.Count)
		}
	}
	if math.Abs(sum-v.Score) > 1e-9 {
		t.Errorf("score %v, the weights add up to %v", v.Score, sum)
	}
	if v.Confidence <= 0 || v.Confidence >= 1 {
		t.Errorf("confidence %v", v.Confidence)
	}
	if v.Class == spoor.Spam && families(v.Reasons) < 2 {
		t.Errorf("spam by one family:\n%s", lines(v))
	}
}

// lines shows a verdict in a failed test.
func lines(v spoor.Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %.2f score %.2f\n", v.Source, v.Class, v.Confidence, v.Score)
	for _, r := range v.Reasons {
		fmt.Fprintf(&b, "  %+.2f %-22s %d: %s [%s] %d quotes\n", r.Weight, r.Symbol, r.Count, r.Text, r.Check, len(r.Evidence))
	}
	return b.String()
}

// reasonOf returns the reason with a symbol.
func reasonOf(t *testing.T, v spoor.Verdict, symbol string) spoor.Reason {
	t.Helper()
	i := slices.IndexFunc(v.Reasons, func(r spoor.Reason) bool { return r.Symbol == symbol })
	if i < 0 {
		t.Fatalf("no %s in\n%s", symbol, lines(v))
	}
	return v.Reasons[i]
}

func TestOneFamilyIsNotSpam(t *testing.T) {
	reasons := []spoor.Reason{
		{Family: spoor.FamilySender, Weight: 4},
		{Family: spoor.FamilySender, Weight: 2},
		{Family: spoor.FamilyVolume, Weight: clearWeight - 0.01},
		{Family: spoor.FamilyContent, Weight: -0.5},
	}
	if got := families(reasons); got != 1 {
		t.Errorf("families = %d, want 1", got)
	}
	site := source(spoor.KindSite, "site1.example", 10, 1)
	if got := classify(&site, 100, 1); got != spoor.Suspect {
		t.Errorf("class by one family = %s, want suspect", got)
	}
	if got := classify(&site, SpamScore, 2); got != spoor.Spam {
		t.Errorf("class by two families = %s, want spam", got)
	}
	for _, kind := range []spoor.Kind{spoor.KindBounce, spoor.KindUnknown} {
		one := source(kind, "site1.example", 10, 1)
		if got := classify(&one, 100, 5); got != spoor.Suspect {
			t.Errorf("class of %s = %s, want suspect", kind, got)
		}
	}
}

func TestADoubtfulSourceIsNotSpam(t *testing.T) {
	f := func(confidence float64, want spoor.Class) {
		t.Helper()
		s := newStage(117, 800)
		one := forgedBy(source(spoor.KindSite, "site1.example", 34, 12))
		one.Confidence = confidence
		s.add(one, soup(3))
		got := s.judge(t)
		if got.Class != want {
			t.Errorf("%v sure of the source: %s, want %s", confidence, got.Class, want)
		}
		checkVerdict(t, got)
	}
	f(1, spoor.Spam)
	f(0.7, spoor.Spam)
	f(0.69, spoor.Suspect)
	f(0, spoor.Suspect)
}

func TestConfidenceFollowsTheScore(t *testing.T) {
	f := func(class spoor.Class, score, want float64) {
		t.Helper()
		if got := confidence(class, score); got != want {
			t.Errorf("confidence(%s, %v) = %v, want %v", class, score, got, want)
		}
	}
	f(spoor.Normal, -20, 0.01)
	f(spoor.Normal, 0, 0.10)
	f(spoor.Suspect, SuspectScore, 0.50)
	f(spoor.Spam, SpamScore, 0.90)
	f(spoor.Spam, 7, 0.98)
	f(spoor.Spam, 40, 0.99)
	f(spoor.Suspect, 40, 0.90) // held back from spam
}

func TestVerdictsAreWorstFirst(t *testing.T) {
	s := newStage(200, 2000)
	s.add(ownedBy("b@b.example", source(spoor.KindAccount, "b@b.example", 1, 1)), soup(1))
	s.add(ownedBy("a@a.example", source(spoor.KindAccount, "a@a.example", 1, 1)), soup(2))
	s.add(ownedBy("c@c.example", source(spoor.KindAccount, "c@c.example", 2, 1)), soup(3))
	s.add(forgedBy(source(spoor.KindUnknown, "", 60, 10)), soup(4))
	s.add(forgedBy(source(spoor.KindSite, "site1.example", 34, 12)), soup(5))
	got, err := Judge(t.Context(), s.queue)
	if err != nil {
		t.Fatal(err)
	}
	order := make([]string, 0, len(got.Verdicts))
	for _, v := range got.Verdicts {
		order = append(order, v.Source.String())
	}
	want := []string{"site:site1.example", "unknown", "account:c@c.example", "account:a@a.example", "account:b@b.example"}
	if !slices.Equal(order, want) {
		t.Errorf("order\n got %v\nwant %v", order, want)
	}
}

func TestJudgeStopsWithItsContext(t *testing.T) {
	s := newStage(10, 10)
	s.add(source(spoor.KindSite, "site1.example", 10, 1), soup(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Judge(ctx, s.queue); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want %v", err, context.Canceled)
	}
}

func TestJudgeOfAnEmptyQueue(t *testing.T) {
	got, err := Judge(t.Context(), Queue{})
	if err != nil || len(got.Verdicts) != 0 || len(got.Campaigns) != 0 {
		t.Errorf("Judge = %+v, %v", got, err)
	}
}
