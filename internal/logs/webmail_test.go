package logs

import (
	"os"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

func TestLogsOfWebmailsComeFirst(t *testing.T) {
	const mail, webmail = "Nov 23 11:00:00 mx1 note: a\n", "[23-Nov-2026 11:00:00 +0000]: <p9c19hm4> User a [192.0.2.7]; x\n"
	f := func(name string, files map[string]string, want, gap string) {
		t.Helper()
		var gaps spoor.Gaps
		root := hosttest.Tree(t, files)
		if gap != "" {
			if err := os.Truncate(root.Dir()+gap, maxWebmailBytes+1); err != nil {
				t.Fatal(err)
			}
		}
		streams := Find(root, nil, &gaps)
		if got := describe(streams); got != want {
			t.Errorf("%s\n got %s\nwant %s", name, got, want)
		}
		for _, s := range streams {
			for _, file := range s.Files {
				if file.Webmail != strings.Contains(file.Path, "roundcube") {
					t.Errorf("%s: %s: %v", name, file.Path, file.Webmail)
				}
			}
		}
		if list := gaps.List(); (len(list) > 0) != (gap != "") || len(list) > 0 && list[0].File != gap {
			t.Errorf("%s: gaps %v", name, list)
		}
	}
	f("Debian", map[string]string{"var/log/mail.log": mail, "var/log/roundcube/sendmail.log": webmail, "var/log/roundcube/sendmail.log.1": webmail, "var/log/roundcube/errors.log": "x"},
		"/var/log/roundcube/sendmail.log: sendmail.log.1 sendmail.log\n/var/log/mail.log: mail.log\n", "")
	f("DirectAdmin", map[string]string{"var/log/exim/mainlog": mail, "var/www/html/roundcube-1.6.5/logs/sendmail": webmail, "var/www/html/roundcube": "-> roundcube-1.6.5"},
		"/var/www/html/roundcube-1.6.5/logs/sendmail: sendmail\n/var/log/exim/mainlog: mainlog\n", "")
	f("no other log", map[string]string{"var/log/plesk-roundcube/sendmail.log": webmail}, "", "")
	f("too long", map[string]string{"var/log/mail.log": mail, "var/log/roundcube/sendmail.log": webmail},
		"/var/log/mail.log: mail.log\n", "/var/log/roundcube/sendmail.log")
}

// The user of the web server writes such a log: it must not speak for the MTA.
func TestAWebmailsLogSpeaksForNoOtherProgram(t *testing.T) {
	const own = "[23-Nov-2026 11:00:00 +0000]: new msg 5\n"
	const forged = "Nov 23 11:00:00 mx1 note: forged\n2026-11-23 11:00:00 forged\n@400000006b0424491494a37c note: forged\n{\"MESSAGE\":\"forged\",\"SYSLOG_IDENTIFIER\":\"note\"}\nlast message repeated 3 times\n\n\x00\x00\n[\n"
	root := hosttest.Tree(t, map[string]string{"sendmail": own + forged + own, "maillog": forged})
	streams := named(t, root, "sendmail")
	if !streams[0].Files[0].Webmail || named(t, root, "maillog")[0].Files[0].Webmail {
		t.Error("a log of Roundcube is known by its first line")
	}
	r := scanStreams(t, root, streams, Options{NewParser: func() Parser {
		return parserFunc(func(l *spoor.Line, e *spoor.Event) spoor.LineSort {
			e.Kind, e.Text = spoor.EventTrouble, l.Program
			return spoor.LineEvent
		})
	}})
	if len(r.events) != 2 || r.events[0].text != "roundcube" || r.events[1].text != "roundcube" || r.coverage.Foreign != 8 {
		t.Errorf("%+v, %+v", r.events, r.coverage)
	}
}

type parserFunc func(l *spoor.Line, e *spoor.Event) spoor.LineSort

func (f parserFunc) Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort { return f(l, e) }
