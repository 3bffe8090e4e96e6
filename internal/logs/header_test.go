package logs

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"spoor"
)

func splitOne(text string) (spoor.Line, header, mark) {
	s := splitter{clock: clock{near: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC).UnixMicro()}}
	l := spoor.Line{Text: []byte(text)}
	h := s.split(&l)
	return l, h, s.mark
}

func TestHeadersAreTakenApart(t *testing.T) {
	tests := []struct {
		name, line          string
		when, host, program string
		pid                 int
		body                string
	}{
		{"RFC 3164", "Nov 23 11:32:15 mx1 qmail: 1795433535.345274 new msg 1", "2026-11-23T11:32:15Z", "mx1", "qmail", -1, "1795433535.345274 new msg 1"},
		{"padded day", "Jan  1 00:00:00 mx1 a: b", "2027-01-01T00:00:00Z", "mx1", "a", -1, "b"},
		{"day with a nought", "Jan 01 00:00:00 mx1 a: b", "2027-01-01T00:00:00Z", "mx1", "a", -1, "b"},
		{"unpadded day", "Aug 3 06:43:02 mx1 /usr/lib64/plesk-9.0/psa-pc-remote[14266]: Message aborted.", "2026-08-03T06:43:02Z", "mx1", "/usr/lib64/plesk-9.0/psa-pc-remote", 14266, "Message aborted."},
		{"no colon after the PID", "Aug  3 06:43:02 mx1 psa-pc-remote[5]  Error during 'grey' handler", "2026-08-03T06:43:02Z", "mx1", "psa-pc-remote", 5, " Error during 'grey' handler"},
		{"priority", "<22>Nov 23 11:32:15 mx1 a[7]: b", "2026-11-23T11:32:15Z", "mx1", "a", 7, "b"},
		{"user and host", "Nov 23 11:32:15 root@mx1 a: b", "2026-11-23T11:32:15Z", "root@mx1", "a", -1, "b"},
		{"address as host", "Nov 23 11:32:15 192.0.2.7 a: b", "2026-11-23T11:32:15Z", "192.0.2.7", "a", -1, "b"},
		{"no host", "Nov 23 11:32:15 pop3-login: Info: Login", "2026-11-23T11:32:15Z", "", "pop3-login", -1, "Info: Login"},
		{"instance with an address", "Nov 23 11:32:15 mx1 postfix-192.0.2.50/smtpd[9]: b", "2026-11-23T11:32:15Z", "mx1", "postfix-192.0.2.50/smtpd", 9, "b"},
		{"spaces in the tag", "Nov 23 11:32:15 mx1 Mail Service[12]: b", "2026-11-23T11:32:15Z", "mx1", "Mail Service", 12, "b"},
		{"colons in the tag", "Nov 23 11:32:15 mx1 Mail::Box[12]: b", "2026-11-23T11:32:15Z", "mx1", "Mail::Box", 12, "b"},
		{"rsyslog", "2026-11-23T11:32:15.345364+00:00 mx1 qmail: b", "2026-11-23T11:32:15.345364Z", "mx1", "qmail", -1, "b"},
		{"nine digits, east", "2026-11-23T11:32:15.345364999+05:30 mx1 a: b", "2026-11-23T06:02:15.345364Z", "mx1", "a", -1, "b"},
		{"no fraction, no colon", "2026-11-23T11:32:15-0700 mx1 a: b", "2026-11-23T18:32:15Z", "mx1", "a", -1, "b"},
		{"RFC 5424", `<22>1 2026-11-23T11:32:15.345364Z mx1 qmail 812 - [x@1 a="]\"" b="c"][y] ` + "\xef\xbb\xbfnew msg 4", "2026-11-23T11:32:15.345364Z", "mx1", "qmail", 812, "new msg 4"},
		{"multilog", "@400000006b0424491494a37c status: local 0/10", "2026-11-23T11:32:15.345285Z", "", "", -1, "status: local 0/10"},
		{"tai64nlocal", "2026-11-23 11:32:15.345274500 status: local 0/10", "2026-11-23T11:32:15.345274Z", "", "", -1, "status: local 0/10"},
		{"Exim", "2026-11-23 10:37:55 Start queue run: pid=29035", "2026-11-23T10:37:55Z", "", "", -1, "Start queue run: pid=29035"},
		{"a clock that was never set", "1999-03-02 09:44:33 10HmaX-0005vi-00 Completed", "1999-03-02T09:44:33Z", "", "", -1, "10HmaX-0005vi-00 Completed"},
		{"Exim with a PID", "2026-11-23 10:38:05 [29971] 1vMabc-0007n3-1A Completed", "2026-11-23T10:38:05Z", "", "", 29971, "1vMabc-0007n3-1A Completed"},
		{"Exim with all", "2026-11-23 10:38:05.123 -0730 [29971] 1vMabc-0007n3-1A Completed", "2026-11-23T18:08:05.123Z", "", "", 29971, "1vMabc-0007n3-1A Completed"},
		{"Exim, a zone alone", "2026-11-23 10:38:05 +0100 1vMabc-0007n3-1A Completed", "2026-11-23T09:38:05Z", "", "", -1, "1vMabc-0007n3-1A Completed"},
		{"Exim, no PID", "2026-11-23 10:38:05 [192.0.2.7] x", "2026-11-23T10:38:05Z", "", "", -1, "[192.0.2.7] x"},
		{"Dovecot", "2026-11-23 10:38:05 imap-login: Info: Login: user=<a>", "2026-11-23T10:38:05Z", "", "imap-login", -1, "Info: Login: user=<a>"},
		{"Dovecot, a user", "2026-11-23 10:38:05 imap(a@example.com)<7><x>: Error: x", "2026-11-23T10:38:05Z", "", "imap(a@example.com)<7><x>", -1, "Error: x"},
		{"Dovecot as syslog", "Nov 23 10:06:13 auth: Info: passwd-file(a@example.com): x", "2026-11-23T10:06:13Z", "", "auth", -1, "Info: passwd-file(a@example.com): x"},
		{"journalctl -o short-precise", "Nov 23 10:06:13.345364 mx1 postfix/smtpd[7]: b", "2026-11-23T10:06:13.345364Z", "mx1", "postfix/smtpd", 7, "b"},
		{"journalctl -o short-iso", "2026-11-23T11:06:13+0100 mx1 postfix/smtpd[7]: b", "2026-11-23T10:06:13Z", "mx1", "postfix/smtpd", 7, "b"},
		{"journalctl -o short-full", "Tue 2026-11-24 10:06:13 CET mx1 postfix/smtpd[7]: b", "2026-11-24T10:06:13Z", "mx1", "postfix/smtpd", 7, "b"},
		{"Roundcube", "[27-Nov-2026 08:40:11 +0100]: <p9c19hm4> User a [b]", "2026-11-27T07:40:11Z", "", "roundcube", -1, "<p9c19hm4> User a [b]"},
		{"docker compose logs", "postfix-mailcow-1  | Nov 23 11:32:15 8a3426da5009 postfix/smtpd[7]: b", "2026-11-23T11:32:15Z", "8a3426da5009", "postfix/smtpd", 7, "b"},
		{"docker compose logs, ISO", "mail | 2026-11-23T11:32:15Z mx1 postfix/smtpd[7]: b", "2026-11-23T11:32:15Z", "mx1", "postfix/smtpd", 7, "b"},
		{"splogger alone", "1795433754.288260 status: local 0/10", "2026-11-23T11:35:54.28826Z", "", "", -1, "status: local 0/10"},
	}
	for _, test := range tests {
		l, h, _ := splitOne(test.line)
		if h != headerTagged {
			t.Errorf("%s: no header in %q", test.name, test.line)
			continue
		}
		if got := l.Time.Time().Format(time.RFC3339Nano); got != test.when {
			t.Errorf("%s: time %s, want %s", test.name, got, test.when)
		}
		if string(l.Host) != test.host || string(l.Program) != test.program || l.PID != test.pid || string(l.Body) != test.body {
			t.Errorf("%s: host %q program %q PID %d body %q", test.name, l.Host, l.Program, l.PID, l.Body)
		}
	}
}

