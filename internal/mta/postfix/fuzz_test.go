package postfix

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/mta"
)

func wantAll() mta.Want { return mta.Want{Addresses: true} }

// FuzzQueueFile reads a file as a message, as its content and for postqueue.
func FuzzQueueFile(f *testing.F) {
	f.Add([]byte(queueFile(from("a@b.test", "c@d.test"), smtpReceived+tail, "")))
	f.Add([]byte(queueFile(record(recTime, "1 0")+record(recFrom, ""), userReceived+tail, record(recDone, "x@y.test"))))
	f.Add([]byte(sizeRecord(3, 300) + record(recPointer, "              96") + record(recPadding, "x") + record('W', "1")))
	f.Add([]byte("C\xff\xff\xff\xff\xff"))
	names := []string{"deferred/4/4FA8DC0101", "maildrop/4FA8DC0102"}
	q := serverWith(f, map[string]string{names[0]: "", names[1]: ""})
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(q.root.Dir(), q.dirs[0], name), file, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		messages, _ := scanAll(t, q)
		for _, m := range messages {
			if m.Recipients.Len() > len(file) || len(m.Trail.Claims) > spoor.MaxForgeable || len(m.Trail.Forgeable) > spoor.MaxForgeable {
				t.Errorf("%d bytes became %d recipients, %d claims", len(file), m.Recipients.Len(), len(m.Trail.Claims))
			}
			buf := make([]byte, 4096)
			if _, err := q.Head(m, buf); err == nil && m.Subject != "" && !bytes.Contains(file, []byte(strings.SplitN(m.Subject, "\n", 2)[0])) {
				t.Errorf("subject %q is not in the file", m.Subject)
			}
		}
		var out bytes.Buffer
		if err := writePostqueue(q, &out); err != nil {
			t.Error(err)
		}
	})
}

// FuzzReceived holds that a client's address comes out of the text.
func FuzzReceived(f *testing.F) {
	f.Add("from User (client2.isp.test [198.51.100.2])\n\t(Authenticated sender: a@x.test)\n\tby mx1.example.com (Postfix) with ESMTPSA id 4FA8DC0101\n\tfor <b@y.test>; Mon")
	f.Add("by mx1.example.com (Postfix, from userid 10003)\n\tid 4jY1nY324Bz5vT0; Mon")
	f.Add("by mx1.example.com (Postfix)\n\tid 554ACC0104; Mon")
	f.Fuzz(func(t *testing.T, value string) {
		r, ok := parseReceived(value)
		if ok && (!strings.Contains(value, r.host) || !strings.Contains(value, r.id) || !strings.Contains(value, r.hop.Account) || r.hop.UID < -1) {
			t.Errorf("%+v out of %q", r, value)
		}
	})
}

// FuzzDelays holds that what is told stands in the file, printable.
func FuzzDelays(f *testing.F) {
	f.Add([]byte("<a@b.test>: x\nrecipient=a@b.test\noffset=1\nreason=y\n\n"))
	f.Add([]byte("recipient=\nreason\n\n\n<"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range parseDelays(data) {
			if printable(d.address) != d.address || printable(d.reason) != d.reason || len(d.address)+len(d.reason) > len(data)+80 {
				t.Errorf("%q", d)
			}
		}
	})
}

// FuzzMainCF expands every parameter of a configuration.
func FuzzMainCF(f *testing.F) {
	f.Add("myhostname = a.b.test\nmydestination = $myhostname, /etc/postfix/main.cf\nx = ${y?{a}:{b}}\n")
	f.Add("x=$x\ny=$y$y\nvirtual_alias_maps = hash:/etc/postfix/main.cf\n")
	root := hosttest.Tree(f, map[string]string{"etc/postfix/main.cf": ""})
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			return
		}
		if err := os.WriteFile(filepath.Join(root.Dir(), "etc/postfix/main.cf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		conf, main := ReadConfig(root, &host.Passwd{}, &spoor.Gaps{})
		conf.Serves("a.test")
		conf.Alias("a@b.test")
		for name := range main.values {
			if got := main.Get(name); len(got) > maxExpanded {
				t.Errorf("%s expands to %d bytes", name, len(got))
			}
		}
	})
}
