package cli

import (
	"os"
	"path/filepath"
	"testing"

	"spoor/internal/host"
)

// A relative name is one in the working directory, but below a --root it is one there.
func TestALogIsNamedAsAnyOtherFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("mail.log.old", []byte("Nov 23 11:32:18 mx postfix/qmgr[5]: 4A1B2C3D4E: removed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(root, name string, found bool) {
		t.Helper()
		r, err := host.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		s := &server{root: r}
		streams, err := s.streams(&options{root: root, logs: []string{name}})
		if (err == nil && len(streams) == 1) != found {
			t.Errorf("--root %s --log %s: %d logs, %v", root, name, len(streams), err)
		}
	}
	f("/", "mail.log.old", true)
	f("/", "./mail.log.old", true)
	f("/", filepath.Join(dir, "mail.log.old"), true)
	f("/", "/mail.log.old", false)
	f(dir, "mail.log.old", true)
	f(dir, "/mail.log.old", true)
	f(filepath.Dir(dir), "mail.log.old", false)
}
