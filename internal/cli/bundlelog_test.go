package cli

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"spoor/internal/host/hosttest"
)

// A customer's folder may have a link where the web server's log was.
func TestALinkIsNoAccessLog(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{
		"root/secret": "secret", "home/ada/logs/access.log": "-> /root/secret", "var/log/web/shop/access.log": "GET /", "var/log/web/link": "-> shop",
	})
	for name, want := range map[string]string{
		"/home/ada/logs/access.log":     "",
		"/var/log/web/shop/access.log":  "var/log/web/shop/access.log",
		"/var/log/web/link/access.log":  "var/log/web/shop/access.log",
		"/var/log/web/shop/missing.log": "",
	} {
		got, ok := ownLog(root, name)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %t", name, got, ok)
		}
	}
}

// What a customer's link has led to is named in an archive, and not read.
func TestWhatACustomersLinkLeadsToIsPrivate(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	root := hosttest.Tree(t, map[string]string{
		"root/secret": "secret", "home/ada/access.log": "-> ../../root/secret", "etc/real": "x", "etc/link": "-> real",
	})
	if err := os.Lchown(filepath.Join(root.Dir(), "home/ada/access.log"), 10003, 10003); err != nil {
		t.Fatal(err)
	}
	got := ledTo(root, map[string]string{"home/ada/access.log": "../../root/secret", "etc/link": "real"})
	if !slices.Contains(got, "root/secret") || slices.Contains(got, "etc/real") {
		t.Errorf("%q", got)
	}
}
