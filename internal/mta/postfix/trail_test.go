package postfix

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

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

// TestTrails is about what can and what cannot be forged.
func TestTrails(t *testing.T) {
	const forged = "Received: from x (x [198.51.100.9])\n\t(Authenticated sender: boss@example.com)\n\tby mx1.example.com (Postfix) with ESMTPA id AAAAAAAAAA;\n\tMon, 23 Nov 2026 10:00:00 +0000 (UTC)\n"
	attribute := func(text string) string { return record(recAttribute, text) }
	local := record(recTime, "1795428417 0") + record(recFrom, "w@mx1.example.com") + record(recRecipient, "c@d.test")
	requeued := "Received: by mx1.example.com (Postfix, from userid 102)\n\tid 4FA8DC0102; Mon, 23 Nov 2026 10:06:58 +0000 (UTC)\n"
	filter := record(recTime, "1 0") + attribute("client_address=127.0.0.1") + attribute("log_client_address=192.0.2.9") + attribute("log_ident=4FA8DC0100") + record(recFrom, "a@b.test") + record(recRecipient, "c@d.test")
	filterReceived := strings.ReplaceAll(smtpReceived, "192.0.2.7", "127.0.0.1") + "Received: from mx1.example.com ([127.0.0.1])\n\tby localhost (mx1.example.com [127.0.0.1]) (amavisd-new, port 10024)\n\twith ESMTP id aBcD; Mon\n"
	behind := func(id string) string {
		return "Received: from pc (pc.isp.test [192.0.2.9])\n\t(Authenticated sender: u@example.com)\n\tby mx1.example.com (Postfix) with ESMTPSA id " + id + ";\n\tMon, 23 Nov 2026 10:06:57 +0000 (UTC)\n"
	}
	filterUser := strings.ReplaceAll(userReceived, "userid 1001", "userid 110")
	sieve := filterUser + "X-Sieve: Pigeonhole Sieve 0.5.19\nX-Sieve-Redirected-From: jane@example.com\n"
	const lmtp = "Received: from mx1.example.com\n\tby mx1.example.com with LMTP\n\tid CIM4LWsyCWsZAQAAMzN6MA\n\t(envelope-from <a@b.test>); Mon, 23 Nov 2026 10:06:57 +0000\n"
	noSender := record(recTime, "1 0") + record(recFrom, "") + record(recRecipient, "c@d.test")
	const vacation = "X-Sieve: Pigeonhole Sieve 0.5.19\nMessage-ID: <dovecot-sieve-1795767857-554541-0@mx1>\nFrom: \"<x>\" <jane@example.com>\nAuto-Submitted: auto-replied (vacation)\n"
	const rejection = "Message-ID: <dovecot-1795767857-773917-0@mx1>\nFrom: Postmaster <postmaster@example.com>\nContent-Type: multipart/report; report-type=disposition-notification;\n\tboundary=\"511/mx1\"\nAuto-Submitted: auto-replied (rejected)\n\n" +
		"--511/mx1\nContent-Type: text/plain\n\nrejected\n--511/mx1\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; boss@example.com\n\n--511/mx1\nContent-Type: text/rfc822-headers\n\n" + smtpReceived + "Subject: offer\n\n--511/mx1--\n"
	tests := map[string]struct{ envelope, header, want string }{
		"a client":                                            {from("a@b.test", "c@d.test"), smtpReceived, "network 192.0.2.7"},
		"a client that forges a login":                        {from("a@b.test", "c@d.test"), smtpReceived + forged, "network 192.0.2.7"},
		"a login":                                             {attribute("sasl_username=u@example.com") + from("a@b.test", "c@d.test"), smtpReceived, "network u@example.com"},
		"a login whose line a milter removed":                 {attribute("sasl_username=u@example.com") + from("a@b.test", "c@d.test"), "", "network u@example.com"},
		"a user":                                              {local, userReceived, "uid 1001"},
		"a user who forges a client":                          {local, userReceived + forged, "uid 1001"},
		"a user without a line":                               {local, forged[:0], ""},
		"a line of another host":                              {local, strings.ReplaceAll(strings.ReplaceAll(userReceived, "mx1.", "mx2."), "DC0101", "DC0109"), ""},
		"a line of this message, by another name":             {local, strings.ReplaceAll(userReceived, "mx1.", "mx2."), "uid 1001"},
		"a user without a sender":                             {attribute("log_message_origin=local") + record(recTime, "1 0") + record(recFrom, "") + record(recRecipient, "c@d.test"), userReceived, "uid 1001"},
		"mail of a user that was requeued twice":              {attribute("log_ident=4FA8DC0101") + local, requeued + requeued + userReceived, "uid 1001"},
		"requeued mail of a login":                            {attribute("sasl_username=u@example.com") + from("a@b.test", "c@d.test"), requeued + smtpReceived, "network u@example.com"},
		"requeued mail of a user":                             {attribute("log_ident=4FA8DC0101") + local, requeued + userReceived, "uid 1001"},
		"requeued mail without the line below":                {local, requeued, ""},
		"a bounce":                                            {attribute("log_message_origin=local") + record(recTime, "1 0") + record(recFrom, "") + record(recRecipient, "c@d.test"), "Received: by mx1.example.com (Postfix)\n\tid 4FA8DC0101; Mon\n", "bounce"},
		"a note to the postmaster":                            {attribute("log_message_origin=local") + record(recTime, "1 0") + record(recFrom, "double-bounce@mx1.example.com") + record(recRecipient, "c@d.test"), "Received: by mx1.example.com (Postfix)\n\tid 4FA8DC0101; Mon\n", "bounce"},
		"a client that takes its sender":                      {from("double-bounce@mx1.example.com", "c@d.test"), smtpReceived, "network 192.0.2.7"},
		"a forward that does not tell by whom":                {record(recTime, "1 0") + attribute("log_message_origin=local") + record(recFrom, "a@b.test") + record(recRecipient, "c@d.test"), "Received: by mx1.example.com (Postfix)\n\tid 4FA8DC0101; Mon\n" + smtpReceived, "network 192.0.2.7"},
		"a bounce that a client forges":                       {from("", "c@d.test"), smtpReceived + "Received: by mx1.example.com (Postfix)\n\tid 4FA8DC0101; Mon\n", "network 192.0.2.7"},
		"a forward of local(8)":                               {record(recTime, "1 0") + attribute("log_message_origin=local") + record(recFrom, "a@b.test") + record(recRecipient, "c@d.test"), "Received: by mx1.example.com (Postfix)\n\tid 4FA8DC0102; Mon\nDelivered-To: info@example.com\n" + smtpReceived, "forward info@example.com, network 192.0.2.7"},
		"an alias that replaced the recipient":                {from("a@b.test", "x@y.test")[:0] + record(recTime, "1 0") + attribute("client_address=192.0.2.7") + record(recFrom, "a@b.test") + record('O', "sales@example.com") + record(recRecipient, "c@d.test"), smtpReceived, "forward sales@example.com, network 192.0.2.7"},
		"a bounce that goes back to whose mail was forwarded": {record(recTime, "1 0") + attribute("client_address=192.0.2.7") + record(recFrom, "") + record('O', "SRS0=DUUI=JQ=d.test=c@example.com") + record(recRecipient, "c@d.test"), smtpReceived, "network 192.0.2.7"},
		"an alias beside a recipient as written":              {record(recTime, "1 0") + attribute("client_address=192.0.2.7") + record(recFrom, "a@b.test") + record('O', "sales@example.com") + record(recRecipient, "c@d.test") + record(recRecipient, "e@f.test"), smtpReceived, "network 192.0.2.7"},
		"a filter that tells its client":                      {record(recTime, "1 0") + attribute("client_address=127.0.0.1") + attribute("log_client_address=192.0.2.9") + attribute("log_ident=4FA8DC0100") + record(recFrom, "a@b.test") + record(recRecipient, "c@d.test"), strings.ReplaceAll(smtpReceived, "192.0.2.7", "127.0.0.1"), "network 192.0.2.9"},
		"a filter, above the line of the login":               {filter, filterReceived + behind("4FA8DC0100"), "network u@example.com"},
		"a filter, above a line with another ID":              {filter, filterReceived + behind("4FA8DC0199"), "network 192.0.2.9"},
		"a filter's sendmail":                                 {local, strings.ReplaceAll(userReceived, "userid 1001", "userid 110") + behind("4FA8DC0100"), "uid 110, network u@example.com"},
		"a mailbox's script":                                  {local, sieve + "Delivered-To: jane@example.com\n" + lmtp + smtpReceived, "uid 110, forward jane@example.com, network 192.0.2.7"},
		"the same, of mail with several recipients":           {local, sieve + lmtp + smtpReceived, "uid 110, forward jane@example.com, network 192.0.2.7"},
		"the same, of mail of a login":                        {local, sieve + "Delivered-To: jane@example.com\n" + lmtp + behind("4FA8DC0100"), "uid 110, network u@example.com"},
		"the same, above forged lines":                        {local, sieve + "Delivered-To: jane@example.com\n" + lmtp + smtpReceived + "X-Sieve-Redirected-From: boss@example.com\nDelivered-To: boss@example.com\n" + forged, "uid 110, forward jane@example.com, network 192.0.2.7"},
		"an automatic reply":                                  {noSender, filterUser + vacation, "uid 110, reply jane@example.com"},
		"an automatic reply with a sender":                    {record(recTime, "1 0") + record(recFrom, "rita@example.com") + record(recRecipient, "c@d.test"), filterUser + vacation, "uid 110, reply rita@example.com"},
		"an automatic reply in another's name":                {noSender, filterUser + strings.ReplaceAll(vacation, "jane@example.com", "boss@bank.test"), "uid 110, reply"},
		"an automatic reply that rejects":                     {noSender, filterUser + rejection, "uid 110, reply boss@example.com, network 192.0.2.7"},
		"a user who imitates an automatic reply":              {noSender, userReceived + vacation, "uid 1001"},
		"a client that imitates an automatic reply":           {from("", "c@d.test"), smtpReceived + vacation, "network 192.0.2.7"},
		"a delivery elsewhere before a filter":                {local, filterUser + "Delivered-To: jane@elsewhere.test\n" + smtpReceived, "uid 110"},
		"a user who imitates a mailbox's script":              {local, userReceived + "X-Sieve-Redirected-From: jane@example.com\nDelivered-To: jane@example.com\n" + lmtp + smtpReceived, "uid 1001"},
		"a client that imitates a mailbox's script":           {from("a@b.test", "c@d.test"), smtpReceived + "X-Sieve-Redirected-From: jane@example.com\nDelivered-To: jane@example.com\n" + lmtp, "network 192.0.2.7"},
		"a user's sendmail that imitates a filter":            {local, userReceived + behind("4FA8DC0100"), "uid 1001"},
		"XFORWARD of a client that is no filter":              {record(recTime, "1 0") + attribute("client_address=192.0.2.7") + attribute("log_client_address=203.0.113.1") + record(recFrom, "a@b.test") + record(recRecipient, "c@d.test"), smtpReceived, "network 192.0.2.7"},
		"an attribute in the content is no proof":             {local, userReceived + "X: y\n", "uid 1001"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, reason := one(t, map[string]string{"deferred/4/4FA8DC0101": queueFile(test.envelope, test.header+tail, "")})
			if got := trail(m); got != test.want || reason != "" {
				t.Errorf("trail %q, want %q; gap %q", got, test.want, reason)
			}
			if test.want == "" && m.Trail.Broken == "" {
				t.Error("the trail does not say why it is empty")
			}
		})
	}
}

