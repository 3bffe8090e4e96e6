package trace

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"spoor"
)

var scriptNoon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func scriptHits(site, script, url string, times ...time.Time) []spoor.WebHit {
	var hits []spoor.WebHit
	for i, t := range times {
		hits = append(hits, spoor.WebHit{
			Time: t.Truncate(time.Second), Site: site, Script: script, URL: url, Client: "203.0.113.7",
			Place: spoor.Evidence{What: "access log", File: "/log/" + site, Line: i + 1, Text: t.String()},
		})
	}
	return hits
}

// scriptTimes is every step seconds from noon, moved by delay.
func scriptTimes(n int, step, delay time.Duration) []time.Time {
	var times []time.Time
	for i := range n {
		times = append(times, scriptNoon.Add(time.Duration(i)*step+delay))
	}
	return times
}

func TestRankScriptsNamesTheScriptBehindEachMessage(t *testing.T) {
	injections := scriptTimes(18, 37*time.Second, 1500*time.Millisecond)
	const mailer = "/var/www/vhosts/shop.example/httpdocs/mailer.php"
	hits := scriptHits("shop.example", mailer, "/mailer.php", append(scriptTimes(18, 37*time.Second, 0),
		scriptNoon.Add(-10*time.Minute), scriptNoon.Add(time.Hour))...)
	hits = append(hits, scriptHits("busy.example", "/var/www/vhosts/busy.example/httpdocs/poll.php", "/poll.php", scriptTimes(1200, time.Second, -5*time.Minute)...)...)
	hits = append(hits, scriptHits("calm.example", "", "/contact/", scriptNoon.Add(-9*time.Minute), scriptNoon.Add(100*time.Second))...)

	ranked := RankScripts(injections, hits, nil)
	if len(ranked) != 1 {
		t.Fatalf("%d candidates, want the mailer alone: %+v", len(ranked), ranked)
	}
	c := ranked[0]
	if c.Source != (spoor.Source{Kind: spoor.KindScript, Name: mailer}) || c.Confidence < 0.7 || c.Confidence > 0.85 {
		t.Errorf("%s with confidence %v", c.Source, c.Confidence)
	}
	if !strings.HasPrefix(c.Text, "18 of 18 messages have a POST to it within 3 s; 20 POSTs in all; chance explains ") {
		t.Errorf("text %q", c.Text)
	}
	var places []string
	for _, e := range c.Evidence {
		places = append(places, e.Place())
	}
	if want := []string{"/log/shop.example:1", "/log/shop.example:10", "/log/shop.example:18"}; !slices.Equal(places, want) {
		t.Errorf("evidence %v, want %v", places, want)
	}
}

func TestRankScriptsBelievesThePHPMailLogMore(t *testing.T) {
	injections := scriptTimes(10, 41*time.Second, 0)
	const form, lib = "/www/contact.php", "/www/class-phpmailer.php"
	hits := scriptHits("shop.example", form, "/contact.php", injections...)
	var mails []spoor.ScriptMail
	for i, at := range injections {
		mails = append(mails, spoor.ScriptMail{Time: at, Script: lib, Line: 677, Place: spoor.Evidence{File: "/var/log/phpmail.log", Line: i + 1}})
	}
	ranked := RankScripts(injections, hits, mails)
	if len(ranked) != 2 || ranked[0].Source.Name != lib || ranked[1].Source.Name != form {
		t.Fatalf("ranked %+v", ranked)
	}
	if want := "the PHP mail log names it for 10 of 10 messages; 10 lines in all"; ranked[0].Text != want {
		t.Errorf("text %q, want %q", ranked[0].Text, want)
	}
	for i := range mails {
		mails[i].Script = form
	}
	both := RankScripts(injections, hits, mails)
	if len(both) != 1 || both[0].Confidence != 0.95 || len(both[0].Evidence) != 6 {
		t.Errorf("both logs for one script: %+v", both)
	}
}

