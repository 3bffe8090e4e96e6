package plesk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"spoor"
	"spoor/internal/host"
)

// tree makes a root from names and contents. A name that ends with a slash is a
// directory; a content that starts with "-> " is where a symbolic link leads.
func tree(t *testing.T, files map[string]string) *host.Root {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		full := filepath.Join(dir, name)
		folder := filepath.Dir(full)
		if strings.HasSuffix(name, "/") {
			folder = full
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(content, "-> "); link {
			err = os.Symlink(target, full)
		} else if !strings.HasSuffix(name, "/") {
			err = os.WriteFile(full, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := host.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

// open reads a Plesk server from a tree. A tree without psa.conf or password
// gets them.
func open(t *testing.T, files map[string]string) *Panel {
	t.Helper()
	for name, content := range map[string]string{"etc/psa/psa.conf": "", "etc/psa/.psa.shadow": "secret\n"} {
		if _, ok := files[name]; !ok {
			files[name] = content
		}
	}
	root := tree(t, files)
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