func TestLinesWithoutHeader(t *testing.T) {
	for _, line := range []string{
		"", "ir/)", "Now is not a month", "mail", "mail | ", "mail | mail | Nov 23 11:32:15 mx1 a: b", "mail |Nov 23 11:32:15 mx1 a: b", "Nov 23 11:32:15", "Nov 23 24:00:00 mx1 a: b", "Nov 41 11:32:15 mx1 a: b", "Nov 23 11:32:15mx1 a: b x",
		"@400000006b0424491494a37 status", "@ffffffffffffffff1494a37c x", "2026-13-23T11:32:15Z mx1 a: b", "<22>", "<999999>Nov 23 11:32:15 mx1 a: b",
		"<22>1 2026-11-23T11:32:15Z mx1 a b c [x", "Tue 2026-11-24 10:06:13 ", "Tue 2026-11-24 10:06:13 mx1.example.com postfix: b", "Tue 2026-11-24T10:06:13 CET mx1 b: c", "Nov 23 11:32:15.mx1 a: b", "0000000000.000000 status: x", "[27-Nov-2026 08:40:11 UTC] PHP Warning:  x", "[27-Nov-2026 08:40:11 UTC]: x", "[27-Nov-2026 08:40:11 +0100] x", "[41-Nov-2026 08:40:11 +0100]: x", "[27-Nov-2000 08:40:11 +0100]: x", "[27-Nov-2026]: ", "[]: ", "[",
		"2000-03-02 09:44:33 10HmaX-0005vi-00 Completed", "1970-03-02 09:44:33 10HmaX-0005vi-00 Completed",
	} {
		if _, h, _ := splitOne(line); h != headerNone {
			t.Errorf("%q has a header: %d", line, h)
		}
	}
	for _, line := range []string{"Nov 23 11:32:15 mx1 -- MARK --", "Nov 23 11:32:15 mx1 last message repeated 3 times", "Nov 23 11:32:15 mx1 new msg 5: forged"} {
		if l, h, _ := splitOne(line); h != headerBare || l.Program != nil {
			t.Errorf("%q names the program %q: %d", line, l.Program, h)
		}
	}
}

