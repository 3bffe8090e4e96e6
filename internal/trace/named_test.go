package trace

import (
	"testing"

	"spoor"
)

func script(path string, confidence float64) spoor.Candidate {
	return spoor.Candidate{Source: spoor.Source{Kind: spoor.KindScript, Name: path}, Confidence: confidence, Text: "requests"}
}

func TestNamedScripts(t *testing.T) {
	ranks := func(name string, got []spoor.Candidate, want ...spoor.Candidate) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%s: %d candidates, want %d: %+v", name, len(got), len(want), got)
		}
		for i := range got {
			if got[i].Source != want[i].Source || got[i].Confidence != want[i].Confidence || got[i].Text == "" {
				t.Errorf("%s: candidate %d is %s with %v, want %s with %v", name, i, got[i].Source, got[i].Confidence, want[i].Source, want[i].Confidence)
			}
		}
	}
	only := []NamedScript{{Name: "m.php", Count: 10, Paths: []string{"/a/m.php"}}}
	two := []NamedScript{{Name: "m.php", Count: 10, Paths: []string{"/a/m.php", "/b/m.php"}}}
	ranks("the only file of its name", AddNamed(nil, only, 10), script("/a/m.php", 0.7))
	ranks("half of the messages name it", AddNamed(nil, only, 20), script("/a/m.php", 0.35))
	ranks("two files share a name", AddNamed(nil, two, 10), script("/a/m.php", 0.35), script("/b/m.php", 0.35))
	ranks("requests agree", AddNamed([]spoor.Candidate{script("/b/m.php", 0.8)}, two, 10), script("/b/m.php", 0.87), script("/a/m.php", 0.35))
	ranks("never a fact", AddNamed([]spoor.Candidate{script("/a/m.php", 0.95)}, only, 10), script("/a/m.php", 0.95))
	url := []NamedScript{{Name: "shop.test/m.php", URL: true, Count: 10, Paths: []string{"/a/m.php"}}}
	ranks("named with domain and path", AddNamed(nil, url, 10), script("/a/m.php", 0.7))
	ranks("no file", AddNamed([]spoor.Candidate{script("/x", 0.5)}, []NamedScript{{Name: "m.php", Count: 3}}, 10), script("/x", 0.5))
}
