package exim

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/host/hosttest"
)

func TestIDs(t *testing.T) {
	f := func(id string, want int64, ok bool) {
		t.Helper()
		if isID(id) != ok || ok && idTime(id).Unix() != want {
			t.Errorf("isID(%s) = %v, %v", id, isID(id), ok)
		}
	}
	f("1xVRRq-0007pn-1m", 1795430338, true)
	f("1xVRRq-000000001Gg-05Rm", 1795430338, true)
	f("1xVRRq-0007pn-1", 0, false)
	f("1xVRRq_0007pn-1m", 0, false)
	f("1xVRR/-0007pn-1m", 0, false)
	f("1xVRRq-0007pn-1m-H", 0, false)
	f("", 0, false)
}

func TestRecipientLinesAreReadFromTheirEnd(t *testing.T) {
	f := func(line, address string, parent int) {
		t.Helper()
		got, at := cutRecipient([]byte(line))
		if string(got) != address || at != parent {
			t.Errorf("cutRecipient(%q) = %q, %d; want %q, %d", line, got, at, address, parent)
		}
	}
	f("a@b.test", "a@b.test", -1)
	f(`"with space"@b.test`, `"with space"@b.test`, -1)
	f("a@b.test rfc822;orig@b.test 18,3 err@b.test 10,-1#3", "a@b.test", -1)
	f("a@b.test  0,0 err@b.test 10,2#3", "a@b.test", 2)
	f(`"with space 1,2"@b.test  0,16  0,-1#3`, `"with space 1,2"@b.test`, -1)
	f("a@b.test err@b.test 10,7#1", "a@b.test", 7)
	f("a@b.test#3", "a@b.test#3", -1)
	f("a@b.test 99,1#1", "a@b.test 99,1#1", -1)
	f("#1", "#1", -1)
	f(" 0,0#1", " 0,0#1", -1)
	f("", "", -1)
}

func TestSizesAndAgesAreWrittenAsByExim(t *testing.T) {
	size := func(n int64, want string) {
		t.Helper()
		if got := sizeText(n); got != want {
			t.Errorf("sizeText(%d) = %q, want %q", n, got, want)
		}
	}
	size(0, "     ")
	size(1023, " 1023")
	size(1024, " 1.0K")
	size(10239, "10.0K")
	size(10240, "  10K")
	size(1<<20, " 1.0M")
	size(10<<20, "  10M")
	now := time.Unix(1795430266, 0)
	q := &Queue{now: func() time.Time { return now }}
	age := func(d time.Duration, want string) {
		t.Helper()
		if got := q.age(&spoor.Message{Arrived: now.Add(-d)}); got != want {
			t.Errorf("age(%v) = %q, want %q", d, got, want)
		}
	}
	age(0, " 0m")
	age(90*time.Minute+59*time.Second, "90m")
	age(91*time.Minute, " 2h")
	age(72*time.Hour+29*time.Minute, "72h")
	age(72*time.Hour+30*time.Minute, " 3d")
	age(200*24*time.Hour, "200d")
}

