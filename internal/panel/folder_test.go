package panel

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
	"testing"

	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

func TestFolderKeepsItsFilesIn(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{
		"etc/shadow":           "secret",
		"www":                  "-> srv/vhosts",
		"srv/vhosts/a/index":   "A",
		"srv/vhosts/a/self":    "-> index",
		"srv/vhosts/a/abs":     "-> /srv/vhosts/b/index",
		"srv/vhosts/a/shadow":  "-> /etc/shadow",
		"srv/vhosts/a/up":      "-> ../../../etc",
		"srv/vhosts/a/loop":    "-> loop",
		"srv/vhosts/b/index":   "B",
		"srv/vhosts-of-others": "-> /etc/shadow",
	})
	vhosts := www(t, root)
	if got := vhosts.Name(); got != "/srv/vhosts" {
		t.Errorf("Name() = %q", got)
	}
	read := func(name, want string, wantErr error) {
		t.Helper()
		f, err := vhosts.OpenFile(name)
		if !errors.Is(err, wantErr) {
			t.Errorf("OpenFile(%q) gave error %v, want %v", name, err, wantErr)
		}
		if err != nil {
			return
		}
		defer func() { _ = f.Close() }()
		if data, err := io.ReadAll(f); string(data) != want || err != nil {
			t.Errorf("OpenFile(%q) holds %q, %v, want %q", name, data, err, want)
		}
	}
	read("/www/a/index", "A", nil)
	read("/srv/vhosts/a/self", "A", nil)
	read("/srv/vhosts/a/abs", "B", nil)
	read("/srv/vhosts/a/shadow", "", ErrOutside)
	read("/srv/vhosts/a/up/shadow", "", ErrOutside)
	read("/srv/vhosts/a/loop", "", host.ErrLinkLoop)
	read("/srv/vhosts-of-others", "", ErrOutside)
	read("/etc/shadow", "", ErrOutside)
	read("/srv/vhosts/a/none", "", fs.ErrNotExist)
	read("/srv/vhosts/a", "", host.ErrNotRegular)

	a, err := vhosts.Sub("/srv/vhosts/a")
	if err != nil {
		t.Fatal(err)
	}
	if !a.IsFile("/srv/vhosts/a/self") || a.IsFile("/srv/vhosts/a/abs") || a.IsDir("/srv/vhosts/a/up") || !a.IsDir("/www/a") {
		t.Error("a subfolder must hold what resolves into it and nothing else")
	}
	if _, err := vhosts.Sub("/etc"); !errors.Is(err, ErrOutside) {
		t.Errorf("Sub(/etc) gave %v", err)
	}
	if (Folder{}).IsFile("/etc/shadow") {
		t.Error("the zero Folder holds nothing")
	}
}

func TestFolderDoesNotWaitForAFIFO(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"www/": ""})
	if err := syscall.Mkfifo(root.Dir()+"/www/log", 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := www(t, root).OpenFile("/www/log"); !errors.Is(err, host.ErrNotRegular) {
		t.Errorf("a FIFO gave %v", err)
	}
}

func TestFolderRefusesALinkThatAppearsAfterItWasResolved(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"etc/passwd": "x", "www/a": "-> /etc"})
	if _, err := www(t, root).walk("/www/a"); !errors.Is(err, syscall.ELOOP) && !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("walk through a link gave %v", err)
	}
}
