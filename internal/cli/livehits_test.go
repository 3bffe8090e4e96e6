package cli

import (
	"testing"

	"spoor"
)

func hit(script, client string) spoor.WebHit {
	return spoor.WebHit{Script: script, Client: client, Place: spoor.Evidence{What: "access log", File: "/log", Line: 7}}
}

func TestRequestsNameWhatALineLeavesOpen(t *testing.T) {
	f := func(script, client string, hits []spoor.WebHit, wantScript, wantClient string) {
		t.Helper()
		d := spoor.Doing{Script: script, Client: client}
		joinHits(&d, hits)
		if d.Script != wantScript || d.Client != wantClient {
			t.Errorf("%q %q: %q %q, want %q %q", script, client, d.Script, d.Client, wantScript, wantClient)
		}
		if d.Client != client && d.ClientKnown.Certainty != spoor.CertaintyLikely || d.Script != script && d.ScriptKnown.Certainty != spoor.CertaintyLikely {
			t.Errorf("it is known as %+v and %+v", d.ScriptKnown, d.ClientKnown)
		}
	}
	a, b, other := hit("/www/a.php", "203.0.113.1"), hit("/www/b.php", "203.0.113.2"), hit("/other/c.php", "203.0.113.3")
	f("/www/", "", []spoor.WebHit{a, a, other}, "/www/a.php", "203.0.113.1")
	f("/www/", "", []spoor.WebHit{a, b}, "/www/", "") // either may be it
	f("/www/a.php", "", []spoor.WebHit{a, b}, "/www/a.php", "203.0.113.1")
	f("/www/a.php", "", []spoor.WebHit{a, hit("/www/a.php", "203.0.113.9")}, "/www/a.php", "")
	f("/www/a.php", "198.51.100.1", []spoor.WebHit{a}, "/www/a.php", "198.51.100.1")
	f("", "", []spoor.WebHit{a}, "/www/a.php", "203.0.113.1")
	f("", "", []spoor.WebHit{hit("", "203.0.113.1")}, "", "")
	f("/deep/a/", "", []spoor.WebHit{a, other}, "/deep/a/", "")
}