// The server in front of a filter before the queue writes a line that has no ID yet:
// it is the server's own, and proves nothing.
func TestTheLineInFrontOfAFilterBeforeTheQueueIsNoForgery(t *testing.T) {
	envelope := record(recTime, "1 0") + record(recAttribute, "client_address=127.0.0.1") + record(recAttribute, "log_client_address=10.9.0.6") +
		record(recAttribute, "log_ident=4FA8DC0101") + record(recFrom, "a@b.test") + record(recRecipient, "c@d.test")
	front := func(client string) string {
		return "Received: from client.example (unknown [" + client + "])\n\tby mx1.example.com (Postfix) with ESMTPA\n\tfor <c@d.test>; Thu, 26 Nov 2026 22:47:45 +0000 (UTC)\n"
	}
	f := func(name, header string, want int) {
		t.Helper()
		m, _ := one(t, map[string]string{"deferred/4/4FA8DC0101": queueFile(envelope, strings.ReplaceAll(smtpReceived, "192.0.2.7", "127.0.0.1")+header+tail, "")})
		if got := len(m.Trail.Forgeable); got != want || trail(m) != "network 10.9.0.6" {
			t.Errorf("%s: %d lines anyone could have written, want %d; trail %s", name, got, want, trail(m))
		}
	}
	const other = "Received: from x (x [198.51.100.9])\n\tby mail.far.example (Postfix) with ESMTP id 4FA8DC0999; Thu\n"
	const filter = "Received: from x ([127.0.0.1])\n\tby localhost (mx1.example.com [127.0.0.1]) (amavisd-new, port 10024)\n\twith ESMTP id aBcD; Thu\n"
	f("its line", front("10.9.0.6"), 0)
	f("its line below the filter's", filter+front("10.9.0.6"), 0)
	f("its line above another server's", front("10.9.0.6")+other, 1)
	f("a second one", front("10.9.0.6")+front("10.9.0.6"), 1)
	f("of another client", front("10.9.0.9"), 1)
}