// trail writes the hops of a message, oldest last.
func trail(m *spoor.Message) string {
	var parts []string
	for _, hop := range m.Trail.Hops {
		text := hop.Via.String()
		switch {
		case hop.Via == spoor.ViaUID:
			text += fmt.Sprint(" ", hop.UID)
		case hop.Account != "":
			text += " " + hop.Account
		case hop.Client.IsValid():
			text += " " + hop.Client.String()
		case hop.Address != "":
			text += " " + hop.Address
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func TestLoginsAreReadAsTheyWereBeforeEximPrintedThem(t *testing.T) {
	for login, want := range map[string]string{
		"anna@example.com": "anna@example.com", `j\303\266rg@example.com`: "jörg@example.com", `DOMAIN\anna`: `DOMAIN\anna`,
		`\303`: `\303`, `\3`: `\3`, `\101`: `\101`, `a\\303\266`: `a\ö`, `\n`: `\n`, `\400\266`: `\400\266`, "": "",
	} {
		if got := string(printed([]byte(login))); got != want {
			t.Errorf("%s: %s, want %s", login, got, want)
		}
	}
}

// TestTrails is about what can and what cannot be forged.
func TestTrails(t *testing.T) {
	forged := headerLine('P', "Received: from [198.51.100.9] (helo=x)\n\tby mx1.example.com with esmtpsa (Exim 4.96)\n\tid "+idOfOne+";\n\tMon")
	tests := map[string]struct{ variables, headers, want string }{
		"a client":                            {overNetwork, receivedBy(idOfOne), "network 192.0.2.7"},
		"a client without a line":             {overNetwork, "", "network 192.0.2.7"},
		"a client that forges a line":         {overNetwork, receivedBy(idOfOne) + forged, "network 192.0.2.7"},
		"a login":                             {overAuth, receivedBy(idOfOne), "network u@example.com"},
		"a user":                              {asUser, "", "uid 1001"},
		"a user whose login looks like AUTH":  {asUser + "-auth_id boss@example.com\n", forged, "uid 1001"},
		"a user who forges a client":          {asUser, forged, "uid 1001"},
		"a variable of an ACL is no login":    {overNetwork + "-aclm 0 34\n-host_auth plain\n-auth_id x@y.test\n", receivedBy(idOfOne), "network 192.0.2.7"},
		"a HELO that imitates a variable":     {strings.Replace(overNetwork, "evil.test", "-host_auth plain", 1), receivedBy(idOfOne), "network 192.0.2.7"},
		"a user who calls exim -E":            {asUser + "-localerror\n-sender_set_untrusted\n", "", "uid 1001"},
		"a client with the old form of port":  {strings.Replace(overNetwork, "[192.0.2.7]:4711", "192.0.2.7.4711", 1), "", "network 192.0.2.7"},
		"a client of IPv6":                    {strings.Replace(overNetwork, "[192.0.2.7]:4711", "[2001:db8::1]:25", 1), "", "network 2001:db8::1"},
		"a login that is not of ASCII":        {strings.Replace(overAuth, "u@example", `j\303\266rg@example`, 1), "", "network jörg@example.com"},
		"a lookup's remark before a variable": {strings.Replace(overAuth, "--auth_id", "--(mysql)auth_id", 1), "", "network u@example.com"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, reason := one(t, map[string]string{
				"input/q/" + idOfOne + "-H": spoolFile(idOfOne, test.variables, noTree, []string{"c@d.test"}, test.headers),
				"input/q/" + idOfOne + "-D": idOfOne + "-D\nbody\n",
			})
			if got := trail(m); got != test.want || reason != "" {
				t.Errorf("trail %q, want %q; gap %q", got, test.want, reason)
			}
		})
	}
}

// TestTheOwnerOfTheSpoolMakesBounces has an Exim whose user neither the configuration
// nor passwd tells: "mail" is the user of another program.
func TestTheOwnerOfTheSpoolMakesBounces(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to give the spool an owner")
	}
	root := hosttest.Tree(t, map[string]string{
		"var/spool/exim/input/":     "",
		"etc/exim.conf":             "spool_directory = /var/spool/exim\n",
		"etc/passwd":                "root:x:0:0::/:/bin/sh\nmail:x:8:8::/:/bin/false\n",
		"var/spool/exim/db/wait-ip": "",
	})
	if err := os.Chown(filepath.Join(root.Dir(), "var/spool/exim/input"), 987, 987); err != nil {
		t.Fatal(err)
	}
	passwd, err := root.Passwd(&spoor.Gaps{})
	if err != nil {
		t.Fatal(err)
	}
	c := ReadConfig(root, passwd, &spoor.Gaps{})
	for uid, want := range map[int]bool{987: true, 8: true, 0: true, 1001: false} {
		if got := c.makesBounces(uid); got != want {
			t.Errorf("uid %d makes bounces: %v", uid, got)
		}
	}
}

func TestOnlyEximsUserMakesBounces(t *testing.T) {
	f := func(caller, conf, want string) {
		t.Helper()
		file := spoolFile(idOfOne, "-received_protocol local\n-localerror\n", noTree, []string{"c@d.test"}, "")
		m, _ := one(t, map[string]string{
			"input/q/" + idOfOne + "-H": strings.Replace(file, "site1 1001 1001", caller, 1),
			"input/q/" + idOfOne + "-D": idOfOne + "-D\nbody\n",
			"etc/passwd":                "root:x:0:0::/:/bin/sh\nmail:x:8:8::/:/bin/false\nDebian-exim:x:105:105::/:/bin/false\nanna:x:1001:1001::/:/bin/sh\n",
			"etc/exim4/exim4.conf":      "spool_directory = /var/spool/exim4\n" + conf,
		})
		if got := trail(m); got != want {
			t.Errorf("%s, %q: trail %q, want %q", caller, conf, got, want)
		}
	}
	f("Debian-exim 105 105", "", "bounce")
	f("root 0 0", "", "bounce")
	f("anna 1001 1001", "", "uid 1001")
	f("mail 8 8", "", "uid 8")
	f("mail 8 8", "exim_user = mail\n", "bounce")
	f("mail 8 8", "exim_user = 8\n", "bounce")
	f("Debian-exim 105 105", "exim_user = mail\n", "uid 105")
}

// TestAnAutomaticReplyIsOfTheMailboxThatAnswers has what an autoreply transport with
// user = mail makes, and bounces, which are automatic too.
func TestAnAutomaticReplyIsOfTheMailboxThatAnswers(t *testing.T) {
	automatic := headerLine(' ', "Auto-Submitted: auto-replied")
	f := func(from, more, want, broken string) {
		t.Helper()
		file := spoolFile(idOfOne, "-received_protocol local\n-localerror\n", noTree, []string{"c@d.test"}, receivedBy(idOfOne)+headerLine('F', "From: "+from)+more)
		m, _ := one(t, map[string]string{
			"input/q/" + idOfOne + "-H": strings.Replace(file, "site1 1001 1001", "Debian-exim 103 103", 1),
			"input/q/" + idOfOne + "-D": idOfOne + "-D\nbody\n",
		})
		if got := trail(m); got != want || m.Trail.Broken != broken {
			t.Errorf("%s, %s: trail %q, %q, want %q", from, more, got, m.Trail.Broken, want)
		}
	}
	f("boss@example.com", automatic, "reply boss@example.com", "")
	f("The boss <boss@example.com>", automatic, "reply boss@example.com", "")
	f("boss@example.com", "", "bounce", brokenNoCopy)
	f("boss@elsewhere.test", automatic, "bounce", brokenNoCopy)
	f("Mail Delivery System <Mailer-Daemon@example.com>", automatic, "bounce", brokenNoCopy)
	f("x@example.com", automatic+headerLine(' ', "Content-Type: Multipart/report; boundary=x"), "bounce", brokenNoCopy)
}

// Whether the user may speak for the mailbox is not for the spool to say.
func TestAnAutomaticReplyOfAnotherUserNamesTheMailbox(t *testing.T) {
	file := spoolFile(idOfOne, "-received_protocol local\n-localerror\n", noTree, []string{"c@d.test"}, receivedBy(idOfOne)+headerLine('F', "From: boss@example.com")+headerLine(' ', "Auto-Submitted: auto-replied"))
	m, _ := one(t, map[string]string{"input/q/" + idOfOne + "-H": file, "input/q/" + idOfOne + "-D": idOfOne + "-D\nbody\n"})
	if got, want := trail(m), "uid 1001, reply boss@example.com"; got != want {
		t.Errorf("trail %q, want %q", got, want)
	}
}

func TestAForwardIsInTheLogOfTheMessage(t *testing.T) {
	f := func(log, want string) {
		t.Helper()
		m, _ := one(t, map[string]string{
			"input/q/" + idOfOne + "-H":  spoolFile(idOfOne, overNetwork, noTree, []string{"info@example.com"}, receivedBy(idOfOne)),
			"input/q/" + idOfOne + "-D":  idOfOne + "-D\nbody\n",
			"msglog/q/" + idOfOne:        log,
			"etc/exim4/exim4.conf":       "primary_hostname = mx1.example.com\ndomainlist local = example.com\nspool_directory = /var/spool/exim4\n",
			"etc/exim4/exim4.conf.other": "",
		})
		if got := trail(m); got != want {
			t.Errorf("log %q: trail %q, want %q", log, got, want)
		}
	}
	const plain = "network 192.0.2.7"
	f("2026-11-23 10:38:03 owner@bigmail.test <info@example.com> R=rest T=to_defer defer (-44): x\n", "forward info@example.com, "+plain)
	f("2026-11-23 11:38:03.250 +0100 owner@bigmail.test <info@example.com> R=rest defer (-1): host lookup did not complete\n", "forward info@example.com, "+plain)
	f("2026-11-23 10:38:03 owner@bigmail.test <other@example.com> R=rest T=to_defer defer (-44): x\n", plain)
	f("2026-11-23 10:38:03 info@example.com <info@example.com> R=local T=x defer (-44): x\n", plain)
	f("x\n\x00\n", plain)
	f("", plain)
}

// Three addresses here send a message on; the receivers of two have answered.
func TestAForwardIsOfTheAliasThatStillWaits(t *testing.T) {
	const log = "2026-11-27 18:01:42 someone@ok.test <fwd@example.com>: remote_smtp transport succeeded\n" +
		"2026-11-27 18:01:42 someone@rej.test <old@example.com> R=sinks T=remote_smtp H=198.51.100.9 [198.51.100.9]: SMTP error from remote mail server after RCPT TO:<someone@rej.test>: 550 5.1.1\n" +
		"2026-11-27 18:01:42 someone@slow.test <sales@example.com> R=sinks T=remote_smtp defer (-44) H=198.51.100.9 [198.51.100.9]: SMTP error from remote mail server after RCPT TO:<someone@slow.test>: 450 4.2.0\n"
	m, _ := one(t, map[string]string{
		"input/" + idOfOne + "-H": spoolFile(idOfOne, overNetwork, "YN old@example.com\nNN fwd@example.com\n", []string{"fwd@example.com", "old@example.com", "sales@example.com"}, receivedBy(idOfOne)),
		"input/" + idOfOne + "-D": idOfOne + "-D\nbody\n",
		"msglog/" + idOfOne:       log,
		"etc/exim4/exim4.conf":    "primary_hostname = mx1.example.com\ndomainlist local = example.com\nspool_directory = /var/spool/exim4\n",
	})
	if got, want := trail(m), "forward sales@example.com, network 192.0.2.7"; got != want {
		t.Errorf("trail %q, want %q", got, want)
	}
}

func TestTheConfiguration(t *testing.T) {
	f := func(files map[string]string, check func(c Config) bool) {
		t.Helper()
		files["etc/passwd"] = "exim:x:93:93::/:/bin/false\n"
		root := hosttest.Tree(t, files)
		passwd, err := root.Passwd(&spoor.Gaps{})
		if err != nil {
			t.Fatal(err)
		}
		if c := ReadConfig(root, passwd, &spoor.Gaps{}); !check(c) || c.UserUID != 93 {
			t.Errorf("%v: %+v", files, c)
		}
	}
	f(map[string]string{"etc/exim.conf": "spool_directory = /spool\nprimary_hostname = \"h.test\"\n"},
		func(c Config) bool { return c.Spool == "/spool" && c.Hostname == "h.test" && c.Serves("h.test") })
	f(map[string]string{"etc/exim.conf": "DIR = /m\nspool_directory = DIR/s\ndomainlist a = x.test : \\\n# c\n  y.test : !no.test\n"},
		func(c Config) bool {
			return c.Spool == "/m/s" && c.Serves("x.test") && c.Serves("Y.test") && !c.Serves("no.test")
		})
	f(map[string]string{"etc/exim.conf": "domainlist a = <; lsearch\\;x ; z.test\n.include_if_exists /etc/more\n.include /etc/more\n", "etc/more": "domainlist b = @ : /etc/list\n.include /etc/more\n", "etc/list": "q.test\n#no.test\nr.test: user\n"},
		func(c Config) bool {
			return c.Serves("z.test") && c.Serves("q.test") && c.Serves("r.test") && !c.Serves("no.test")
		})
	f(map[string]string{"etc/exim4/exim4.conf": "", "etc/localdomains": "cp.test\n", "etc/mailname": "name.test\n", "etc/exim4/update-exim4.conf.conf": "dc_other_hostnames='deb.test;d2.test'\n", "var/spool/exim4/input/": ""},
		func(c Config) bool {
			return c.Serves("cp.test") && c.Serves("name.test") && c.Serves("d2.test") && c.Spool == "/var/spool/exim4"
		})
	f(map[string]string{"etc/exim.conf": "A = BC\n" + "BC = A\nspool_directory = A\n" + strings.Repeat("X = XX\n", 50)},
		func(c Config) bool { return len(c.Spool) <= maxLineBytes })
}

func TestWhoseMessageTheACLRefused(t *testing.T) {
	const (
		error1 = "A message that you sent was rejected by the local scanning code that\nchecks incoming messages on this system. The following error was given:\n\n  too many messages\n\n"
		error2 = "A message that you sent contained no recipient addresses, and therefore no\ndelivery could be attempted.\n\n"
		copied = "------ This is a copy of your message, including all the headers. ------\n\n"
		stamp  = "Received: from site1 by mx1.example.com with local (Exim 4.96)\n\t(envelope-from <a@b.test>)\n\tid 1xVRQp-0007Zw-2c\n\tfor c@d.test;\n\tMon, 23 Nov 2026 10:37:46 +0000\n"
	)
	f := func(want, body string) {
		t.Helper()
		m, _ := one(t, map[string]string{
			"input/" + idOfOne + "-H": strings.Replace(spoolFile(idOfOne, "-received_protocol local\n-localerror\n", noTree, []string{"c@d.test"}, receivedBy(idOfOne)), "site1 1001 1001", "Debian-exim 103 103", 1),
			"input/" + idOfOne + "-D": idOfOne + "-D\n" + body,
		})
		got := "unknown"
		if len(m.Trail.Hops) == 2 {
			got = strconv.Itoa(m.Trail.Hops[1].UID)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", body, got, want)
		}
	}
	f("1001", error1+copied+stamp+"Subject: x\n\nhello\n")
	f("unknown", error1+copied+"Subject: x\n\nhello\n"+copied+stamp)
	f("unknown", error2+copied+stamp+"Subject: x\n\nhello\n")
	f("unknown", error1)
	f("unknown", "x\n"+error1+copied+stamp)
}
