package panel

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"spoor"
)

func TestMailLogParser(t *testing.T) {
	berlin := time.FixedZone("CEST", 2*3600)
	p := MailLogParser{Near: time.Date(2016, 1, 1, 12, 0, 0, 0, time.UTC), Zone: berlin}
	want := func(name, line, when, script string, number int, to string) {
		t.Run(name, func(t *testing.T) {
			mail, ok := p.Parse([]byte(line))
			if !ok {
				t.Fatalf("not understood: %s", line)
			}
			got := ""
			if !mail.Time.IsZero() {
				got = mail.Time.Format(time.RFC3339)
			}
			if got != when || mail.Script != script || mail.Line != number || mail.To != to {
				t.Errorf("got %s %s:%d %q, want %s %s:%d %q", got, mail.Script, mail.Line, mail.To, when, script, number, to)
			}
		})
	}
	want("file", "[25-Apr-2016 18:16:41 UTC] mail() on [/var/www/httpdocs/wordpress/wp-includes/class-phpmailer.php:677]: To: a@b.example -- Headers: Date: Mon, 25 Apr 2016 18:16:41 +0000 From: ScriptTest",
		"2016-04-25T18:16:41Z", "/var/www/httpdocs/wordpress/wp-includes/class-phpmailer.php", 677, "a@b.example")
	want("nobody in To", "[25-Apr-2016 18:16:41 UTC] mail() on [/x.php:1]: To: -- Headers: Date: Mon",
		"2016-04-25T18:16:41Z", "/x.php", 1, "")
	want("zone of the server", "[25-Apr-2016 18:16:41 ] mail() on [/x.php:1]: To: a@b.example",
		"2016-04-25T16:16:41Z", "/x.php", 1, "a@b.example")
	want("zone that nobody knows", "[25-Apr-2016 18:16:41 Mars/Olympus] mail() on [/x.php:1]: To: a@b.example",
		"", "/x.php", 1, "a@b.example")
	want("zone of spoor's own machine", "[25-Apr-2016 18:16:41 Local] mail() on [/x.php:1]: To: a@b.example",
		"", "/x.php", 1, "a@b.example")
	want("zone that is a path", "[25-Apr-2016 18:16:41 ../../etc/passwd] mail() on [/x.php:1]: To: a@b.example",
		"", "/x.php", 1, "a@b.example")
	want("PHP without times", "mail() on [/x.php:1]: To: a@b.example -- Headers: ",
		"", "/x.php", 1, "a@b.example")
	want("syslog, last year", "Dec 31 23:59:59 web1 php[4711]: mail() on [/var/www/x.php:677]: To: a@b.example -- Headers: ",
		"2015-12-31T21:59:59Z", "/var/www/x.php", 677, "a@b.example")
	want("syslog, this year", "Jan  2 03:04:05 web1 ool php: mail() on [/var/www/x.php:677]: To: a@b.example -- Headers: ",
		"2016-01-02T01:04:05Z", "/var/www/x.php", 677, "a@b.example")
	want("syslog of RFC 3339", "2016-04-25T18:16:41.123+02:00 web1 php-fpm: mail() on [/x.php:1]: To: a@b.example",
		"2016-04-25T16:16:41Z", "/x.php", 1, "a@b.example")
	want("eval", "[25-Apr-2016 18:16:41 UTC] mail() on [/var/www/x.php(12) : eval()'d code(3) : eval()'d code:1]: To: a@b.example",
		"2016-04-25T18:16:41Z", "/var/www/x.php", 12, "a@b.example")
	want("colon and bracket in the path", "[25-Apr-2016 18:16:41 UTC] mail() on [/a]: b/x(1).php:9]: To: a@b.example",
		"2016-04-25T18:16:41Z", "/a]: b/x(1).php", 9, "a@b.example")

	for _, line := range []string{
		"", "mail() on [", "mail() on [/x.php]: To: a@b.example", "mail() on [:1]: To: a", "mail() on [/x.php:-1]: To: a",
		"mail() on [/x.php:99999999999]: To: a",
		"Jan  2 03:04:05 web1 sshd[1]: Invalid user mail() on [/x.php:1]: To: a@b.example",
		"Jan  2 03:04:05 web1 sshd[1]: Invalid user x: mail() on [/x.php:1]: To: a@b.example",
		"Feb 30 03:04:05 web1 php: mail() on [/x.php:1]: To: a@b.example",
		" mail() on [/x.php:1]: To: a@b.example",
	} {
		if mail, ok := p.Parse([]byte(line)); ok {
			t.Errorf("Parse(%q) = %+v, want nothing", line, mail)
		}
	}
}

func TestMailLogParserKnowsZonesByName(t *testing.T) {
	if _, err := time.LoadLocation("Europe/Berlin"); err != nil {
		t.Fatalf("install tzdata: %v", err)
	}
	p := MailLogParser{}
	for range 2 {
		mail, ok := p.Parse([]byte("[25-Apr-2016 18:16:41 Europe/Berlin] mail() on [/x.php:1]: To: a@b.example"))
		if !ok || mail.Time.Format(time.RFC3339) != "2016-04-25T16:16:41Z" {
			t.Errorf("%+v, %v", mail, ok)
		}
	}
}

func TestScriptMails(t *testing.T) {
	l, gaps := newLog(t, strings.Join([]string{
		"[01-May-2024 11:59:59 UTC] mail() on [/early.php:1]: To: a@b.example -- Headers: ",
		"mail() on [/timeless.php:1]: To: a@b.example -- Headers: ",
		"garbage",
		"[01-May-2024 12:00:00 UTC] mail() on [/x.php:7]: To: a@b.example -- Headers: ",
		"[01-May-2024 13:00:01 UTC] mail() on [/late.php:1]: To: a@b.example -- Headers: ", "",
	}, "\n"))
	var mails []spoor.ScriptMail
	for mail := range l.ScriptMails(Window{From: noon, Until: noon.Add(time.Hour)}, nil) {
		mails = append(mails, mail)
	}
	if len(mails) != 1 || mails[0].Script != "/x.php" || mails[0].Place.Line != 4 || mails[0].Place.Text == "" {
		t.Errorf("mails %+v", mails)
	}
	if list := gaps.List(); len(list) != 1 || list[0].Count != 1 {
		t.Errorf("gaps %v", list)
	}
}

func FuzzMailLogParser(f *testing.F) {
	p := MailLogParser{Near: noon}
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		mail, ok := p.Parse(line)
		if !bytes.Equal(before, line) {
			t.Fatal("the line was changed")
		}
		if len(p.zones) > maxZones {
			t.Fatalf("%d zones", len(p.zones))
		}
		if !ok {
			return
		}
		if mail.Script == "" || mail.Line < 0 || len(mail.To) > addressBytes || !bytes.Contains(line, []byte(mail.Script)) {
			t.Fatalf("%+v", mail)
		}
	})
}
