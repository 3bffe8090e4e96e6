package qmail

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

// TestWhatTcprulesMakesOfRules has what the real tcprules of ucspi-tcp 0.88 made of
// the same text; e2e/qmail compares the two on more of it.
func TestWhatTcprulesMakesOfRules(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		rules, err := compileRules(text)
		var words []string
		for _, r := range rules {
			words = append(words, fmt.Sprintf("%s=%q@%d", r.key, r.data, r.line))
		}
		if err != nil {
			words = []string{err.Error()}
		}
		if got := strings.Join(words, " "); got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", text, got, want)
		}
	}
	f("# x\n\n127.:allow,RELAYCLIENT=\"\"\n10.:deny\n", `127.="+RELAYCLIENT=\x00"@3 10.="D\x00"@4`)
	f("192.0.2.8-10:allow,A=/x y/,B=\"\" \t\n:allow", `192.0.2.8="+A=x y\x00+B=\x00"@1 192.0.2.9="+A=x y\x00+B=\x00"@1 192.0.2.10="+A=x y\x00+B=\x00"@1 =""@2`)
	f("10.1-2.:deny\nno rule\n=A.Host-1.Test:allow\n", `10.1.="D\x00"@1 10.2.="D\x00"@1 =A.Host-1.Test=""@3`)
	f("1.2.3.9-3:deny\n", "")
	f("1.2.-3:deny\n-1:deny\n1.2.3.300-400:deny\n", `1.2.0="D\x00"@1 1.2.1="D\x00"@1 1.2.2="D\x00"@1 1.2.3="D\x00"@1 0="D\x00"@2 1="D\x00"@2`)
	f("a.b-c:deny\n", `line 1: strconv.ParseUint: parsing "b": invalid syntax`)
	f("1.2.3.4:permit\n", `line 1: "permit" is neither allow nor deny`)
	f("1.2.3.4:allow,X\n", `line 1: ",X" is no variable`)
	f("1.2.3.4:allow,X=\"\n", `line 1: ",X=\"" is no variable`)
}

// cdbOf is a constant database with records, whose tables have nothing in them.
func cdbOf(records ...string) []byte {
	var body []byte
	for i := 0; i+1 < len(records); i += 2 {
		body = binary.LittleEndian.AppendUint32(body, uint32(len(records[i])))
		body = binary.LittleEndian.AppendUint32(body, uint32(len(records[i+1])))
		body = append(append(body, records[i]...), records[i+1]...)
	}
	var header []byte
	for range 256 {
		header = binary.LittleEndian.AppendUint32(header, uint32(2048+len(body)))
		header = binary.LittleEndian.AppendUint32(header, 0)
	}
	return append(header, body...)
}

func FuzzRuleRecords(f *testing.F) {
	f.Add(cdbOf("127.", "+RELAYCLIENT=\x00", "", "D\x00"))
	f.Add(cdbOf())
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := readRuleRecords(data)
		size := 0
		for _, r := range rules {
			size += len(r.key) + len(r.data)
		}
		if err == nil && size > len(data) {
			t.Errorf("%d bytes of %d", size, len(data))
		}
	})
}

func FuzzRules(f *testing.F) {
	f.Add("127.:allow,RELAYCLIENT=\"\"\n192.0.2.8-10:allow,A=/x/\n:deny\n", "192.0.2.9/32")
	f.Add("1.2.:allow,RELAYCLIENT=\"\"\n1.2.3.:deny", "1.2.0.0/16")
	f.Fuzz(func(t *testing.T, text, network string) {
		rules, err := compileRules(text)
		prefix, err1 := netip.ParsePrefix(network)
		if err != nil || err1 != nil {
			return
		}
		prefix = prefix.Masked()
		changes, ok := relayBars(rules, prefix, text)
		if !ok {
			return
		}
		front := ""
		for _, c := range changes {
			front += c.New + "\n"
		}
		after, err := compileRules(front + text)
		if err != nil {
			t.Fatalf("%q: %v", front, err)
		}
		if again, ok := relayBars(after, prefix, front+text); !ok || len(again) > 0 {
			t.Errorf("%q in front of %q: still relays: %v", front, text, again)
		}
	})
}

