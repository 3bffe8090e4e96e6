package verdict

import (
	"slices"
	"testing"

	"spoor"
)

func TestLoginsAloneShowAStolenPassword(t *testing.T) {
	one := spoor.Traffic{Source: spoor.Source{Kind: spoor.KindAccount, Name: "info@site1.example"}, UID: -1, Confidence: 1}
	one.History = &spoor.History{Logins: 400, Networks: 40, Clients: from(source(spoor.KindAccount, "", 400, 1), addresses(40)...).Clients}
	got := judge(&facts{t: &one})
	if r := reasonOf(t, got, "MANY_CLIENTS"); r.Weight != 4 || got.Class != spoor.Suspect {
		t.Error(lines(got))
	}
	one.History.Networks, one.History.Clients = 5, from(source(spoor.KindAccount, "", 400, 1), addresses(5)...).Clients
	if got := judge(&facts{t: &one}); len(got.Reasons) > 0 {
		t.Errorf("a family:\n%s", lines(got))
	}
}

func TestLogsOfManyDaysExcuseManyClients(t *testing.T) {
	f := func(clients, days int, want bool) {
		t.Helper()
		one := gone(from(source(spoor.KindAccount, "info@site1.example", 900, 1), addresses(clients)...))
		got := judge(&facts{t: &one, norms: norms{since: monday, until: monday.AddDate(0, 0, days)}})
		found := slices.ContainsFunc(got.Reasons, func(r spoor.Reason) bool { return r.Symbol == "MANY_CLIENTS" })
		if found != want {
			t.Errorf("%d clients in %d days: %v", clients, days, found)
		}
	}
	f(3, 0, false)
	f(4, 0, true)
	f(8, 1, true)
	f(8, 14, false)
	f(9, 14, true)
}

func TestClientsBeyondTheMostFrequentCount(t *testing.T) {
	one := gone(from(source(spoor.KindAccount, "info@site1.example", 900, 1), addresses(90)...))
	one.History.Clients.Top = one.History.Clients.Top[:4]
	one.History.Logins = 0
	if r := reasonOf(t, judge(&facts{t: &one, norms: norms{since: monday, until: monday.AddDate(0, 0, 14)}}), "MANY_CLIENTS"); r.Weight != 4 {
		t.Errorf("90 clients, of which 4 are listed: %v", r.Weight)
	}
}

func TestTheLogDoesNotExcuseWhatTheQueueShows(t *testing.T) {
	stolen := from(source(spoor.KindAccount, "info@site1.example", 400, 1), addresses(3)...)
	one := gone(from(stolen, addresses(4)...))
	one.Messages, one.Recipients, one.Outbound, one.Clients = 400, 400, 400, stolen.Clients
	if r := reasonOf(t, judge(&facts{t: &one, norms: norms{since: monday, until: monday.AddDate(0, 0, 14)}}), "MANY_CLIENTS"); r.Count != 3 || r.Check == "" {
		t.Errorf("%+v", r)
	}
}
