package verdict

import (
	"slices"
	"testing"

	"spoor"
)

func TestReasonsSayWhatWasCounted(t *testing.T) {
	f := func(symbol string, one spoor.Traffic, weight float64, count int, text string) {
		t.Helper()
		total := spoor.QueueCount{Messages: 117, Recipients: 801}
		got := reasonOf(t, judge(&facts{t: &one, total: total}), symbol)
		if got.Weight != weight || got.Count != count || got.Text != text {
			t.Errorf("%s weighs %v, counts %d and says %q\nwant %v, %d, %q",
				symbol, got.Weight, got.Count, got.Text, weight, count, text)
		}
	}
	site := source(spoor.KindSite, "site1.example", 34, 12)
	f("QUEUE_SHARE", site, 2, 34, "34 of 117 messages in the queue (29%) and 408 of 801 recipients (51%)")
	f("MANY_RECIPIENTS", site, 2, 408, "408 recipients in 34 messages: 12.0 a message")
	f("FOREIGN_SENDERS", forgedBy(site), 4, 34, "all 34 messages have a sender whose domain is not served here; 34 different senders in all")

	partly := site
	partly.NullSender, partly.Forged, partly.Bouncing, partly.Bulk, partly.LargestCopy = 27, 9, 17, 31, 28
	f("NULL_SENDER", partly, 1.98, 27, "27 of 34 messages (79%) have the null sender, as only bounces and notifications should")
	f("FORGED_TRACE", partly, 3, 9, "9 of 34 messages (26%) carry header fields that contradict where they came from")
	f("BOUNCING", partly, 1, 17, "17 of 34 messages (50%) have recipients that failed for good")
	f("LIST_IDENTITY", partly, -3.5, 31, "31 of 34 messages (91%) name the list that they belong to")
	f("NEAR_IDENTICAL", partly, 2, 28, "28 of 34 messages (82%) have the very same body")
	f("OWN_SENDER", ownedBy("news@site1.example", site), -2.5, 34, "all 34 messages have a sender that belongs to this source")
	f("FEW_RECIPIENTS", source(spoor.KindSite, "site2.example", 1204, 1), -1, 1204, "1,204 recipients in 1,204 messages: 1.0 a message")

	account := from(source(spoor.KindAccount, "info@site1.example", 30, 8), "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2")
	f("MANY_CLIENTS", account, 2, 4, "one account, used from 4 client addresses in 2 networks (/24 or /64)")
	account.Clients.Distinct = 9
	f("MANY_CLIENTS", account, 2, 9, "one account, used from 9 client addresses in at least 2 networks (/24 or /64)")

	relay := source(spoor.KindNetwork, "203.0.113.45", 10, 5)
	relay.Submitted, relay.Outbound = 10, 9
	f("UNAUTHENTICATED_RELAY", relay, 1.22, 9, "9 of 10 messages (90%) are for recipients elsewhere and came in over SMTP without authentication")
	f("INBOUND_MAIL", relay, -0.3, 1, "1 of 10 messages (10%) are for recipients on this server only: mail coming in")

	apache := source(spoor.KindUser, "apache", 18, 4)
	apache.WebServer = 18
	f("WEB_SERVER_SCRIPT", apache, 3.5, 18, "all 18 messages were queued by a script that runs under the web server's UID")

	bounce := source(spoor.KindBounce, "mail.host.example", 12, 1)
	const bounces = "12 of 117 messages in the queue (10%) are bounces made here, for senders who may never have written (backscatter); "
	f("BACKSCATTER", bounce, 3.5, 12, bounces+"what caused them is not known")
	bounce.Cause, bounce.CauseCount = spoor.Source{Kind: spoor.KindNetwork, Name: "192.0.2.99"}, 10
	f("BACKSCATTER", bounce, 3.5, 12, bounces+"mail from network:192.0.2.99 caused 10 of them")
	bounce.Cause.Name = "192.0.2.99; reboot"
	f("BACKSCATTER", bounce, 3.5, 12, bounces+"mail from one network caused 10 of them")
	bounce.Outbound = 4 // the others tell users here of their own mail that failed
	f("BACKSCATTER", bounce, 0.39, 4, "4 of 117 messages in the queue (3%) are bounces made here, for senders who may never have written (backscatter); mail from one network caused 10 of them")
}

func TestForgedTracesQuoteForgeries(t *testing.T) {
	s := newStage(100, 100)
	one := source(spoor.KindSite, "site1.example", 20, 1)
	one.Forged = 9
	one.Forgeries = []spoor.Evidence{{What: "forged", ID: "17", File: "/var/qmail/queue/mess/17/17", Line: 4, Text: "Received: x"}}
	one.Conflicts = []spoor.Evidence{{What: "group", ID: "18"}}
	s.add(one, soup(1))
	if got := reasonOf(t, s.judge(t), "FORGED_TRACE"); !slices.Equal(got.Evidence, one.Forgeries) {
		t.Errorf("evidence %v, want %v", got.Evidence, one.Forgeries)
	}
	s.queue.Traffic[0].Forgeries = nil
	if got := reasonOf(t, s.judge(t), "FORGED_TRACE"); len(got.Evidence) > 0 {
		t.Errorf("quotes messages that may be clean: %v", got.Evidence)
	}
}

func TestTheNullSenderIsQuotedAsSuch(t *testing.T) {
	got := ranked("sender", spoor.Ranking{Distinct: 2, Top: []spoor.Tally{{Value: "", Count: 3}, {Value: "a@b.example", Count: 1}}})
	if got[0].Text != "3 <>" || got[1].Text != "1 a@b.example" {
		t.Errorf("quotes %v", got)
	}
}

func TestSymbolsAreUnique(t *testing.T) {
	var names []string
	for _, s := range slices.Concat(symbolsOf(spoor.KindSite), symbolsOf(spoor.KindBounce)) {
		names = append(names, s.name)
	}
	slices.Sort(names)
	if unique := len(slices.Compact(slices.Clone(names))); unique != len(names) || unique != 25 {
		t.Errorf("%d symbols of %d are different: %v", unique, len(names), names)
	}
}

func TestForwardersAndListsPassSendersOn(t *testing.T) {
	for _, kind := range []spoor.Kind{spoor.KindForward, spoor.KindList} {
		one := forgedBy(source(kind, "info@site1.example", 40, 1))
		one.NullSender = 40
		for _, r := range judge(&facts{t: &one}).Reasons {
			if r.Family == spoor.FamilySender {
				t.Errorf("%s: %s", kind, r.Symbol)
			}
		}
	}
}

func TestReasonsWithoutCommandQuoteMessages(t *testing.T) {
	s := newStage(50, 50)
	s.add(source(spoor.KindScript, "/var/www/my shop/mail.php", 40, 1), soup(1))
	for _, r := range s.judge(t).Reasons {
		if r.Check != "" || len(r.Evidence) == 0 {
			t.Errorf("%s: check %q, %d quotes", r.Symbol, r.Check, len(r.Evidence))
		}
	}
}

func TestOneBusyClientIsNotManyClients(t *testing.T) {
	one := source(spoor.KindAccount, "news@site1.example", 1002, 2)
	one.Clients = spoor.Ranking{Distinct: 3, Top: []spoor.Tally{{Value: "192.0.2.1", Count: 1000}, {Value: "198.51.100.1", Count: 1}, {Value: "203.0.113.1", Count: 1}}}
	for _, r := range judge(&facts{t: &one}).Reasons {
		if r.Symbol == "MANY_CLIENTS" {
			t.Errorf("%+.2f %s", r.Weight, r.Text)
		}
	}
}