func TestRulesInFrontOfOthers(t *testing.T) {
	f := func(network, text, want string) {
		t.Helper()
		rules, err := compileRules(text)
		if err != nil {
			t.Fatal(err)
		}
		changes, ok := relayBars(rules, netip.MustParsePrefix(network), text)
		var words []string
		for _, c := range changes {
			words = append(words, c.New)
		}
		if !ok {
			words = append(words, "by hand")
		}
		if got := strings.Join(words, " "); got != want {
			t.Errorf("%s in %q: %q, want %q", network, text, got, want)
		}
	}
	const wide = "203.0.113.:allow,RELAYCLIENT=\"\",QMAILQUEUE=\"/scan\"\n203.0.113.7:deny\n203.0.113.8:allow,RELAYCLIENT=\"\"\n:allow\n"
	f("203.0.113.9/32", wide, `203.0.113.9:allow,QMAILQUEUE="/scan"`)
	f("203.0.113.7/32", wide, "")
	f("203.0.113.0/24", wide, `203.0.113.:allow,QMAILQUEUE="/scan" 203.0.113.8:allow`)
	f("203.0.0.0/16", wide, `203.0.113.:allow,QMAILQUEUE="/scan" 203.0.113.8:allow`)
	f("203.0.113.0/25", wide, "by hand")
	f("198.51.100.0/25", wide, "")
	f("198.51.100.1/32", wide, "")
	f("198.51.100.1/32", ":allow,RELAYCLIENT=\"\"\n", "198.51.100.1:allow")
	f("203.0.113.12/32", "203.0.113.10-20:allow,RELAYCLIENT=\"\"\n", "203.0.113.12:allow")
	f("2001:db8::1/128", ":allow,RELAYCLIENT=\"\"\n", "by hand")
	f("2001:db8::1/128", ":allow\n", "")
}

