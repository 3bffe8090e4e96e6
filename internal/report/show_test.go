package report

import (
	"io"
	"strings"
	"testing"
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