func TestStampsOfAllDays(t *testing.T) {
	for at := time.Date(2002, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2101; at = at.Add(17*time.Hour + 13*time.Minute + 7*time.Second) {
		_, _, m := splitOne(at.Format("2006-01-02T15:04:05Z mx1 a: b"))
		if int64(m) != at.UnixMicro() {
			t.Fatalf("%s is read as %s", at, time.UnixMicro(int64(m)).UTC())
		}
		_, _, m = splitOne(at.Format("Jan _2 15:04:05 mx1 a: b"))
		if !m.yearless() || near(-int64(m), at.UnixMicro()+100*day) != at.UnixMicro() {
			t.Fatalf("%s without its year is read as %s", at, time.UnixMicro(near(-int64(m), at.UnixMicro()+100*day)).UTC())
		}
	}
}

// FuzzHeader splits lines one after another, twice: what the splitter remembers of
// those before must not change what it says of the next.
func FuzzHeader(f *testing.F) {
	for _, text := range []string{
		"Nov 23 11:32:15 mx1 qmail[3]: x", "<22>1 2026-11-23T11:32:15Z a b 3 - [x y=\"\\\"\"] z", "@400000006b0424491494a37c status: x",
		"2026-11-23 11:32:15.5 x", "2026-11-23 11:32:15.5 +0100 [7] x", "2026-11-23 11:32:15 a: Info: b", "Mon 2026-11-23 11:32:15 UTC a b: c", "Nov 23 11:32:15.5 a b: c", `{"MESSAGE":"x"}`, "1795433754.288260 x", "<1>Nov  3 11:32:15 :", "2026-11-23T11:32:15+9", "Nov 23 11:32:15  [1]", "[27-Nov-2026 08:40:11 +0100]: <x> User a",
		twoHosts,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var warm splitter
		authors := map[uint64]string{}
		lines := bytes.Split(text, []byte{'\n'})
		for _, text := range append(lines, lines...) {
			var fresh splitter
			l, again := spoor.Line{Text: text}, spoor.Line{Text: text}
			h, m := warm.split(&l), warm.mark
			author := string(l.Host) + "\x00" + string(l.Program)
			if known, ok := authors[l.Author]; ok && l.Author != 0 && known != author {
				t.Fatalf("%q: %q and %q have the number %d", text, author, known, l.Author)
			}
			authors[l.Author] = author
			if l.Author != 0 { // it was told by its first bytes
				slow := spoor.Line{Text: text, Time: l.Time, Host: l.Host, Author: l.Author}
				splitAnyTag(text[cap(text)-cap(l.Program):], &slow)
				if slow.Author = l.Author; !reflect.DeepEqual(l, slow) {
					t.Fatalf("%q: a tag that is known is %q, [%d]; read byte by byte it is %q, [%d]", text, l.Program, l.PID, slow.Program, slow.PID)
				}
			}
			h2 := fresh.split(&again)
			l.Author, again.Author = 0, 0
			if h2 != h || fresh.mark != m || !reflect.DeepEqual(l, again) {
				t.Fatalf("%q: after others it is %q, %+v, and alone %q, %+v", text, l.Program, l, again.Program, again)
			}
			if h != headerNone && len(l.Host)+len(l.Program)+len(l.Body) > len(text) {
				t.Fatalf("%q: the parts are longer than the line", text)
			}
			if l.PID < -1 || l.Time < 0 {
				t.Fatalf("%q: PID %d, time %d", text, l.PID, l.Time)
			}
		}
	})
}