func TestTheCompiledRulesCount(t *testing.T) {
	const text = "127.:allow,RELAYCLIENT=\"\"\n203.0.113.8-9:allow,RELAYCLIENT=\"\"\n"
	f := func(cdb []byte, want string) {
		t.Helper()
		files := map[string]string{"etc/tcp.smtp": text, "var/qmail/supervise/qmail-smtpd/run": "#!/bin/sh\nexec tcpserver -v -R \\\n  -x /srv/rules.cdb -u 1 0 smtp qmail-smtpd\n"}
		if cdb != nil {
			files["etc/tcp.smtp.cdb"] = string(cdb)
		}
		files["srv/rules.cdb"] = string(cdbOf("192.0.2.1", "+RELAYCLIENT=\x00", "192.0.2.2", "+X=\x00", "192.0.2.3", "D\x00+RELAYCLIENT=\x00"))
		var policy spoor.MailPolicy
		LogOnly(hosttest.Tree(t, files), &host.Passwd{}, Options{}).MailPolicy(&policy)
		var words []string
		for _, e := range policy.Relay {
			words = append(words, e.Prefix.String()+" "+e.Place.Place())
		}
		for _, g := range policy.Gaps {
			words = append(words, "gap "+g.File)
		}
		if got := strings.Join(words, ", "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const of = "127.0.0.0/8 /etc/tcp.smtp:1, 203.0.113.8/31 /etc/tcp.smtp:2"
	const named = "192.0.2.1/32 /srv/rules.cdb"
	relay := "+RELAYCLIENT=\x00"
	f(nil, of+", "+named+", gap /srv/rules.cdb")
	f(cdbOf("127.", relay, "203.0.113.8", relay, "203.0.113.9", relay), of+", "+named+", gap /srv/rules.cdb")
	f(cdbOf("127.", relay, "203.0.113.8", relay, "203.0.113.9", relay, "198.51.100.", relay), of+", 198.51.100.0/24 /etc/tcp.smtp.cdb, "+named+", gap /etc/tcp.smtp.cdb, gap /srv/rules.cdb")
	f([]byte("torn"), of+", "+named+", gap /srv/rules.cdb")
}

func TestWhichRulesARunScriptNames(t *testing.T) {
	f := func(script, want string) {
		t.Helper()
		if got := strings.Join(rulesOf(script), " "); got != want {
			t.Errorf("%q: %q, want %q", script, got, want)
		}
	}
	f("exec tcpserver -x /etc/tcp.smtp.cdb 0 25 qmail-smtpd", "/etc/tcp.smtp")
	f("exec tcpserver -x\"/etc/a.cdb\" 0 smtp x", "/etc/a")
	f("exec tcpserver -x /etc/tcp.pop3.cdb 0 110 qmail-pop3d", "")
	f("exec tcpserver -x $RULES 0 smtp x", "")
	f("exec tcpserver -x /etc/../tmp/a.cdb -x relative.cdb -x '/a;b.cdb' 0 smtp x -x", "")
	f("tar -x /etc/smtp.cdb", "")
}

func TestHowTheRelayListOfTcpserverIsMended(t *testing.T) {
	const source = "/etc/tcp.smtp"
	relay := "+RELAYCLIENT=\x00"
	text := "127.:allow,RELAYCLIENT=\"\"\n203.0.113.:allow,RELAYCLIENT=\"\",X=\"y\"\n203.0.114.1-3:allow,RELAYCLIENT=\"\"\n"
	same := cdbOf("127.", relay, "203.0.113.", relay+"+X=y\x00", "203.0.114.1", relay, "203.0.114.2", relay, "203.0.114.3", relay)
	f := func(network string, cdb []byte, want ...string) {
		t.Helper()
		root := hosttest.Tree(t, map[string]string{"etc/tcp.smtp": text, "etc/tcp.smtp.cdb": string(cdb)})
		q := LogOnly(root, &host.Passwd{}, Options{})
		var policy spoor.MailPolicy
		q.MailPolicy(&policy)
		m := &spoor.Mending{Finding: spoor.Finding{Check: "relay-list", Subject: network}}
		for _, e := range policy.Relay {
			if e.Prefix.String() == network {
				m.Finding.Evidence = append(m.Finding.Evidence, e.Place)
			}
		}
		got := q.Mend(m)
		var words []string
		for _, step := range got.Steps {
			if step.Edit != nil {
				words = append(words, step.Edit.Path+": "+step.Edit.Changes[0].Old+" -> "+step.Edit.Changes[0].New)
			} else {
				words = append(words, step.What)
			}
		}
		words = append(words, got.ByHand...)
		if !slices.Equal(words, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", network, strings.Join(words, "\n     "), strings.Join(want, "\n     "))
		}
	}
	const command = "tcprules /etc/tcp.smtp.cdb /etc/tcp.smtp.tmp < /etc/tcp.smtp"
	if owned(t) {
		f("203.0.113.0/24", same, "", source+`: 203.0.113.:allow,RELAYCLIENT="",X="y" -> 203.0.113.:allow,X="y"`, command)
	}
	f("203.0.113.0/24", cdbOf("127.", relay), "take 203.0.113.0/24 out of /etc/tcp.smtp, and run "+command+"   (not done, since /etc/tcp.smtp.cdb was not made of it as it is now)")
	f("203.0.113.0/24", nil, "take 203.0.113.0/24 out of /etc/tcp.smtp, and run "+command+"   (not done, since /etc/tcp.smtp.cdb cannot be read, so that nothing shows that the server uses this file)")
	f("203.0.114.2/31", same, "take 203.0.114.2/31 out of /etc/tcp.smtp:3, and run "+command)
	f("192.0.2.0/24", cdbOf("192.0.2.", relay), "take 192.0.2.0/24 off the list of those who may relay in /etc/tcp.smtp.cdb: make it anew of a text, by tcprules")
}

// tcpserver reads the compiled file: what it lets relay is told, whatever the text says.
func TestAStoppedNetworkIsLookedForInTheCompiledRules(t *testing.T) {
	relays := string(cdbOf("198.51.100.", "+RELAYCLIENT=\x00"))
	const command = "tcprules /etc/tcp.smtp.cdb /etc/tcp.smtp.tmp < /etc/tcp.smtp"
	const stale = "take 198.51.100.7/32 off the list of those who may relay in /etc/tcp.smtp, if it is there, and run " + command +
		"   (not done, since /etc/tcp.smtp.cdb was not made of it as it is now, and lets it relay)"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"a text with an error", map[string]string{"etc/tcp.smtp": "127.:alow\n", "etc/tcp.smtp.cdb": relays}, []string{stale}},
		{"a text without it", map[string]string{"etc/tcp.smtp": ":allow\n", "etc/tcp.smtp.cdb": relays}, []string{stale}},
		{"no text", map[string]string{"etc/tcp.smtp.cdb": relays}, []string{"take 198.51.100.7/32 off the list of those who may relay in /etc/tcp.smtp.cdb: make it anew of a text, by tcprules"}},
		{"others in both", map[string]string{"etc/tcp.smtp": "127.:allow\n", "etc/tcp.smtp.cdb": string(cdbOf("10.", "+RELAYCLIENT=\x00"))}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := LogOnly(hosttest.Tree(t, c.files), &host.Passwd{}, Options{}).stopRelaying(netip.MustParsePrefix("198.51.100.7/32"), false)
			if len(m.Steps) > 0 || !slices.Equal(m.ByHand, c.want) {
				t.Errorf("got  %q\nwant %q", m.ByHand, c.want)
			}
		})
	}
}

// Whoever owns a folder above can put another one in the place of the folder with the
// rules, also where that is root's.
func TestRulesBelowAFolderOfSomebodyElseAreChangedByHand(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give folders to others")
	}
	root := hosttest.Tree(t, map[string]string{"home/vpopmail/etc/tcp.smtp": ""})
	q := LogOnly(root, &host.Passwd{}, Options{})
	if !q.safeFolder("/home/vpopmail/etc/tcp.smtp") {
		t.Error("all of it is root's, and it is not safe")
	}
	if err := os.Chown(filepath.Join(root.Dir(), "home/vpopmail"), 89, 89); err != nil {
		t.Fatal(err)
	}
	if q.safeFolder("/home/vpopmail/etc/tcp.smtp") {
		t.Error("user 89 can exchange the folder, and it is safe")
	}
}

// owned reports whether root owns what a test makes.
func owned(t *testing.T) bool {
	t.Helper()
	return LogOnly(hosttest.Tree(t, map[string]string{"etc/x": ""}), &host.Passwd{}, Options{}).safeFolder("/etc/x")
}