func TestEarlierIDs(t *testing.T) {
	local := record(recTime, "1795428417 0") + record(recAttribute, "log_ident=4FA8DC0100") + record(recFrom, "w@mx1.example.com") + record(recRecipient, "c@d.test")
	requeued := "Received: by mx1.example.com (Postfix, from userid 102)\n\tid 4FA8DC0102; Mon\n"
	m, _ := one(t, map[string]string{"deferred/4/4FA8DC0101": queueFile(local, requeued+userReceived+tail, "")})
	if m.Earlier != "4FA8DC0100" {
		t.Errorf("the requeued message was %q before", m.Earlier)
	}
}

func TestMaildropIsProvenByTheOwnerOfTheFile(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	file := record(recTime, "1795428417 0") + record(recFrom, "w@mx1.example.com") + record(recRecipient, "c@d.test") +
		record(recMessage, "") + lines("Received: by mx1.example.com (Postfix, from userid 0)\n\tid A; Mon\n"+tail) + record(recExtracted, "") + record(recEnd, "")
	q := serverWith(t, map[string]string{"maildrop/4FA8DC0101": file, "maildrop/4FA8DC0102": record(recAttribute, "sasl_username=u@example.com") + file, "maildrop/4FA8DC0103": queueFile(record(recFrom, "w@mx1.example.com")+record(recRecipient, "c@d.test"), userReceived+tail, "")})
	for id, uid := range map[string]int{"4FA8DC0101": 1001, "4FA8DC0102": 102, "4FA8DC0103": 102} {
		if err := os.Chown(filepath.Join(q.root.Dir(), "var/spool/postfix/maildrop", id), uid, 1); err != nil {
			t.Fatal(err)
		}
	}
	messages, scan := scanAll(t, q)
	if got := trail(messages["4FA8DC0101"]); got != "uid 1001" {
		t.Errorf("trail %q: a header cannot speak against the owner", got)
	}
	if got := trail(messages["4FA8DC0102"]); got != "network u@example.com" {
		t.Errorf("trail %q: what mail_owner owns was requeued, and its login is known", got)
	}
	if got := trail(messages["4FA8DC0103"]); got != "uid 1001" {
		t.Errorf("trail %q: what mail_owner owns begins with the line that it got in the queue", got)
	}
	if gaps := scan.Gaps.List(); len(gaps) > 0 {
		t.Errorf("gaps %v", gaps)
	}
}