// twoHosts are lines of all forms of header that name a host.
const twoHosts = `Nov 23 11:32:15 mx1 postfix/smtpd[2001]: connect from unknown[192.0.2.7]
Nov 23 11:32:15 mx1 postfix/smtpd[812]: connect from unknown[192.0.2.7]
Nov 23 11:32:15 mx2 postfix/smtpd[2001]: connect from unknown[192.0.2.7]
2026-11-23T11:32:15.345364+01:00 mx1 postfix/smtpd[2001]: connect from unknown[192.0.2.7]
Nov 23 11:32:15 mx2 postfix/smtpd[2001]: connect from unknown[192.0.2.7]
Nov 23 11:32:15 mx10 postfix/smtp[12345678]: connect to mx.bigmail.test[203.0.113.9]:25
Nov 23 11:32:15 mx1 postfix/submission/smtpd[7]: connect from unknown[192.0.2.7]
Nov 23 11:32:15 a.very.long.name.of.a.host.example.net postfix/smtpd[2001]: connect from unknown[192.0.2.7]
Nov 23 11:32:16 mx1 postfix/smtpd[20 1]: connect from unknown[192.0.2.7]
Nov 23 11:32:16 mx1 postfix/smtpd[12345678): no bracket ends the PID
Nov 23 11:32:16 mx1 postfix/smtpd[12345678 : no bracket ends the PID
Nov 23 11:32:16 mx1 postfix/smtpd[2001]:connect from unknown[192.0.2.7]
Nov 23 11:32:16 auth[2001]: Info: a line without a host, by Dovecot itself
Nov 23 11:32:16 mx1 sshd [2001]: a blank before the bracket of the PID
<22>Nov 23 11:32:16 mx1 postfix/smtpd[2001]: connect from unknown[192.0.2.7]
Nov 23 11:32:17 mx1 postfix/smtpd[2001]: short`
