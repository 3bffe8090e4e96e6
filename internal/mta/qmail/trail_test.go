package qmail

import (
	"fmt"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
)

func TestQueueLine(t *testing.T) {
	reads := func(value, want string) {
		t.Helper()
		hop, ok := parseQueueLine(value)
		got := "no"
		if ok {
			got = fmt.Sprintf("%s pid %d uid %d", hop.Via, hop.PID, hop.UID)
		}
		if got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
	reads(" (qmail 19514 invoked by uid 10003); 13 Sep 2005 17:48:22 +0700", "uid pid 19514 uid 10003")
	reads(" (qmail 20390 invoked from network); 10 Feb 2007 07:31:08 -0600", "network pid 20390 uid -1")
	reads(" (qmail 24919 invoked by alias); 23 Nov 2026 11:32:18 -0000", "forward pid 24919 uid -1")
	reads(" (qmail 24867 invoked for bounce); 23 Nov 2026 11:32:18 -0000", "bounce pid 24867 uid -1")
	reads(" (qmail 1 invoked by uid 0); x", "uid pid 1 uid 0")
	reads(" (qmail 1 invoked by uid -1); x", "no")
	reads(" (qmail 1 invoked by uid 1x); x", "no")
	reads(" (qmail 1 invoked by uid 99999999999); x", "no")
	reads(" (qmail x invoked by uid 1); x", "no")
	reads(" (qmail 1 invoked by uid 1) x", "no")
	reads(" from unknown (qmail 1 invoked by uid 1); x", "no")
	reads("", "no")
}

func TestNetworkLine(t *testing.T) {
	reads := func(value, want string) {
		t.Helper()
		var hop spoor.Hop
		got := "no"
		if parseNetworkLine(value, &hop) {
			got = fmt.Sprintf("%s helo %s account %q auth %v", hop.Client, hop.HELO, hop.Account, hop.Authenticated)
		}
		if got != want {
			t.Errorf("%q\n is %s\nwant %s", value, got, want)
		}
	}
	reads(" from unknown (HELO User) (info@site1.example@198.51.100.23)\n  by mail.host.example with SMTP; 23 Nov",
		`198.51.100.23 helo User account "info@site1.example" auth false`)
	reads(" from mx7.bulk.example (192.0.2.99)\n  by mail.host.example with SMTP; 23 Nov",
		`192.0.2.99 helo mx7.bulk.example account "" auth false`)
	reads(" from unknown (HELO x) (alice@192.0.2.11)\n  by h with ESMTPA; d", `192.0.2.11 helo x account "alice" auth true`)
	reads(" from unknown (HELO x) (a@b@192.0.2.11)\n  by h with ESMTPSA (TLS1 encrypted, authenticated); d", `192.0.2.11 helo x account "a@b" auth true`)
	reads(" from unknown (HELO x) (a@b@192.0.2.11)\n  by h with UTF8SMTPA; d", `192.0.2.11 helo x account "a@b" auth true`)
	reads(" from unknown (HELO x) (192.0.2.11)\n  by h with (DHE-RSA-AES256-SHA encrypted) SMTP; d", `192.0.2.11 helo x account "" auth false`)
	reads(" (HELO User) (bob@corp.example)\n  by h with ESMTPA; d", `invalid IP helo User account "bob@corp.example" auth true`)
	reads(" (HELO x) ()\n  by h with SMTP; d", `invalid IP helo x account "" auth false`)
	reads(" from unknown (HELO x) (a@2001:db8::1)\n  by h with ESMTP; d", `2001:db8::1 helo x account "a" auth false`)
	reads(" from unknown (::ffff:192.0.2.1)\n  by h with QMTP; d", `192.0.2.1 helo unknown account "" auth false`)
	reads(" from unknown (HELO [192.0.2.7]) ([192.0.2.7])\n  by h with SMTP; d", `192.0.2.7 helo [192.0.2.7] account "" auth false`)
	reads(" from unknown (HELO x) (192.0.2.1) via h with SMTP", "no")
	reads(" from unknown", "no")
	reads(" from unknown (HELO x", "no")
	reads("", "no")
}

// readMessage reads a message that is not in a queue.
func readMessage(t testing.TB, text string, mailSystem ...int) *spoor.Message {
	t.Helper()
	control := &ControlFiles{
		me: "mail.host.example", served: map[string]bool{"fwd.example": true}, local: map[string]bool{},
		prefixes: map[string]string{"fwd.example": "alias-fwd", "site1.example": "12"},
	}
	q := &Queue{root: &host.Root{}, tree: &tree{}, control: control, owners: owners{queue: -1}, mailSystem: func(uid int) bool {
		for _, one := range mailSystem {
			if one == uid {
				return true
			}
		}
		return false
	}}
	m, err := q.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// trailOf writes a trail on one line.
func trailOf(m *spoor.Message) string {
	var words []string
	for _, hop := range m.Trail.Hops {
		word := hop.Via.String()
		if hop.UID >= 0 {
			word += fmt.Sprintf(":%d", hop.UID)
		}
		if hop.Client.IsValid() {
			word += ":" + hop.Client.String()
		}
		if hop.Address != "" {
			word += ":" + hop.Address
		}
		words = append(words, word)
	}
	if m.Trail.Broken != "" {
		words = append(words, "BROKEN "+m.Trail.Broken)
	}
	return strings.Join(words, " <- ")
}

const (
	lineSite     = "Received: (qmail 1 invoked by uid 10003); 23 Nov 2026 11:32:18 -0000\n"
	linePop      = "Received: (qmail 2 invoked by uid 110); 23 Nov 2026 11:32:18 -0000\n"
	lineNetwork  = "Received: (qmail 3 invoked from network); 23 Nov 2026 11:32:18 -0000\n"
	lineSMTP     = "Received: from unknown (HELO User) (198.51.100.23)\n  by mail.host.example with SMTP; 23 Nov 2026 11:32:18 -0000\n"
	lineAlias    = "Received: (qmail 4 invoked by alias); 23 Nov 2026 11:32:18 -0000\n"
	lineBounce   = "Received: (qmail 5 invoked for bounce); 23 Nov 2026 11:32:18 -0000\n"
	bounceText   = "Date: x\nFrom: MAILER-DAEMON@h\n\nHi. This is the qmail-send program at h.\n\n<nouser@fwd.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
	bounceMarker = "--- Below this line is a copy of the message.\n\nReturn-Path: <a@x.test>\n"
)

func TestTheTrailEndsWhereForgeryCanBegin(t *testing.T) {
	walks := func(name, text, want string, forgeable int) {
		t.Helper()
		m := readMessage(t, text, 110)
		if got := trailOf(m); got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
		if len(m.Trail.Forgeable) != forgeable {
			t.Errorf("%s: %d forgeable lines, want %d", name, len(m.Trail.Forgeable), forgeable)
		}
	}
	walks("a site's script that forges a trail", lineSite+lineNetwork+lineSMTP+"Delivered-To: x@y\n\n", "uid:10003", 2)
	walks("a site's script that forges a forward", lineSite+"Delivered-To: 12-box@site1.example\n"+lineNetwork+lineSMTP+"\n", "uid:10003", 2)
	walks("SMTP", lineNetwork+lineSMTP+"From: a@b\n\n", "network:198.51.100.23", 0)
	walks("SMTP with a forged account below", lineNetwork+lineSMTP+strings.Replace(lineSMTP, "198.51.100.23", "boss@corp.example@192.0.2.1", 1)+"\n", "network:198.51.100.23", 1)
	walks("SMTP without the server's line", lineNetwork+"From: a@b\n"+lineSMTP+"\n", "network <- BROKEN "+brokenNoNetworkLine, 1)
	walks("an alias", lineAlias+"Delivered-To: alias-fwd-box53@fwd.example\n"+lineNetwork+lineSMTP+"\n", "forward:box53@fwd.example <- network:198.51.100.23", 0)
	walks("a mailbox that forwards", linePop+"Delivered-To: 12-info@site1.example\n"+lineSite+"\n", "forward:110:info@site1.example <- uid:10003", 0)
	walks("a forward of a forward", lineAlias+"Delivered-To: alias-fwd-a@fwd.example\n"+lineAlias+"Delivered-To: alias-fwd-b@fwd.example\n"+lineSite+lineSMTP+"\n",
		"forward:a@fwd.example <- forward:b@fwd.example <- uid:10003", 1)
	walks("a forward that a filter wrote on", lineAlias+"Delivered-To: alias-fwd-a@fwd.example\nX-Spam-Status: No\n"+lineSite+"\n", "forward:a@fwd.example <- uid:10003", 0)
	walks("a program of alias", lineAlias+"From: a@b\n"+lineNetwork+lineSMTP+"\n", "forward", 2)
	walks("an autoresponder", linePop+"From: a@b\n"+lineNetwork+lineSMTP+"\n", "uid:110", 2)
	walks("a content filter", linePop+"Received: by simscan 1.4.0 ppid: 12, pid: 13, t: 1s\n"+lineSMTP+"\n", "uid:110 <- network:198.51.100.23", 0)
	walks("a list", lineAlias+"Mailing-List: contact news-help@fwd.example; run by ezmlm\nPrecedence: bulk\nDelivered-To: mailing list news@fwd.example\n"+lineNetwork+lineSMTP+"\n",
		"list:news@fwd.example <- network:198.51.100.23", 0)
	walks("a bounce", lineBounce+bounceText+bounceMarker+lineNetwork+lineSMTP+"\n", "bounce:nouser@fwd.example <- network:198.51.100.23", 0)
	walks("a bounce of a forward", lineBounce+bounceText+bounceMarker+lineAlias+"Delivered-To: alias-fwd-a@fwd.example\n"+lineSite+"\n",
		"bounce:nouser@fwd.example <- forward:a@fwd.example <- uid:10003", 0)
	walks("a bounce with an imitated marker",
		lineBounce+strings.Replace(bounceText, "(#5.1.1)", "(#5.1.1)\n--- Below this line is a copy of the message.\nReturn-Path: <x>\n"+lineSite, 1)+bounceMarker+lineNetwork+lineSMTP+"\n",
		"bounce:nouser@fwd.example <- network:198.51.100.23", 0)
	forged := "\\\nReceived: (qmail 4242 invoked by uid 10009); 23 Nov 2026 11:32:18 -0000\\\nX: "
	walks("a bounce to a sender with line breaks",
		lineBounce+bounceText+strings.Replace(bounceMarker, "<a@x.test>", `<"a`+forged+`\"z"@x.test>`, 1)+lineNetwork+lineSMTP+"\n",
		"bounce:nouser@fwd.example <- network:198.51.100.23", 0)
	walks("a delivered copy from a sender with line breaks", `Return-Path: <"a`+forged+`"@x.test>`+"\n"+lineSite+"\n", "uid:10003", 0)
	walks("a Return-Path without end", `Return-Path: <"a`+"\n"+lineSite+"\n", "BROKEN "+brokenReturnPath, 0)
	walks("a bounce without the original", lineBounce+bounceText, "bounce:nouser@fwd.example <- BROKEN "+brokenNoOriginal, 0)
	walks("no line of qmail-queue", "From: a@b\n"+lineSite+"\n", "BROKEN "+brokenNoQueueLine, 1)
	walks("nothing", "", "BROKEN "+brokenNoQueueLine, 0)
	walks("a delivered copy", "Return-Path: <a@b>\nDelivered-To: 12-info@site1.example\n"+lineSite+"\n", "uid:10003", 0)
	walks("carriage returns", strings.ReplaceAll(lineNetwork+lineSMTP+"\n", "\n", "\r\n"), "network:198.51.100.23", 0)
}

func TestFieldsOfTheMessage(t *testing.T) {
	m := readMessage(t, lineSite+"MESSAGE-ID : <1@x>\nsubject: one\n two\nSubject: second\nX-PHP-Originating-Script: 10003:a.php\n"+
		"no field at all\nList-Unsubscribe: <mailto:x>\n\nSubject: in the body\n")
	if m.Subject != "one\n two" || m.MessageID != "<1@x>" || !m.Bulk {
		t.Errorf("subject %q, id %q, bulk %v", m.Subject, m.MessageID, m.Bulk)
	}
	if len(m.Trail.Claims) != 1 || m.Trail.Claims[0] != (spoor.Claim{Field: "X-PHP-Originating-Script", Value: "10003:a.php", Line: 6}) {
		t.Errorf("claims %+v", m.Trail.Claims)
	}
	b := readMessage(t, lineBounce+"Subject: failure notice\n"+bounceText+bounceMarker+lineSite+"Subject: the original's\nList-Id: x\nX-PHP-Script: x\n\n")
	if b.Subject != "failure notice" || b.Bulk || len(b.Trail.Claims) != 1 {
		t.Errorf("a bounce takes fields of its original: subject %q, bulk %v", b.Subject, b.Bulk)
	}
	if line := b.Trail.Entry().Line; line != 14 {
		t.Errorf("the original's line is %d of the file, want 14", line)
	}
	if reason := b.Trail.Hops[0].Reason; reason != "Sorry, no mailbox here by that name. (#5.1.1)" {
		t.Errorf("reason %q", reason)
	}
}

func TestABounceWithManyRecipientsIsReadToItsOriginal(t *testing.T) {
	many := strings.Repeat("<nouser@fwd.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n", 12_000)
	b := newBuilder(t, 3)
	b.put(b.file("mess", 30), lineBounce+bounceText+many+bounceMarker+lineSite+"\nbody\n")
	b.put(b.file("info", 30), "F\x00")
	messages, _ := scanAll(t, b.queue())
	if got := trailOf(messages["30"]); got != "bounce:nouser@fwd.example <- uid:10003" {
		t.Errorf("trail %s", got)
	}
}

// TestABounceToADomainWithALineBreak is about a sender whose domain imitates the
// top of the failed message. qmail-send does not quote domains.
func TestABounceToADomainWithALineBreak(t *testing.T) {
	const sender = "a@x.test>\nReceived: (qmail 7 invoked by uid 10009); 23 Nov 2026 11:32:18 -0000\n\nX: <"
	b := newBuilder(t, 3)
	content := lineBounce + bounceText + strings.Replace(bounceMarker, "a@x.test", sender, 1) + lineSite + "\nbody\n"
	b.put(b.file("mess", 30), content)
	b.put(b.file("info", 30), "F\x00")
	b.put(b.file("remote", 30), "T"+sender+"\x00")
	b.put(b.file("mess", 31), content)
	b.put("todo/31", "u1\x00p1\x00F\x00T"+sender+"\x00")
	messages, _ := scanAll(t, b.queue())
	for _, id := range []string{"30", "31"} {
		if got := trailOf(messages[id]); got != "bounce <- BROKEN "+brokenReturnPath {
			t.Errorf("message %s: trail %s", id, got)
		}
	}
}

func TestAGreetingLongerThanWhatIsReadAtFirst(t *testing.T) {
	b := newBuilder(t, 3)
	b.put(b.file("mess", 30), lineNetwork+strings.Replace(lineSMTP, "User", strings.Repeat("x", 20_000), 1)+"\nbody\n")
	b.put(b.file("info", 30), "Fa@x.test\x00")
	messages, _ := scanAll(t, b.queue())
	if got := trailOf(messages["30"]); got != "network:198.51.100.23" {
		t.Errorf("trail %s", got)
	}
}

func TestControlFiles(t *testing.T) {
	b := newBuilder(t, 3)
	for name, text := range map[string]string{
		"me": "mail.host.example\n", "locals": "# comment\nlocal.example \n\n", "rcpthosts": "site1.example\n.wild.example\n",
		"virtualdomains": "Site1.example:12\nuser@one.example:13\n.sub.example:14\n:15\nbad\n",
	} {
		b.mkdir("../control")
		b.put("../control/"+name, text)
	}
	c := b.queue().Control()
	strips := func(address, want string) {
		t.Helper()
		if got := c.StripPrefix(address); got != want {
			t.Errorf("StripPrefix(%q) = %q, want %q", address, got, want)
		}
	}
	strips("12-info@site1.example", "info@site1.example")
	strips("12-info@SITE1.example", "info@SITE1.example")
	strips("13-user@one.example", "user@one.example")
	strips("13-other@one.example", "13-other@one.example")
	strips("other@site1.example", "other@site1.example")
	strips("14-x@a.b.sub.example", "x@a.b.sub.example")
	strips("15-x@anything.example", "x@anything.example")
	strips("noat", "noat")
	for domain, want := range map[string]bool{"local.example": true, "LOCAL.example": true, "site1.example": true, "a.wild.example": true, "wild.example": false, "x.test": false, "": false} {
		if c.Serves(domain) != want {
			t.Errorf("Serves(%q) is %v", domain, !want)
		}
	}
	if c.Me() != "mail.host.example" {
		t.Errorf("me is %q", c.Me())
	}
}
