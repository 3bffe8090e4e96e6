package trace

import (
	"slices"
	"strings"
	"testing"
	"time"

	"spoor"
)

// shimmed is a server with a recorder. The value of a field is looked up in a table.
func shimmed(known map[string]spoor.Origin) *Tracer {
	facts := testFacts()
	facts.Origin = func(value string) spoor.Origin {
		o, ok := known[value]
		if !ok {
			o = spoor.Origin{Proof: spoor.OriginForged, UID: -1}
		}
		o.ID = value
		return o
	}
	return New(facts)
}

func signedFor(uid int, script string) spoor.Origin {
	return spoor.Origin{
		Proof: spoor.OriginSigned, UID: uid, Issued: time.Unix(1795427000, 0).UTC(), Recorded: true, Script: script, Dir: "/", ByShim: true,
		Place: spoor.Evidence{What: "shim", File: "/var/log/spoor/origin.log", Line: 7, Text: "uid"},
	}
}

func stamped(id string, hop spoor.Hop, fields ...string) *spoor.Message {
	m := &spoor.Message{ID: spoor.QueueID(id), CallerUID: -1, CallerGID: -1, Trail: spoor.Trail{Hops: []spoor.Hop{hop}}}
	for i, field := range fields {
		m.Trail.Claims = append(m.Trail.Claims, spoor.Claim{Field: originField, Value: field, Line: i + 2})
	}
	return m
}

func TestTheShimNamesTheScript(t *testing.T) {
	tracer := shimmed(map[string]spoor.Origin{
		"own":   signedFor(10003, "/home/site1/web/a.php"),
		"web":   signedFor(48, "/home/site1/web/a.php"),
		"out":   signedFor(48, "/srv/tool.php"),
		"none":  signedFor(48, ""),
		"later": {Proof: spoor.OriginSigned, UID: 48},
		"note":  {Proof: spoor.OriginUnsigned, UID: 48, Recorded: true, Script: "/never"},
	})
	f := func(what string, m *spoor.Message, source, script string, conflicts int, evidence string) {
		t.Helper()
		a := tracer.Attribute(m)
		if a.Source.String() != source || a.Script != script || len(a.Conflicts) != conflicts {
			t.Errorf("%s: %s %q, conflicts %v", what, a.Source, a.Script, a.Conflicts)
		}
		if evidence != "" && !slices.ContainsFunc(a.Evidence, func(e spoor.Evidence) bool { return e.What == "shim" && strings.Contains(e.Text+e.File, evidence) }) {
			t.Errorf("%s: evidence %v", what, a.Evidence)
		}
	}
	f("a site's own user", stamped("1", uidHop(10003), "own"), "site:site1.test", "/home/site1/web/a.php", 0, "origin.log")
	f("the shared user", stamped("1", uidHop(48), "web"), "site:site1.test", "/home/site1/web/a.php", 0, "signed by the recorder for uid 48")
	f("the shared user, no site's script", stamped("1", uidHop(48), "out"), "script:/srv/tool.php", "/srv/tool.php", 0, "")
	f("the shared user, script not seen", stamped("1", uidHop(48), "none"), "user:apache", "", 0, "origin.log")
	f("the line is rotated away", stamped("1", uidHop(48), "later"), "user:apache", "", 0, "no longer in the log")
	f("noted without the recorder", stamped("1", uidHop(48), "note"), "user:apache", "", 0, "anybody could have written it")
	f("copied from another user", stamped("1", uidHop(10003), "web"), "site:site1.test", "", 1, "")
	f("made up", stamped("1", uidHop(10003), "x"), "site:site1.test", "", 1, "")
	f("the topmost counts", stamped("1", uidHop(10003), "own", "x"), "site:site1.test", "/home/site1/web/a.php", 0, "")
	f("from the network", stamped("1", netHop("", false), "own"), "network:192.0.2.9", "", 0, "")
	f("another server's, from the network", stamped("1", netHop("", false), "x"), "network:192.0.2.9", "", 0, "")
	f("what a filter hands back", stamped("1", uidHop(110), "x"), "user:popuser", "", 0, "")
	if a := New(testFacts()).Attribute(stamped("1", uidHop(48), "web")); a.Source.String() != "user:apache" || a.Script != "" {
		t.Errorf("without a book: %+v", a)
	}
}

// TestOneIDIsForOneMessage wants copies counted, in whatever order they are met and
// however the queue was shared out.
func TestOneIDIsForOneMessage(t *testing.T) {
	tracer := shimmed(map[string]spoor.Origin{"a": signedFor(10003, "/home/site1/a.php"), "b": signedFor(10003, "/home/site1/b.php")})
	forwarded := stamped("6", spoor.Hop{Via: spoor.ViaForward, UID: -1, Address: "x@here.test"}, "b")
	forwarded.Trail.Hops = append(forwarded.Trail.Hops, uidHop(10003))
	messages := []*spoor.Message{
		stamped("3", uidHop(10003), "a"), stamped("1", uidHop(10003), "a"), stamped("2", uidHop(10003), "a"), stamped("5", uidHop(10003), "b"), forwarded,
	}
	for split := range len(messages) + 1 {
		one, two := tracer.NewLedger(), tracer.NewLedger()
		for i, m := range messages {
			if i < split {
				one.Add(m)
			} else {
				two.Add(m)
			}
		}
		one.Merge(two)
		all := one.Traffic()
		i := slices.IndexFunc(all, func(t spoor.Traffic) bool { return t.Source.Kind == spoor.KindSite })
		traffic := all[i]
		if traffic.Forged != 2 {
			t.Errorf("split %d: %d copies", split, traffic.Forged)
		}
		if len(traffic.Forgeries) == 0 || traffic.Forgeries[0].ID != "1" || !strings.Contains(traffic.Forgeries[0].Text, "stands in 3 messages") {
			t.Errorf("split %d: %v", split, traffic.Forgeries)
		}
		c := traffic.Candidates
		if len(c) != 2 || c[0].Source.Name != "/home/site1/a.php" || len(c[0].Evidence) != 1 || c[0].Evidence[0].ID != "1" || c[0].Confidence > sureRecorded {
			t.Errorf("split %d: candidates %+v", split, c)
		}
	}
}