func TestRankScriptsNamesTheSiteWhereTheFileIsUnknown(t *testing.T) {
	injections := scriptTimes(6, 50*time.Second, time.Second)
	hits := scriptHits("shop.example", "", "/contact/", scriptTimes(6, 50*time.Second, 0)...)
	hits = append(hits, scriptHits("shop.example", "", "/wp-cron/", scriptTimes(600, time.Second, -time.Minute)...)...)
	ranked := RankScripts(injections, hits, nil)
	if len(ranked) != 1 || ranked[0].Source.String() != "site:shop.example" {
		t.Fatalf("ranked %+v", ranked)
	}
	if want := "6 of 6 messages have a POST to /contact/ within 3 s; 6 POSTs in all"; !strings.HasPrefix(ranked[0].Text, want) {
		t.Errorf("text %q, want %q", ranked[0].Text, want)
	}
}

func TestRankScriptsSeesWhereABurstBegins(t *testing.T) {
	var injections, attack []time.Time
	for burst := range 3 {
		for i := range 300 {
			at := scriptNoon.Add(time.Duration(burst)*time.Hour + time.Duration(i)*time.Second)
			injections, attack = append(injections, at.Add(time.Second)), append(attack, at)
		}
	}
	hits := scriptHits("hacked.example", "/www/x.php", "/x.php", attack...)
	hits = append(hits, scriptHits("busy.example", "/www/poll.php", "/poll.php", scriptTimes(4*3600, time.Second, -30*time.Minute)...)...)
	ranked := RankScripts(injections, hits, nil)
	if len(ranked) != 1 || ranked[0].Source.Name != "/www/x.php" || ranked[0].Confidence < 0.5 {
		t.Fatalf("ranked %+v", ranked)
	}
	if !strings.Contains(ranked[0].Text, "3 of 3 bursts of mail begin with a burst of POSTs") {
		t.Errorf("text %q", ranked[0].Text)
	}
}

func TestRankScriptsHoldsOneCoincidenceForLittle(t *testing.T) {
	var hits []spoor.WebHit
	for i := range 20 {
		hits = append(hits, scriptHits("a.example", fmt.Sprintf("/www/%d.php", i), "/", scriptNoon.Add(time.Duration(i)*time.Minute))...)
	}
	ranked := RankScripts([]time.Time{scriptNoon.Add(time.Second)}, hits, nil)
	if len(ranked) != 1 || ranked[0].Confidence > 0.3 {
		t.Errorf("ranked %+v", ranked)
	}
}

func TestRankScriptsWithoutAnythingToGoBy(t *testing.T) {
	one := scriptTimes(1, 0, 0)
	hits := scriptHits("a.example", "/www/x.php", "/x.php", one...)
	for name, got := range map[string][]spoor.Candidate{
		"no messages":      RankScripts(nil, hits, nil),
		"no logs":          RankScripts(one, nil, nil),
		"times not known":  RankScripts([]time.Time{{}}, hits, []spoor.ScriptMail{{Script: "/x.php"}}),
		"no name to blame": RankScripts(one, scriptHits("", "", "/", one...), []spoor.ScriptMail{{Time: one[0]}}),
		"requests too late": RankScripts(one, scriptHits("a.example", "/www/x.php", "/x.php",
			one[0].Add(2*time.Second), one[0].Add(-4*time.Second)), nil),
	} {
		if len(got) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func drawScripts(t *rapid.T) ([]time.Time, []spoor.WebHit, []spoor.ScriptMail) {
	at := func(label string) time.Time {
		return scriptNoon.Add(time.Duration(rapid.IntRange(0, 3600_000).Draw(t, label)) * time.Millisecond)
	}
	var injections []time.Time
	for range rapid.IntRange(0, 40).Draw(t, "messages") {
		injections = append(injections, at("message"))
	}
	var hits []spoor.WebHit
	for i := range rapid.IntRange(0, 60).Draw(t, "hits") {
		when := at("hit")
		if len(injections) > 0 && rapid.Bool().Draw(t, "near") {
			when = rapid.SampledFrom(injections).Draw(t, "beside").Add(-time.Second)
		}
		hit := scriptHits(rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "site"), rapid.SampledFrom([]string{"", "/x", "/y"}).Draw(t, "script"), rapid.SampledFrom([]string{"/", "/z"}).Draw(t, "url"), when)
		hit[0].Place.Line = i + 1
		hits = append(hits, hit...)
	}
	var mails []spoor.ScriptMail
	for i := range rapid.IntRange(0, 20).Draw(t, "mails") {
		mails = append(mails, spoor.ScriptMail{Time: at("mail"), Script: rapid.SampledFrom([]string{"", "/x", "/w"}).Draw(t, "caller"), Place: spoor.Evidence{File: "/m", Line: i + 1}})
	}
	return injections, hits, mails
}

func TestRankScriptsDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		injections, hits, mails := drawScripts(t)
		want := RankScripts(injections, hits, mails)
		shuffle := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		injections, hits, mails = slices.Clone(injections), slices.Clone(hits), slices.Clone(mails)
		shuffle.Shuffle(len(injections), func(i, j int) { injections[i], injections[j] = injections[j], injections[i] })
		shuffle.Shuffle(len(hits), func(i, j int) { hits[i], hits[j] = hits[j], hits[i] })
		shuffle.Shuffle(len(mails), func(i, j int) { mails[i], mails[j] = mails[j], mails[i] })
		if got := RankScripts(injections, hits, mails); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
	})
}

func TestRankScriptsKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		injections, hits, mails := drawScripts(t)
		ranked := RankScripts(injections, hits, mails)
		seen := map[spoor.Source]bool{}
		last := 1.0
		for _, c := range ranked {
			if c.Confidence <= 0 || c.Confidence > 0.95 || c.Confidence > last {
				t.Fatalf("confidence %v after %v", c.Confidence, last)
			}
			if seen[c.Source] || c.Source.Name == "" || (c.Source.Kind != spoor.KindScript && c.Source.Kind != spoor.KindSite) {
				t.Fatalf("source %v", c.Source)
			}
			if len(c.Evidence) == 0 || len(c.Evidence) > 6 || c.Text == "" {
				t.Fatalf("%+v", c)
			}
			seen[c.Source], last = true, c.Confidence
		}
	})
}

// However the mail comes, a URL that is requested every second is no candidate.
func TestRankScriptsLearnsNothingFromAConstantStream(t *testing.T) {
	stream := scriptHits("busy.example", "/www/poll.php", "/poll.php", scriptTimes(4000, time.Second, -200*time.Second)...)
	rapid.Check(t, func(t *rapid.T) {
		injections, _, _ := drawScripts(t)
		if ranked := RankScripts(injections, stream, nil); len(ranked) != 0 {
			t.Fatalf("ranked %+v", ranked)
		}
	})
}

// More messages with a request behind each make the script no less likely.
func TestRankScriptsGrowsWithTheEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := time.Duration(rapid.IntRange(130, 900).Draw(t, "seconds")) * time.Second
		n := rapid.IntRange(1, 30).Draw(t, "messages")
		confidence := func(n int) float64 {
			times := scriptTimes(n, step, 0)
			ranked := RankScripts(times, scriptHits("a.example", "/x.php", "/x.php", times...), nil)
			if len(ranked) != 1 {
				t.Fatalf("ranked %+v", ranked)
			}
			return ranked[0].Confidence
		}
		if less, more := confidence(n), confidence(n+1); more < less {
			t.Fatalf("%d messages %v, one more %v", n, less, more)
		}
	})
}

func BenchmarkRankScripts(b *testing.B) {
	injections := scriptTimes(27_000, 2*time.Second, 0)
	var hits []spoor.WebHit
	for i := range 2000 {
		hits = append(hits, scriptHits(fmt.Sprint(i), fmt.Sprintf("/www/%d.php", i), "/", scriptTimes(100, 547*time.Second, time.Duration(i)*time.Second)...)...)
	}
	for b.Loop() {
		RankScripts(injections, hits, nil)
	}
}
