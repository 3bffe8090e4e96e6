package trace

import (
	"testing"
	"time"

	"spoor"
)

func TestScriptsOfAUserWithSitesAreLookedFor(t *testing.T) {
	facts := testFacts()
	known := facts.Owner
	facts.Owner = func(uid int) spoor.Owner {
		owner := known(uid)
		if uid == 1000 {
			owner.Sites = []string{"jane.test"}
		}
		return owner
	}
	ledger := New(facts).NewLedger()
	m := message(uidHop(1000))
	m.Sender, m.Arrived = "shop@jane.test", time.Unix(1, 0)
	m.Trail.Claims = []spoor.Claim{
		{Field: "X-PHP-Script", Value: "jane.test/a.php for 192.0.2.1"},
		{Field: "X-PHP-Script", Value: "forged.test/b.php for 192.0.2.1"},
	}
	ledger.Add(m)
	ledger.Add(message(uidHop(0)))
	other := message(netHop("", false))
	other.Trail.Claims = m.Trail.Claims
	ledger.Add(other)
	for _, got := range ledger.Traffic() {
		jane := got.Source == spoor.Source{Kind: spoor.KindUser, Name: "jane"}
		switch {
		case jane && (len(got.Arrivals) != 1 || got.OwnSender != 1 || len(got.ScriptURLs.Top) != 1 || got.ScriptURLs.Top[0].Value != "jane.test/a.php"):
			t.Errorf("jane: %+v", got)
		case !jane && (len(got.Arrivals) > 0 || got.ScriptURLs.Distinct > 0):
			t.Errorf("%s: %d arrivals, scripts %v", got.Source, len(got.Arrivals), got.ScriptURLs)
		}
	}
}

func TestPHPScriptHeader(t *testing.T) {
	f := func(value, want string, ok bool) {
		t.Helper()
		if got, is := phpScriptURL(spoor.Claim{Field: "X-PHP-Script", Value: value}); is != ok || ok && got != want {
			t.Errorf("%q is %q, %v", value, got, is)
		}
	}
	f("shop.example/wp/mailer.php for 203.0.113.7", "shop.example/wp/mailer.php", true)
	f("shop.example/~anna/index.php for 203.0.113.7, 10.0.0.1", "shop.example/~anna/index.php", true)
	f("shop.example/a for b.php for 203.0.113.7", "shop.example/a", true)
	f("/mailer.php for 203.0.113.7", "", false)
	f("shop.example/mailer.php", "", false)
	f("", "", false)
	if _, ok := phpScriptURL(spoor.Claim{Field: "Subject", Value: "a/b for c"}); ok {
		t.Error("a subject names a script")
	}
}