func TestEveryInstanceIsRead(t *testing.T) {
	whole := queueFile(from("a@b.test", "c@d.test"), smtpReceived+tail, "")
	q := serverWith(t, map[string]string{
		"etc/postfix/main.cf 0644":         "myhostname = mx1.example.com\nmulti_instance_directories = /etc/postfix-out\n",
		"etc/postfix-out/main.cf 0644":     "queue_directory = /var/spool/postfix/../postfix-out\nmyhostname = out.example.com\n",
		"deferred/4/4FA8DC0101":            whole,
		"../postfix-out/active/4FA8DC0101": whole, "../postfix-out/deferred/4/4FA8DC0102": whole,
	})
	list, scan := 0, map[string]bool{}
	s, err := q.Scan(t.Context(), wantAll())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range s.Parts {
		for m, err := range part {
			if err != nil {
				t.Fatal(err)
			}
			list++
			scan[m.Path()] = true
		}
	}
	if list != 3 || len(scan) != 3 {
		t.Errorf("%d messages: %v; the same ID in two instances is two messages", list, scan)
	}
}

func TestMainCF(t *testing.T) {
	read := func(text string) *MainCF {
		root := hosttest.Tree(t, map[string]string{"etc/postfix/main.cf": text, "etc/postfix/virtual": "# c\n@cat.test x@y.test\nA@b.example.test x\n\tcontinued\n\"q\" v\n"})
		return ReadMainCF(root, configFolder, &spoor.Gaps{})
	}
	f := func(text, name, want string) {
		t.Helper()
		if got := read(text).Get(name); got != want {
			t.Errorf("%s of %q = %q, want %q", name, text, got, want)
		}
	}
	f("myhostname = a.b.test\n", "mydomain", "b.test")
	f("myhostname = a.b.test\nmyorigin=$mydomain\n", "myorigin", "b.test")
	f("x = 1\n  2\n# no\n\n  3\ny = 4\n", "x", "1 2 3")
	f("x = a\nx = b\n", "x", "b")
	f("x = ${y}$(y)$y\ny = z\n", "x", "zzz")
	f("x = ${y?yes}${y:no}${n?yes}${n:no}\ny = z\n", "x", "yesno")
	f("x = $y\ny = $x\n", "x", "")
	f("x = a$$\n", "x", "a$$")
	f("x = ${y\n", "x", "${y")
	f("", "queue_directory", "/var/spool/postfix")
	f("queue_directory = /x\n", "queue_directory", "/x")
	if got := read("x = a$y$y\ny = $x$x\n").Get("x"); len(got) > maxExpansion {
		t.Errorf("parameters that name each other expand to %d bytes", len(got))
	}
	main := read("virtual_alias_maps = hash:/etc/postfix/virtual, ldap:x\nrecipient_delimiter = +\nvirtual_alias_domains = cat.test\n")
	for address, want := range map[string]string{"any@cat.test": "@cat.test", "a@b.example.test": "a@b.example.test", "a+tag@b.example.test": "a@b.example.test", "no@where.test": ""} {
		if got := main.alias()(address); got != want {
			t.Errorf("alias of %s is %q, want %q", address, got, want)
		}
	}
	if d := read("mydestination = a.test, .sub.test, !no.test, $myhostname\nmyhostname = H.test\n").domains(); !d.serves("A.TEST") || !d.serves("x.sub.test") || d.serves("no.test") || !d.serves("h.test") || d.serves("b.test") {
		t.Errorf("domains %+v", d)
	}
}

func TestAConfigurationThatPointsOutOfTheRootIsNotRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "etc/postfix"), 0o755); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("myhostname = secret.test\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "etc/postfix/main.cf")); err != nil {
		t.Fatal(err)
	}
	root, err := host.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	if main := ReadMainCF(root, configFolder, &spoor.Gaps{}); main.Get("myhostname") != "" {
		t.Errorf("myhostname %q", main.Get("myhostname"))
	}
}
