package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/redact"
)

// written archives paths of a tree and returns what is in the archive, by name.
func written(t *testing.T, source *Source, names ...string) (map[string]string, *Writer) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, source, Manifest{Time: time.Unix(0, 0).UTC(), Host: "mx1.shop.test", MTA: "postfix"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := w.Add(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for in := tar.NewReader(&out); ; {
		head, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files, w
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := files[head.Name]; twice {
			t.Errorf("%s is in the archive twice", head.Name)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[head.Name] = string(text)
	}
}

func plainSource(root *host.Root) *Source {
	return &Source{
		Root:  root,
		Names: redact.New([]byte("0123456789abcdef")),
		Parts: func(_ string, file []byte) iter.Seq[Part] {
			return func(yield func(Part) bool) { yield(Part{Start: 1, End: len(file), Body: true}) }
		},
		OpenLog: func(name string) (io.ReadCloser, error) {
			file, err := root.OpenFile(name)
			if err != nil || !strings.HasSuffix(name, ".gz") {
				return file, err
			}
			return gzip.NewReader(file)
		},
	}
}

func TestSecretsAreNotInTheArchive(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{
		"etc/passwd":                    "ada:$6$salt$HASHHASHHASH:1001:1001:Ada Lovelace:/home/ada:/bin/sh\n",
		"etc/shadow":                    "ada:$6$salt$HASHHASHHASH:1:0:\n",
		"etc/postfix/main.cf":           "myhostname = mx1.shop.test\nmysql_password = geheim123\nlocal_recipient_maps = unix:passwd.byname $alias_maps\n",
		"etc/dovecot/x.conf":            "ada@shop.test:$2y$10$HASHHASHHASH:1:1\n",
		"etc/ssl/mx.key":                "-----BEGIN HASH-----\n",
		"var/www/shop.test/wp-conf.php": "<?php $password = 'geheim123';",
		"usr/share/zoneinfo/X":          "TZif2\x00shop.test",
		"var/lib/spoor/journal.jsonl":   "HASH",
	})
	source := plainSource(root)
	source.Private = []string{"var/www/shop.test"}
	files, w := written(t, source, "etc/passwd", "etc/shadow", "etc/postfix/main.cf", "etc/dovecot/x.conf", "etc/ssl/mx.key",
		"var/www/shop.test/wp-conf.php", "usr/share/zoneinfo/X", "var/lib/spoor/journal.jsonl")
	for name, text := range files {
		for _, secret := range []string{"HASH", "geheim", "Lovelace", "shop.test:", "mx1.shop"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in %s: %q", secret, name, text)
			}
		}
		if strings.Contains(name, "shop") {
			t.Errorf("a site is named by %s", name)
		}
	}
	if text := files["etc/postfix/main.cf"]; !strings.Contains(text, "local_recipient_maps = unix:passwd.byname $alias_maps\n") {
		t.Errorf("a setting is not what it was: %q", text)
	}
	if text := files["usr/share/zoneinfo/X"]; text != "TZif2\x00shop.test" {
		t.Errorf("the time zone is not what it was: %q", text)
	}
	if text, ok := files["etc/passwd"]; !ok || !strings.HasPrefix(text, "ada:x:1001:1001::/home/ada:") {
		t.Errorf("passwd is %q", text)
	}
	if w.Files != 7 {
		t.Errorf("%d files, want 7", w.Files)
	}
}

func TestSecretsWithinSettingsAreNotInTheArchive(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{
		"etc/exim4/exim4.conf":    "primary_hostname = mx\nhide mysql_servers = localhost/mail/exim/geheim1\n  client_send = : relay : geheim2\n",
		"etc/dovecot/sql.conf":    "driver = mysql\nconnect = host=db user=mail password=geheim3 dbname=mail\nuri = mysql://mail:geheim4@db/mail\n",
		"etc/php/pool.conf":       "[www]\nenv[DB_PASS] = geheim5\n",
		"home/ada/.forward":       "-----BEGIN OPENSSH PRIVATE KEY-----\ngeheim6\n",
		"etc/exim4/passwd.client": "smtp.relay.test:relay:geheim7\n", "etc/shadow": "ada:geheim8:1\n",
	})
	source := plainSource(root)
	source.Logs = []string{"etc/shadow"} // where a customer's link has led
	files, _ := written(t, source, "etc/exim4/exim4.conf", "etc/dovecot/sql.conf", "etc/php/pool.conf", "home/ada/.forward", "etc/exim4/passwd.client", "etc/shadow")
	for name, text := range files {
		if strings.Contains(text, "geheim") {
			t.Errorf("a secret is in %s: %q", name, text)
		}
	}
	if text := files["etc/dovecot/sql.conf"]; !strings.Contains(text, "connect = host=db user=mail password=xxxxxxx dbname=mail\n") {
		t.Errorf("more is gone than the secret: %q", text)
	}
	if len(files) < 6 {
		t.Errorf("only %d files", len(files))
	}
}

