package logs

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

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

// Whoever runs scripts as the user of the web server may put files beside the log of
// a webmail. None of them keeps the scan for long.
func TestWhatIsPutBesideAWebmailsLogHasBounds(t *testing.T) {
	const line = "[23-Nov-2026 11:00:00 +0000]: new msg 5\n"
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	for range 1 << 16 {
		_, _ = w.Write([]byte(line))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	root := hosttest.Tree(t, map[string]string{
		"var/log/mail.log": "Nov 23 11:00:00 mx1 note: a\n", "var/log/roundcube/sendmail.log": line, "var/log/roundcube/sendmail.log.1": line,
		"var/log/roundcube/sendmail.log.2.gz": bomb.String(), "var/log/roundcube/sendmail.log.3": "", "var/log/roundcube/sendmail.log.4": line, "var/www/html/roundcube1/logs/sendmail": "1\n", "var/www/html/roundcube2/logs/sendmail": "2\n",
	})
	long := []string{"/var/log/roundcube/sendmail.log.3", "/var/www/html/roundcube1/logs/sendmail", "/var/www/html/roundcube2/logs/sendmail"}
	for i, name := range long {
		if err := os.Truncate(root.Dir()+name, maxWebmailBytes-int64(i)<<20); err != nil {
			t.Fatal(err)
		}
	}
	var gaps spoor.Gaps
	streams := Find(root, nil, &gaps)
	want := "/var/log/roundcube/sendmail.log: sendmail.log.2.gz sendmail.log.1 sendmail.log\n/var/www/html/roundcube1/logs/sendmail: sendmail\n/var/log/mail.log: mail.log\n"
	if got := describe(streams); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if list := gaps.List(); len(list) != 2 || list[0].File != long[0] || list[1].File != long[2] {
		t.Errorf("gaps %+v", list)
	}
	r := scanStreams(t, root, streams[:1], Options{NewParser: func() Parser {
		return parserFunc(func(*spoor.Line, *spoor.Event) spoor.LineSort { return spoor.LineKnown })
	}})
	most := int64(maxWebmailRatio*bomb.Len()/len(line) + 3)
	if r.coverage.Lines > most || len(r.coverage.NotRead) != 1 || r.coverage.NotRead[0].File != "/var/log/roundcube/sendmail.log.2.gz" {
		t.Errorf("%d lines, at most %d wanted; %+v", r.coverage.Lines, most, r.coverage.NotRead)
	}
	if file := named(t, root, "/var/log/roundcube/sendmail.log.2.gz")[0].Files[0]; !file.Webmail {
		t.Error("a compressed log of a webmail is not known by its place")
	}
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
