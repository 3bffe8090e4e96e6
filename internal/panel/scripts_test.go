package panel

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

func TestASearchLooksAtSoManyEntries(t *testing.T) {
	files := map[string]string{}
	for i := range 20 {
		files[fmt.Sprintf("www/%d", i)] = ""
	}
	dir, err := www(t, hosttest.Tree(t, files)).OpenDir("/www")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	var gaps spoor.Gaps
	s := scriptSearch{gaps: &gaps, name: "x.php", left: 10}
	s.walk(t.Context(), dir, "/www", 0)
	want := []spoor.Gap{{File: "/www", Reason: "folder was not searched to its end", Count: 1}}
	if got := gaps.List(); s.left != 0 || !slices.Equal(got, want) {
		t.Errorf("left %d, gaps %v", s.left, got)
	}
}

func FuzzDecodePath(f *testing.F) {
	f.Fuzz(func(t *testing.T, logged string) {
		name, ok := decodePath(logged)
		if ok && (path.Clean(name) != name || name[0] != '/' || strings.IndexByte(name, 0) >= 0 || strings.HasPrefix(name, "/../")) {
			t.Fatalf("%q", name)
		}
		if len(unescapeLogged(logged)) > len(logged) {
			t.Fatal("it grew")
		}
	})
}

func FuzzMailLogOf(f *testing.F) {
	f.Fuzz(func(t *testing.T, ini []byte) {
		if name := mailLogOf(ini); strings.ContainsAny(name, "\x00\n") || len(name) > len(ini) {
			t.Fatalf("%q", name)
		}
	})
}