func TestPasswordsInLogsAreNotInTheArchive(t *testing.T) {
	const log = "Nov 27 08:40:00 mx vpopmail[123]: vchkpw-smtp: password fail (pass: 'geheim') x') anna@shop.example:203.0.113.7\n" +
		"Nov 27 08:40:00 mx vpopmail[123]: vchkpw-smtp: password fail (pass: 'geheim\n" +
		"Nov 27 08:40:03 mx dovecot: auth: passwd-file(anna@shop.example,203.0.113.7): Password mismatch (given password: geheim)geheim)\n" +
		"Nov 27 08:40:03 mx dovecot: auth: Debug: client in: AUTH\t1\tPLAIN\tservice=smtp\tresp=geheim= rip=203.0.113.7\n" +
		"Nov 27 08:40:03 mx postfix/smtpd[7]: < h.test[203.0.113.7]: AUTH PLAIN geheim==\n" +
		"2026-11-27 08:40:03 SMTP protocol error in \"AUTH LOGIN geheim\" H=h.test [203.0.113.7] AUTH command used when not advertised\n"
	root := hosttest.Tree(t, map[string]string{"var/log/maillog": log})
	for _, full := range []bool{false, true} {
		source := plainSource(root)
		if source.Logs = []string{"var/log/maillog"}; full {
			source.Names = nil
		}
		files, _ := written(t, source, source.Logs...)
		text := files["var/log/maillog"]
		if strings.Contains(text, "geheim") || len(text) != len(log) || strings.Count(text, "203.0.113.7") != 5 {
			t.Errorf("full: %v: %s", full, text)
		}
	}
}

func TestLogsAreUnpackedAndReplaced(t *testing.T) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	line := "Nov 23 10:06:57 mx1 postfix/smtpd[7]: 4FA8DC: client=x[192.0.2.1], sasl_username=ada@shop.test\n"
	_, _ = zip.Write([]byte(strings.Repeat(line, 20_000)))
	_ = zip.Close()
	root := hosttest.Tree(t, map[string]string{"var/log/mail.log.2.gz": packed.String(), "var/log/mail.log": line + "no end"})
	source := plainSource(root)
	source.Logs = []string{"var/log/mail.log.2.gz", "var/log/mail.log"}
	files, _ := written(t, source, source.Logs...)
	if long := files["var/log/mail.log.2"]; len(long) != 20_000*len(line) || strings.Contains(long, "shop") || strings.Count(long, "sasl_username=") != 20_000 {
		t.Errorf("%d bytes, want %d, without the name", len(long), 20_000*len(line))
	}
	if text := files["var/log/mail.log"]; !strings.HasSuffix(text, "no end") {
		t.Errorf("the log ends with %q", text)
	}
}

func TestLinksAndWhatIsGone(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"var/log/real": "x", "out": "-> /etc/shadow"})
	source := plainSource(root)
	var out bytes.Buffer
	w, err := NewWriter(&out, source, Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := errors.Join(w.Link("var/log/mail.log", "real"), w.Add("var/log/gone"), w.Add("../../etc/shadow"), w.Add("proc/self/environ")); err != nil {
			t.Fatal(err)
		}
	}
	if w.Files != 0 {
		t.Errorf("%d files, want none", w.Files)
	}
	if !bytes.Contains(out.Bytes(), []byte("var/log/mail.log")) || bytes.Contains(out.Bytes(), []byte("environ")) {
		t.Error("the link is not in the archive, or what must not be is")
	}
}

func FuzzHideSecret(f *testing.F) {
	f.Add([]byte("mysql_password = x $6$abc$HASHHASHHASH:"))
	f.Fuzz(func(t *testing.T, line []byte) {
		hidden := bytes.Clone(line)
		hideSecret(hidden)
		if len(hidden) != len(line) {
			t.Errorf("%q became %q", line, hidden)
		}
	})
}

// What qmail puts in front of local parts is replaced as in an address, so that it is
// still found there.
func TestPrefixesOfVirtualDomainsAreReplacedAsInAddresses(t *testing.T) {
	const name = "var/qmail/control/virtualdomains"
	source := plainSource(hosttest.Tree(t, map[string]string{name: "club.test:alias-club\nshop.test:shop.test\n.wild.test:ada\nempty.test:\njoe@x.test:joe\n"}))
	files, _ := written(t, source, name)
	address := []byte("alias-club-info@club.test shop.test-info@shop.test ada-b@wild.test joe@x.test")
	source.Names.Text(address)
	words := strings.Fields(string(address))
	want := ""
	for i, rule := range []string{"alias-club", "shop.test", "ada"} {
		_, domain, _ := strings.Cut(words[i], "@")
		if i == 2 {
			domain = "." + domain
		}
		want += domain + ":" + words[i][:len(rule)] + "\n"
	}
	for _, one := range []string{"club", "shop", "ada", "joe"} {
		if strings.Contains(files[name], one) {
			t.Errorf("%q is in %q", one, files[name])
		}
	}
	if !strings.HasPrefix(files[name], want) {
		t.Errorf("got %q, want it to begin with %q", files[name], want)
	}
}
