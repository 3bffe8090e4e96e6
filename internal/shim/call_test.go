package shim

import (
	"strings"
	"testing"
)

func TestWhatIsASubmission(t *testing.T) {
	for _, tc := range []struct {
		args    string
		submits bool
	}{
		{"sendmail -t -i", true},
		{"/usr/sbin/sendmail -oi -fweb1@shop.example a@b.test", true},
		{"sendmail", true},
		{"sendmail -bm a@b.test", true},
		{"sendmail -N success,failure -R hdrs a@b.test", true},
		{"sendmail -Rfull a@b.test", true},
		{"sendmail -ti -odb -oem", true},
		{"sendmail -- -bs", true},
		{"sendmail -f -bs a@b.test", true}, // the value of -f
		{"mailq", false},
		{"/usr/bin/newaliases", false},
		{"sendmail -bs", false},
		{"sendmail -bp", false},
		{"sendmail -bi", false},
		{"sendmail -bd -q30m", false},
		{"sendmail -bS", false},
		{"sendmail -bt user@shop.example", false},
		{"sendmail -bV", false},
		{"sendmail -q", false},
		{"sendmail -q1h", false},
		{"sendmail -qff", false},
		{"sendmail -Mrm 1oPu5B-000ABC-12", false},
		{"sendmail -Mc 1oPu5B-000ABC-12", false},
		{"sendmail -R shop.example", false}, // Exim and sendmail: run the queue for it
		{"sendmail -I", false},
	} {
		if c := parseCall(strings.Fields(tc.args)); c.submits != tc.submits {
			t.Errorf("%q submits: %v", tc.args, c.submits)
		}
	}
}

func TestWhatTheCommandLineTells(t *testing.T) {
	f := func(args []string, want call) {
		t.Helper()
		want.submits = true
		if c := parseCall(args); c != want {
			t.Errorf("%q: %+v, want %+v", args, c, want)
		}
	}
	f([]string{"sendmail", "-t", "-i"}, call{name: "sendmail", fromTop: true})
	f([]string{"sendmail", "-ti", "-fweb@x.test"}, call{name: "sendmail", fromTop: true, hasSender: true, sender: "web@x.test"})
	f([]string{"sendmail", "-f", "", "a@x.test", "b@x.test"}, call{name: "sendmail", hasSender: true, recipients: 2})
	f([]string{"sendmail", "-r", "web@x.test", "-F", "Web One", "a@x.test"}, call{name: "sendmail", hasSender: true, sender: "web@x.test", recipients: 1})
	f([]string{"sendmail", "-oMr", "smtp", "-oi", "a@x.test"}, call{name: "sendmail", recipients: 1})
	f([]string{"/x/spoor-sendmail", "-i", "--", "-a", "b"}, call{name: Name, recipients: 2})
}

func TestTheRealOneIsCalledSendmail(t *testing.T) {
	f := func(args []string, want string) {
		t.Helper()
		c := parseCall(args)
		if got := c.realArgs(args); got[0] != want || len(got) != len(args) {
			t.Errorf("%q became %q", args, got)
		}
	}
	f([]string{"/usr/sbin/sendmail", "-t"}, "/usr/sbin/sendmail")
	f([]string{"mailq"}, "mailq")
	f([]string{"/usr/lib/spoor/spoor-sendmail", "-t"}, "sendmail")
}

func TestSummary(t *testing.T) {
	head := "From: \"A, B\" <a@x.test>\r\nTo: \"Doe, J.\" <j@x.test>, k@x.test\r\n (a, comment)\r\nCC: friends: l@x.test, m@x.test;\r\n" +
		"Bcc: n@x.test\r\nmessage-id:  <1@x.test>\r\nMessage-ID: <2@x.test>\r\nTo: o@x.test\r\n"
	want := summary{to: 3, cc: 2, bcc: 1, messageID: "<1@x.test>"}
	if s := summarise([]byte(head)); s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
	if s := summarise([]byte("Message-ID: " + strings.Repeat("x", 5000))); len(s.messageID) != maxMessageID {
		t.Errorf("a Message-ID of %d bytes is told", len(s.messageID))
	}
}

func FuzzSummarise(f *testing.F) {
	f.Add([]byte("To: a@x.test, \"b\\\" (c\" <d@x.test>\nMessage-ID: <1@x>\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		s := summarise(head)
		if s.to+s.cc+s.bcc > len(head) || len(s.messageID) > maxMessageID || strings.Contains(s.messageID, "\n\n") {
			t.Errorf("%+v", s)
		}
	})
}
