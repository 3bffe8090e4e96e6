package verdict

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"spoor"
)

func TestCampaignAcrossSources(t *testing.T) {
	s := newStage(100, 500)
	shared := letter(1)
	s.add(source(spoor.KindSite, "site1.example", 20, 2), shared)
	s.add(source(spoor.KindAccount, "a@site2.example", 3, 1), func(n int) string { return shared(n + 1000) })
	s.add(source(spoor.KindAccount, "b@site2.example", 12, 1), soup(2))
	got, err := Judge(t.Context(), s.queue)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Campaigns) != 1 || got.Unread != 0 {
		t.Fatalf("%d campaigns, %d unread", len(got.Campaigns), got.Unread)
	}
	c := got.Campaigns[0]
	if len(c.Messages) != 23 || len(c.Parts) != 2 || !regexp.MustCompile(`^[0-9a-f]{8}$`).MatchString(c.ID) {
		t.Errorf("campaign %s of %d messages, %d sources", c.ID, len(c.Messages), len(c.Parts))
	}
	if c.Parts[0].Source.Name != "site1.example" || len(c.Parts[0].Messages) != 20 || len(c.Parts[1].Messages) != 3 {
		t.Errorf("parts = %v", c.Parts)
	}
	reason := reasonOf(t, s.judge(t), "NEAR_IDENTICAL")
	want := "all 20 sampled messages say nearly the same (campaign " + c.ID + "); 1 other source sends it too"
	if reason.Text != want || reason.Count != 20 {
		t.Errorf("count %d, text\n got %s\nwant %s", reason.Count, reason.Text, want)
	}
	if ids := strings.Fields(reason.Evidence[0].Text); len(ids) != 20 {
		t.Errorf("%d IDs in evidence, want 20", len(ids))
	}
	if !slices.ContainsFunc(reason.Evidence, func(e spoor.Evidence) bool {
		return e.What == "same campaign" && e.Text == "3 account:a@site2.example"
	}) {
		t.Errorf("no evidence of the other source in %v", reason.Evidence)
	}
}

// TestFewAlikeMessagesWeighNothing has sources of which some messages say the
// same as one another and as a large source.
func TestFewAlikeMessagesWeighNothing(t *testing.T) {
	f := func(alike, of int, want float64) {
		t.Helper()
		s := newStage(1000, 1000)
		shared := letter(1)
		s.add(source(spoor.KindSite, "site1.example", of, 1), func(n int) string {
			if n < alike {
				return shared(n)
			}
			return fmt.Sprintf("short %d", n) // too short to be compared
		})
		s.add(source(spoor.KindSite, "site2.example", 40, 1), func(n int) string { return shared(n + 1000) })
		got := 0.0
		for _, r := range s.judge(t).Reasons {
			if r.Symbol == "NEAR_IDENTICAL" {
				got = r.Weight
			}
		}
		if got != want {
			t.Errorf("%d of %d messages weigh %v, want %v", alike, of, got, want)
		}
	}
	f(1, 1, 0)
	f(2, 29, 0)
	f(4, 4, 0)
	f(5, 5, 0.33)
	f(9, 50, 0) // under a fifth
	f(10, 50, 0)
	f(20, 50, 0.67)
	f(32, 40, 2)
}

func TestUnreadableBodiesAreCountedAndSayNothing(t *testing.T) {
	s := newStage(100, 100)
	s.add(source(spoor.KindSite, "site1.example", 20, 1), soup(1))
	clear(s.bodies)
	got, err := Judge(t.Context(), s.queue)
	if err != nil {
		t.Fatal(err)
	}
	if got.Unread != 20 || len(got.Campaigns) != 0 {
		t.Errorf("unread = %d, campaigns = %d, want 20 and 0", got.Unread, len(got.Campaigns))
	}
	for _, r := range got.Verdicts[0].Reasons {
		if r.Family == spoor.FamilyContent {
			t.Errorf("%s: %s", r.Symbol, r.Text)
		}
	}
}

func TestExactCopiesAreFoundWithoutReading(t *testing.T) {
	s := newStage(100, 100)
	s.add(source(spoor.KindSite, "site1.example", 20, 1), same("hi"))
	s.queue.Contents = nil
	reason := reasonOf(t, s.judge(t), "NEAR_IDENTICAL")
	if reason.Count != 20 || reason.Weight != 2 {
		t.Errorf("count %d, weight %v", reason.Count, reason.Weight)
	}
}

func TestCopiesBeyondTheSampleAreCounted(t *testing.T) {
	s := newStage(1000, 1000)
	s.add(source(spoor.KindSite, "site1.example", 900, 1), func(n int) string {
		if n < maxSourceSamples {
			return soup(1)(n)
		}
		return "one text"
	})
	reason := reasonOf(t, s.judge(t), "NEAR_IDENTICAL")
	if want := "700 of 900 messages (78%) have the very same body"; reason.Count != 700 || reason.Text != want {
		t.Errorf("count %d, text %q, want %q", reason.Count, reason.Text, want)
	}
}

func TestBodiesThatWereNotHashedAreNoCopies(t *testing.T) {
	s := newStage(100, 100)
	s.add(source(spoor.KindSite, "site1.example", 10, 1), soup(1))
	for _, m := range s.queue.Traffic[0].Samples {
		m.ContentHash, m.ContentBytes = 0, 0
	}
	got, err := Judge(t.Context(), s.queue)
	if err != nil || len(got.Campaigns) != 0 {
		t.Errorf("%d campaigns, error %v, want none", len(got.Campaigns), err)
	}
}

func TestSampleIsBounded(t *testing.T) {
	var traffic []spoor.Traffic
	for i := range 30 {
		one := source(spoor.KindSite, string(rune('a'+i))+".example", 1000-i, 1)
		for n := range 250 {
			one.Samples = append(one.Samples, (&stage{bodies: bodies{}}).message(one.Source, n, soup(uint64(i))(n)))
		}
		traffic = append(traffic, one)
	}
	read := map[spoor.Source]int{}
	total := 0
	for _, b := range sampleOf(traffic) {
		for _, one := range b.samples {
			read[one.source]++
			total++
		}
	}
	if total != maxSamples || len(read) != maxSamples/maxSourceSamples {
		t.Errorf("%d messages of %d sources", total, len(read))
	}
	if got := read[traffic[0].Source]; got != maxSourceSamples {
		t.Errorf("%d messages of the largest source, want %d", got, maxSourceSamples)
	}
}

func TestBouncesAndInboundMailAreNotRead(t *testing.T) {
	s := newStage(100, 100)
	s.add(source(spoor.KindBounce, "mail.host.example", 20, 1), letter(1))
	inbound := source(spoor.KindNetwork, "192.0.2.1", 20, 1)
	inbound.Outbound = 0
	s.add(inbound, letter(1))
	if got := sampleOf(s.queue.Traffic); len(got) != 0 {
		t.Errorf("%d bodies, want none", len(got))
	}
}
