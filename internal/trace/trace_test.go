package trace

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"spoor"
)

// testFacts is a small hosting server.
func testFacts() Facts {
	owners := map[int]spoor.Owner{
		0:     {UID: 0, GID: 0, Login: "root", Role: spoor.RoleRoot},
		48:    {UID: 48, GID: 48, Login: "apache", Role: spoor.RoleWebServer},
		93:    {UID: 93, GID: 93, Login: "exim", Role: spoor.RoleMailSystem},
		110:   {UID: 110, GID: 31, Login: "popuser", Role: spoor.RoleMailSystem},
		1000:  {UID: 1000, GID: 1000, Login: "jane", Role: spoor.RoleUser},
		10003: {UID: 10003, GID: 2523, Login: "site1", Role: spoor.RoleSite, Site: "site1.test", Sites: []string{"site1.test", "addon.test"}, Exact: true},
		10005: {UID: 10005, GID: 2523, Login: "web1", Role: spoor.RoleSite, Site: "site1.test", Exact: true},
		10004: {UID: 10004, GID: 2523, Login: "site2", Role: spoor.RoleSite, Site: "site2.test"},
	}
	groups := map[int][]int{2523: {10003, 10004}, 48: {48}, 31: {110}, 1000: {1000}, 99: {90, 91}}
	return Facts{
		Owner: func(uid int) spoor.Owner {
			if owner, ok := owners[uid]; ok {
				return owner
			}
			return spoor.Owner{UID: uid, GID: -1}
		},
		UID: func(login string) (int, bool) {
			for uid, owner := range owners {
				if owner.Login == login {
					return uid, true
				}
			}
			return 0, false
		},
		PrimaryGroup: func(gid int) []int { return groups[gid] },
		CallerGroup: func(via spoor.Via) int {
			if via == spoor.ViaNetwork || via == spoor.ViaForward {
				return 99
			}
			return -1
		},
		Serves: func(domain string) bool {
			return slices.Contains([]string{"site1.test", "here.test"}, strings.ToLower(domain))
		},
		Via: func(uid int) spoor.Via {
			switch uid {
			case 2020:
				return spoor.ViaNetwork
			case 93, 2522:
				return spoor.ViaBounce
			case 2021:
				return spoor.ViaForward
			}
			return spoor.ViaUID
		},
		SiteAt: func(dir string) string {
			if strings.HasPrefix(dir, "/home/site1/") {
				return "site1.test"
			}
			return ""
		},
		LocalAddress: func(address string) string { return strings.TrimPrefix(address, "alias-") },
		Host:         "mx.here.test",
	}
}

func uidHop(uid int) spoor.Hop { return spoor.Hop{Via: spoor.ViaUID, UID: uid, Line: 1} }

func netHop(account string, authenticated bool) spoor.Hop {
	return spoor.Hop{Via: spoor.ViaNetwork, UID: -1, Client: netip.MustParseAddr("192.0.2.9"), Account: account, Authenticated: authenticated}
}

func bounceHop(failed string) spoor.Hop {
	return spoor.Hop{Via: spoor.ViaBounce, UID: -1, Address: failed}
}

func forwardHop(uid int, address string) spoor.Hop {
	return spoor.Hop{Via: spoor.ViaForward, UID: uid, Address: address}
}

func message(hops ...spoor.Hop) *spoor.Message {
	return &spoor.Message{ID: "1", Folder: "/q", CallerUID: -1, CallerGID: -1, HasEnvelope: true, Trail: spoor.Trail{Hops: hops}}
}

