package cli

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// A login without a domain is a name of somebody too, wherever it stands.
func TestLoginsWithoutADomainAreReplaced(t *testing.T) {
	tree := postfixQueue()
	tree["var/log/mail.log"] = "2026-11-23T10:00:00Z mx postfix/smtpd[7]: 4FA8D00001: client=h.example[203.0.113.7], sasl_method=PLAIN, sasl_username=hildegard\n" +
		"2026-11-23T10:00:00Z mx postfix/cleanup[8]: 4FA8D00001: message-id=<1@shop.example>\n" +
		"2026-11-23T10:00:00Z mx postfix/qmgr[9]: 4FA8D00001: from=<a@shop.example>, size=900, nrcpt=1 (queue active)\n" +
		"2026-11-23T10:00:01Z mx postfix/smtpd[7]: 4FA8D00002: client=localhost[127.0.0.1]\n" +
		"2026-11-23T10:00:01Z mx postfix/cleanup[8]: 4FA8D00002: message-id=<2@shop.example>\n" +
		"2026-11-23T10:00:01Z mx postfix/qmgr[9]: 4FA8D00002: from=<a@shop.example>, size=900, nrcpt=1 (queue active)\n"
	tree["var/log/roundcube/sendmail.log"] = "[23-Nov-2026 10:00:01 +0000]: <p9c19hm4> User cleanup [203.0.113.7]; Message <2@shop.example> for m@far.example; 250: 2.0.0 Ok: queued as 4FA8D00002\n" +
		"[23-Nov-2026 10:00:09 +0000]: <p9c19hm4> User hildegard [203.0.113.7]; Message <3@shop.example> for m@far.example; 250: 2.0.0 Ok: queued as 4FA8D00003\n"
	dir, to := hosttest.Tree(t, tree).Dir(), filepath.Join(t.TempDir(), "x.tar.gz")
	var out, problems bytes.Buffer
	if status := Main([]string{"--root", dir, "bundle", "--to", to}, testEnvironment(&out, &problems)); status != 0 {
		t.Fatalf("status %d\n%s", status, &problems)
	}
	text := unpackText(t, to)
	if strings.Contains(text, "hildegard") || !strings.Contains(text, "postfix/cleanup[8]") {
		t.Errorf("%s", text)
	}
}

// unpackText is all that is in an archive.
func unpackText(t *testing.T, name string) string {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	packed, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
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
