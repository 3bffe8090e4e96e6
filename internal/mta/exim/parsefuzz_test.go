package exim

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"spoor"
)

// seeds are lines of each sort.
var seeds = []string{
	oldStyle + " <= tom@bank.test H=(User-PC) [127.0.0.2]:42369 P=esmtpa A=plain:anna@example.com S=735 id=1.29065@example.com T=\"Hi\" from <tom@bank.test> for a@b.test c@d.test",
	newStyle + " <= <> R=1xVRjF-000000001Gi-06L3 U=Debian-exim P=local S=2755",
	newStyle + ` => olga@ok.test F=<anna@example.com> R=okdom T=to_ok H=mx.ok.test [192.0.2.1]:25 X=TLS1.3:x:256 CV=yes DN="CN=mx" C="250 2.0.0 Ok"`,
	oldStyle + " == mia@bigmail.test <a@b.test> R=rest T=to_defer defer (-44) H=127.0.0.1 [127.0.0.1]: SMTP error from remote mail server after RCPT TO:<mia@bigmail.test>: 450 4.2.1 over quota",
	oldStyle + ` ** a b@evil.test <"a b"@evil.test> R=lookup T=smtp: Unrouteable address`,
	oldStyle + " Completed",
	"[1/2] 2026-11-23 10:37:57.123 +0100 [7] " + oldStyle + " => |/bin/x y <a@b.test> R=p T=pipe",
	"[29971] login authenticator failed for H=([192.0.2.1]) [192.0.2.2]:45873: 535 Incorrect authentication data (set_id=anna)",
	"H=mx.a.test (m) [192.0.2.78] X=TLS1.3:x:256 CV=no F=<> A=plain:anna temporarily rejected RCPT <b@c.test>: greylisted",
	`SMTP call from (000000) [2001:db8::1]:39480 dropped: too many syntax or protocol errors (last command was "123", C=EHLO)`,
	`SMTP protocol synchronization error (x): rejected "RSET" H=ba.fr (x) [192.0.2.78]:58302 next input="QUIT\r\n"`,
	"no MAIL in SMTP connection from host.example (SERVER) [192.0.2.1]:1418 D=34s A=plain:anna C=EHLO,AUTH",
	"cwd=/home/site1/public_html 3 args: /usr/sbin/sendmail -t -i",
	"mx1 exim[29786]: Start queue run: pid=1",
	"P Received: from x",
}

// within reports whether a part of an event lies in the line.
func within(line, part []byte) bool {
	if len(part) == 0 {
		return true
	}
	for i := range line {
		if &line[i] == &part[0] {
			return len(part) <= len(line)-i
		}
	}
	return false
}

func FuzzParse(f *testing.F) {
	for _, seed := range seeds {
		f.Add("", seed)
		f.Add("exim", seed)
	}
	f.Add("dovecot", "imap-login: Login: user=<a>, rip=192.0.2.1, lip=192.0.2.2")
	f.Fuzz(func(t *testing.T, program, body string) {
		l := spoor.Line{Text: []byte(body), Time: 1000, Program: []byte(program), PID: -1, Body: []byte(body)}
		var first, again spoor.Event
		sort := NewParser().Parse(&l, &first)
		if !bytes.Equal(l.Body, []byte(body)) {
			t.Fatal("the line was changed")
		}
		if sort != NewParser().Parse(&l, &again) || sort == spoor.LineEvent && (first.Kind != again.Kind || !bytes.Equal(first.Address, again.Address)) {
			t.Fatalf("%q of %q is %v, then %v", body, program, sort, again.Kind)
		}
		if sort != spoor.LineEvent {
			return
		}
		if first.Kind == spoor.EventNone || first.Size < 0 || first.Count < 0 || int(first.Count) > len(body) {
			t.Fatalf("%v of %d bytes to %d", first.Kind, first.Size, first.Count)
		}
		for _, part := range [][]byte{first.ID, first.Related, first.Account, first.Login, first.Address, first.Parent, first.Client, first.Text} {
			if !within(l.Body, part) {
				t.Fatalf("%q is not of the line", part)
			}
		}
		if first.ID != nil && !isID(first.ID) {
			t.Fatalf("ID %q", first.ID)
		}
	})
}

func TestALineCostsNoMemory(t *testing.T) {
	p := NewParser()
	lines := make([]spoor.Line, 0, len(seeds)+1)
	for _, seed := range append(slices.Clone(seeds), "nobody has ever seen a line like this one before, which is long") {
		lines = append(lines, logLine("2026-11-23 10:37:57 "+seed))
	}
	var e spoor.Event
	parse := func() {
		for i := range lines {
			e = spoor.Event{}
			p.Parse(&lines[i], &e)
		}
	}
	parse() // answers are remembered
	if n := testing.AllocsPerRun(100, parse); n != 0 {
		t.Errorf("%v allocations for %d lines", n, len(lines))
	}
}

func TestTablesOfBeginningsAreInOrder(t *testing.T) {
	for name, table := range map[string][]string{"troubles": troubles[:], "remarks": remarks[:]} {
		for i, text := range table {
			if len(text) < 3 || i > 0 && (text <= table[i-1] || strings.HasPrefix(text, table[i-1])) {
				t.Errorf("%s: %q does not belong behind %q", name, text, table[max(i-1, 0)])
			}
			if !begins([]byte(text), table) || !begins([]byte(text+"x"), table) || begins([]byte(text[:len(text)-1]), table) {
				t.Errorf("%s: %q is not found", name, text)
			}
		}
		for _, none := range []string{"", "\x00", "zzzz", "\xff"} {
			if begins([]byte(none), table) {
				t.Errorf("%s: %q is found", name, none)
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	lines, size := make([]spoor.Line, len(seeds)), int64(0)
	for i, seed := range seeds {
		lines[i] = logLine("2026-11-23 10:37:57 " + seed)
		size += int64(len(lines[i].Text))
	}
	p := NewParser()
	b.ReportAllocs()
	b.SetBytes(size / int64(len(seeds)))
	for i := 0; b.Loop(); i++ {
		var e spoor.Event
		p.Parse(&lines[i%len(lines)], &e)
	}
}