func TestWhoIsToBlame(t *testing.T) {
	tracer := New(testFacts())
	blames := func(name string, m *spoor.Message, want string) {
		t.Helper()
		a := tracer.Attribute(m)
		got := fmt.Sprintf("%s %.2f", a.Source, a.Confidence)
		if a.Cause != (spoor.Source{}) {
			got += " because of " + a.Cause.String()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if short := tracer.Name(m); short.Source != a.Source || short.Confidence != a.Confidence {
			t.Errorf("%s: Name says %v", name, short)
		}
	}
	blames("a site that the panel's records name", message(uidHop(10003)), "site:site1.test 1.00")
	blames("a site by its home folder", message(uidHop(10004)), "site:site2.test 0.97")
	blames("the web server", message(uidHop(48)), "user:apache 1.00")
	blames("root", message(uidHop(0)), "user:root 1.00")
	blames("a UID that nobody has", message(uidHop(777)), "user:777 1.00")
	blames("a login that passwd lacks", message(spoor.Hop{Via: spoor.ViaUID, UID: 777, Login: "web7", Line: 1}), "user:web7 1.00")
	blames("a UID that passwd has under another login", message(spoor.Hop{Via: spoor.ViaUID, UID: 1000, Login: "web7", Line: 1}), "user:jane 1.00")
	blames("an account with AUTH in the protocol word", message(netHop("bob", true)), "account:bob 0.99")
	blames("an address that is served here", message(netHop("Info@Site1.TEST", false)), "account:info@site1.test 0.95")
	blames("an ident answer", message(netHop("root", false)), "network:192.0.2.9 0.99")
	blames("an ident answer with an at sign", message(netHop("x@elsewhere.test", false)), "network:192.0.2.9 0.99")
	blames("a domain without local part", message(netHop("@site1.test", false)), "network:192.0.2.9 0.99")
	blames("no account", message(netHop("", false)), "network:192.0.2.9 0.99")
	blames("no client either", message(spoor.Hop{Via: spoor.ViaNetwork, UID: -1}), "unknown 0.00")
	blames("a forward", message(forwardHop(-1, "box@HERE.test"), netHop("", false)), "forward:box@here.test 0.97 because of network:192.0.2.9")
	blames("a forward of a mailbox user", message(forwardHop(110, "box@here.test"), uidHop(10003)), "forward:box@here.test 0.97 because of site:site1.test")
	blames("alias without an address", message(forwardHop(-1, "")), "user:alias 1.00")
	blames("the mail system itself", message(uidHop(110)), "user:popuser 1.00")
	blames("a filter that queued SMTP mail again", message(uidHop(110), netHop("a@site1.test", false)), "account:a@site1.test 0.95")
	blames("backscatter", message(bounceHop("nouser@here.test"), netHop("", false)), "bounce:here.test 1.00 because of network:192.0.2.9")
	blames("a bounce of relayed mail", message(bounceHop("x@far.test"), netHop("", false)), "bounce:192.0.2.9 1.00 because of network:192.0.2.9")
	blames("a bounce of a site's mail", message(bounceHop("x@far.test"), uidHop(10003)), "bounce:site1.test 1.00 because of site:site1.test")
	blames("a bounce of a bounce's forward", message(bounceHop("x@far.test"), forwardHop(-1, "box@here.test"), uidHop(48)), "bounce:box@here.test 1.00 because of forward:box@here.test")
	blames("a bounce without the original", message(bounceHop("nouser@here.test")), "bounce:here.test 1.00")
	blames("a bounce of nothing known", message(bounceHop("x@far.test")), "bounce:unknown 1.00")
	blames("nothing at all", message(), "unknown 0.00")
}

func TestTheServersOtherRecordsConfirmOrContradict(t *testing.T) {
	tracer := New(testFacts())
	says := func(name string, m *spoor.Message, want string, confidence float64, conflicts int) {
		t.Helper()
		a := tracer.Attribute(m)
		if a.Source.String() != want || a.Confidence != confidence || len(a.Conflicts) != conflicts {
			t.Errorf("%s: %s %.2f with %d conflicts %v; want %s %.2f with %d", name, a.Source, a.Confidence, len(a.Conflicts), a.Conflicts, want, confidence, conflicts)
		}
	}
	with := func(gid, uid int, hops ...spoor.Hop) *spoor.Message {
		m := message(hops...)
		m.CallerGID, m.CallerUID = gid, uid
		return m
	}
	says("the caller's group", with(2523, -1, uidHop(10003)), "site:site1.test", 1, 0)
	says("a private group", with(10003, -1, uidHop(10003)), "site:site1.test", 1, 0)
	says("a group that nobody has first", with(5000, -1, uidHop(10003)), "site:site1.test", 1, 0)
	says("another user's group", with(48, -1, uidHop(10003)), "site:site1.test", sureConflict, 1)
	says("the SMTP server's group", with(99, -1, netHop("", false)), "network:192.0.2.9", 0.99, 0)
	says("SMTP under a site's group", with(2523, -1, netHop("", false)), "network:192.0.2.9", sureConflict, 1)
	says("the envelope's UID", with(-1, 10003, uidHop(10003)), "site:site1.test", 1, 0)
	says("another UID in the envelope", with(-1, 48, uidHop(10003)), "site:site1.test", sureConflict, 1)
	says("a header that is lost, an envelope that is not", with(-1, 10003), "site:site1.test", sureEnvelope, 0)
	says("a header that is lost, a group of one user", with(48, -1), "user:apache", sureGroup, 0)
	says("a header that is lost, a group of many", with(2523, -1), "unknown", 0, 0)
	says("a header that is lost, a group of the mail system", with(31, -1), "unknown", 0, 0)
}

func TestForgedTraces(t *testing.T) {
	tracer := New(testFacts())
	counts := func(name string, want int, claim spoor.Claim, outbound bool, hops ...spoor.Hop) {
		t.Helper()
		m := message(hops...)
		m.Outbound = outbound
		if claim.Field == "Received" {
			m.Trail.Forgeable = []spoor.Claim{claim}
		} else {
			m.Trail.Claims = []spoor.Claim{claim}
		}
		l := tracer.NewLedger()
		l.Add(m)
		t1 := l.Traffic()[0]
		if t1.Forged != want || len(t1.Forgeries) != want || len(tracer.Attribute(m).Conflicts) != want {
			t.Errorf("%s: %d forged, %d examples, %d conflicts; want %d", name, t1.Forged, len(t1.Forgeries), len(tracer.Attribute(m).Conflicts), want)
		}
	}
	queueLine := spoor.Claim{Field: "Received", Value: "(qmail 5 invoked from network); x"}
	ours := spoor.Claim{Field: "Received", Value: "from x (boss@corp.test@192.0.2.1)\n  by mx.here.test with ESMTPA; x"}
	theirs := spoor.Claim{Field: "Received", Value: "from x (192.0.2.1) by mx.far.test with SMTP; x"}
	webmail := spoor.Claim{Field: "Received", Value: "from 192.0.2.1 (SquirrelMail authenticated user a) by mx.here.test with HTTP; x"}
	php := func(value string) spoor.Claim { return spoor.Claim{Field: "X-PHP-Originating-Script", Value: value} }
	counts("a site writes qmail-queue's line", 1, queueLine, true, uidHop(10003))
	counts("a site imitates this server", 1, ours, true, uidHop(10003))
	counts("an account imitates this server", 1, ours, true, netHop("a@site1.test", true))
	counts("another qmail's line in relayed mail", 0, queueLine, true, netHop("", false))
	counts("other servers' lines", 0, theirs, true, uidHop(10003))
	counts("a webmail's line", 0, webmail, true, uidHop(10003))
	here := netHop("", false)
	here.Client = netip.MustParseAddr("127.0.0.1")
	counts("a trusted network imitates this server", 1, ours, true, netHop("", false))
	counts("mail that a filter or a list of this machine hands back", 0, ours, true, here)
	counts("mail that comes back in", 0, ours, false, netHop("", false))
	counts("mail that a user's .qmail sent on", 0, ours, true, uidHop(1000))
	counts("PHP's header with the right UID", 0, php("10003:a.php"), true, uidHop(10003))
	counts("PHP's header with another UID", 1, php("10009:a.php"), true, uidHop(10003))
	counts("PHP's header names the site whose script the web server runs", 0, php("10003:a.php"), true, uidHop(48))
	counts("PHP's header names root, whose software the site runs", 0, php("0:a.php"), true, uidHop(10003))
	counts("PHP's header with a blank", 0, php("10003: a.php"), true, uidHop(10003))
	counts("PHP's header without a UID", 0, php("a.php"), true, uidHop(10003))
	counts("PHP's header in mail from elsewhere", 0, php("10009:a.php"), true, netHop("", false))
}

// TestTheLedgerDoesNotDependOnTheOrder splits messages among ledgers in every
// way: the sums are the same.
func TestTheLedgerDoesNotDependOnTheOrder(t *testing.T) {
	tracer := New(testFacts())
	hops := []spoor.Hop{uidHop(10005), uidHop(10003), uidHop(48), netHop("", false), netHop("a@site1.test", true), bounceHop("x@here.test")}
	var messages []*spoor.Message
	for i := range 700 {
		m := message(hops[i%len(hops)])
		m.ID = spoor.QueueID(fmt.Sprint(1000 + i))
		m.Arrived = time.Unix(int64(1_700_000_000+i*37%101), 0).UTC()
		m.Sender = fmt.Sprintf("s%d@x%d.test", i%40, i%7)
		m.Subject, m.ContentHash, m.ContentBytes = fmt.Sprint("subject ", i%9), uint64(i%13), 10
		m.Outbound, m.Bouncing, m.Bulk = i%2 == 0, i%5 == 0, i%3 == 0
		m.Recipients.CountOnly = true
		for range i % 4 {
			m.Recipients.Add(spoor.ChannelRemote, i%2 == 0, nil)
		}
		messages = append(messages, m)
	}
	book := func(order []int, ledgers int) []spoor.Traffic {
		books := make([]*Ledger, ledgers)
		for i := range books {
			books[i] = tracer.NewLedger()
		}
		for i, n := range order {
			books[i%ledgers].Add(messages[n])
		}
		for _, other := range books[1:] {
			books[0].Merge(other)
		}
		return books[0].Traffic()
	}
	straight := make([]int, len(messages))
	for i := range straight {
		straight[i] = i
	}
	want := book(straight, 1)
	rapid.Check(t, func(t *rapid.T) {
		order := slices.Clone(straight)
		shuffle := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		shuffle.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		if got := book(order, rapid.IntRange(1, 5).Draw(t, "ledgers")); !reflect.DeepEqual(got, want) {
			t.Fatal("another order gives other sums")
		}
	})
}

func TestTheLedgerCountsWhatItIsGiven(t *testing.T) {
	tracer := New(testFacts())
	l := tracer.NewLedger()
	for i, sender := range []string{"info@site1.test", "x@ADDON.test", "forged@far.test", "", "#@[]"} {
		m := message(uidHop(10003))
		m.ID, m.Sender, m.State = spoor.QueueID(fmt.Sprint(i)), sender, spoor.StateRemote
		m.Recipients.Add(spoor.ChannelRemote, false, []byte("a@far.test"))
		m.Trail.Claims = []spoor.Claim{{Field: "X-PHP-Originating-Script", Value: "10003:a.php"}}
		if got := l.Add(m); got.String() != "site:site1.test" {
			t.Fatalf("booked to %s", got)
		}
	}
	got := l.Traffic()[0]
	if got.OwnSender != 2 || got.ForeignSender != 1 || got.NullSender != 2 || got.Senders.Distinct != 5 || got.Scripts.Top[0] != (spoor.Tally{Value: "a.php", Count: 5}) {
		t.Errorf("own %d, foreign %d, null %d, senders %d, scripts %v", got.OwnSender, got.ForeignSender, got.NullSender, got.Senders.Distinct, got.Scripts)
	}
	if c := l.Count(); c.Remote != 5 || c.Recipients != 5 {
		t.Errorf("count %+v", c)
	}
	if len(got.Samples) != 5 || len(got.Evidence) == 0 || strings.Contains(fmt.Sprint(got.Evidence), "forged") {
		t.Errorf("samples %d, evidence %v", len(got.Samples), got.Evidence)
	}
}

func TestAFailedLoginThatIsWrittenTwiceCountsOnce(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").queued("4A", "anna@here.test", 1).removed("4A")
	for _, key := range []uint64{7, 7, 9, 7 + maxTwins, 9, 7 + maxTwins, 5, 5, 5, 5, 0, 0} {
		p.add(spoor.Event{Kind: spoor.EventLoginFailed, Key: key, Address: []byte("anna@here.test"), Client: []byte("203.0.113.7"), UID: -1, PID: 1})
	}
	if h := p.sources(t)["account:anna@here.test"].History; h == nil || h.FailedLogins != 7 {
		t.Errorf("%+v", h)
	}
}
