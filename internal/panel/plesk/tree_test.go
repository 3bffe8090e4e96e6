package plesk

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"spoor"
	"spoor/internal/host/hosttest"
)

// open reads a Plesk server from a tree. A tree without psa.conf or password
// gets them.
func open(t *testing.T, files map[string]string) *Panel {
	t.Helper()
	for name, content := range map[string]string{"etc/psa/psa.conf": "", "etc/psa/.psa.shadow": "secret\n"} {
		if _, ok := files[name]; !ok {
			files[name] = content
		}
	}
	root := hosttest.Tree(t, files)
	if !Detect(root) {
		t.Fatal("no Plesk was detected")
	}
	var gaps spoor.Gaps
	passwd, err := root.Passwd(&gaps)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	p, err := Open(t.Context(), root, passwd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// wantGaps compares the gaps, written as file and reason.
func wantGaps(t *testing.T, p *Panel, want ...string) {
	t.Helper()
	var got []string
	for _, gap := range p.Gaps() {
		got = append(got, gap.File+": "+gap.Reason)
	}
	if !slices.Equal(got, want) {
		t.Errorf("gaps:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
