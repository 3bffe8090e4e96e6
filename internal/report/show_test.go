package report

import (
	"io"
	"strings"
	"testing"

	"spoor"
)

func TestThePageLeavesOutWhatSaysNothing(t *testing.T) {
	f := func(part string, want bool, change func(s *Show)) {
		t.Helper()
		s := sampleShow()
		change(s)
		who := sampleWho()
		who.Sources[0] = s.Source
		page := written(t, func(w io.Writer) error { return s.Text(w, plainStyle) })
		page += written(t, func(w io.Writer) error { return who.Text(w, plainStyle, 0) })
		if got := strings.Contains(page, part); got != want {
			t.Errorf("%q is on the page: %v, want %v\n%s", part, got, want, page)
		}
	}
	const copies = "share the most frequent body"
	f(copies, true, func(s *Show) { s.Source.Traffic.LargestCopy = 2 })
	f(copies, false, func(s *Show) { s.Source.Traffic.LargestCopy = 1 })
	const unlikely = "httpdocs/index.php"
	f(unlikely, false, func(*Show) {})
	f(unlikely, true, func(s *Show) { s.Source.Traffic.Candidates[1].Confidence = 0.1 })
	f("Likely, not proven", false, func(s *Show) { s.Source.Traffic.Candidates = s.Source.Traffic.Candidates[1:] })
	const doubt = "only 60% sure that the mail is from this source"
	f(doubt, false, func(*Show) {})
	f(doubt, true, func(s *Show) { s.Source.Traffic.Confidence = 0.6 })
}

func TestAFactIsQuotedOnce(t *testing.T) {
	s := sampleShow()
	s.Source.Traffic.Evidence = append(s.Source.Traffic.Evidence, s.Source.Traffic.Evidence...)
	page := written(t, func(w io.Writer) error { return s.Text(w, plainStyle) })
	if got := strings.Count(page, "/etc/passwd:31"); got != 1 {
		t.Errorf("quoted %d times:\n%s", got, page)
	}
}

func TestACauseIsOfWhatWasCounted(t *testing.T) {
	f := func(queued, logged int, want string) {
		t.Helper()
		traffic := &spoor.Traffic{
			Cause: spoor.Source{Kind: spoor.KindNetwork, Name: "203.0.113.78"}, CauseCount: 16,
			Messages: queued, History: &spoor.History{Accepted: logged},
		}
		if got := causeOf(traffic); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	f(20, 30, "network:203.0.113.78 (16 of 20 messages)")
	f(0, 30, "network:203.0.113.78 (16 of 30 messages in the log)")
}

func TestAMessageThatIsNotThereAnyMoreIsNotLost(t *testing.T) {
	f := func(l Life, want string) {
		t.Helper()
		if got := lifeState(&l); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	f(Life{Ended: true}, "(ended)")
	f(Life{Queued: true, Again: "5B"}, "(in the queue)")
	f(Life{Again: "5B"}, "(queued again as 5B)")
	f(Life{}, "(not ended in the log, and not in the queue)")
}
