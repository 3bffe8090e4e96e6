package panel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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

// www is the folder that most tests keep their files in.
func www(t *testing.T, root *host.Root) Folder {
	t.Helper()
	f, err := OpenFolder(root, "/www")
	if err != nil {
		t.Fatal(err)
	}
	return f
}
