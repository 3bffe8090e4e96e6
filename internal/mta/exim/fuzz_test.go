package exim

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

// FuzzSpoolHeader reads a -H file, and the -J file and body beside it.
func FuzzSpoolHeader(f *testing.F) {
	f.Add([]byte(spoolFile(idOfOne, overAuth, noTree, []string{"c@d.test"}, receivedBy(idOfOne)+headerLine('*', "X: y"))), []byte("c@d.test\n"))
	f.Add([]byte(spoolFile(idOfOne, asUser+"-aclm 0 3\na\nb\n", "YN a@b.test\nNN c@d.test\n", []string{"c@d.test  0,0 e@f.test 8,-1#3"}, headerLine(' ', "Subject: s"))), []byte("\x00"))
	f.Add([]byte(spoolFile(idOfOne, "-localerror\n-spool_file_wireformat\n", noTree, nil, headerLine(' ', "Content-Type: multipart/report; boundary=x"))), []byte("--x\r\n"))
	q := spoolWith(f, map[string]string{"input/q/keep/": "", "msglog/q/keep/": ""})
	f.Fuzz(func(t *testing.T, header, other []byte) {
		for name, data := range map[string][]byte{
			"input/q/" + idOfOne + "-H": header, "input/q/" + idOfOne + "-D": append([]byte(idOfOne+"-D\n"), other...),
			"input/q/" + idOfOne + "-J": other, "msglog/q/" + idOfOne: other,
		} {
			if err := os.WriteFile(filepath.Join(q.root.Dir(), q.spool, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		messages, _ := scanAll(t, q)
		m := messages[idOfOne]
		if m == nil {
			t.Fatal("the message is not listed")
		}
		if m.Recipients.Len() > len(header) || len(m.Trail.Claims) > spoor.MaxForgeable || len(m.Trail.Forgeable) > spoor.MaxForgeable {
			t.Errorf("%d bytes became %d recipients, %d claims", len(header), m.Recipients.Len(), len(m.Trail.Claims))
		}
		if !strings.Contains(string(header), m.Sender) {
			t.Errorf("sender %q is not in the file", m.Sender)
		}
		_, _ = q.Head(m, make([]byte, 4096))
		var out bytes.Buffer
		if err := writeBP(q, &out); err != nil {
			t.Error(err)
		}
	})
}

// FuzzReceived holds that what is told stands in the text.
func FuzzReceived(f *testing.F) {
	f.Add("from [127.0.5.77] (port=51949 helo=EPSON77)\n\tby mx1.example.com with esmtp (Exim 4.96)\n\tid " + idOfOne + ";")
	f.Add("from mail.sender.test ([198.51.100.4] helo=x)\n\tby mx1 with esmtpsa (TLS1.3) x\n\tid " + idNew)
	f.Add("from site1 by mx1.example.com with local (Exim 4.96)\n\tid " + idOfOne)
	f.Fuzz(func(t *testing.T, value string) {
		r, ok := parseReceived(value)
		if ok && (!strings.Contains(value, r.host) || !strings.Contains(value, r.id) || !strings.Contains(value, r.hop.HELO) || r.id != "" && !isID(r.id)) {
			t.Errorf("%+v out of %q", r, value)
		}
	})
}

// FuzzConf reads a configuration that includes itself.
func FuzzConf(f *testing.F) {
	f.Add("primary_hostname = a.b\ndomainlist x = @ : /etc/exim.conf : lsearch;/etc/exim.conf\n.include /etc/exim.conf\n")
	f.Add("A = AA\nAA=AAA\nspool_directory = AAA\ndata = ${lookup{x}lsearch*@{/etc/exim.conf}}\n")
	root := hosttest.Tree(f, map[string]string{"etc/exim.conf": ""})
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			return
		}
		if err := os.WriteFile(filepath.Join(root.Dir(), "etc/exim.conf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := ReadConfig(root, &host.Passwd{}, &spoor.Gaps{})
		c.Serves("a.test")
		c.nameOf("a@b.test")
		if len(c.Spool) > maxLineBytes || len(c.Hostname) > maxLineBytes {
			t.Errorf("options of %d and %d bytes", len(c.Spool), len(c.Hostname))
		}
	})
}
