//go:build e2e

package postfix

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"spoor/e2e/mailtest"
)

// filter is a content filter behind the queue, which hands back what it gets and
// answers in its own words: they do not say under which ID Postfix has queued it.
type filter struct {
	port  string
	back  mailtest.Client
	first bool // it answers before it hands back
}

func newFilter(t *testing.T, back string, first bool) *filter {
	t.Helper()
	f := &filter{back: mailtest.Client{Address: "127.0.0.1", Port: back}, first: first}
	f.port = mailtest.Serve(t, func(connection net.Conn) {
		if err := f.talk(connection); err != nil {
			t.Errorf("filter: %v", err)
		}
	})
	return f
}

// talk is one session of SMTP (RFC 5321 §3).
func (f *filter) talk(connection net.Conn) error {
	in := bufio.NewReader(connection)
	say := func(answer string) { _, _ = fmt.Fprintf(connection, "%s\r\n", answer) }
	say("220 filter")
	var mail mailtest.Mail
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil // Postfix has hung up
		}
		verb, path, _ := strings.Cut(strings.TrimSpace(line), ":")
		path, _, _ = strings.Cut(strings.TrimPrefix(path, "<"), ">")
		switch strings.ToUpper(verb) {
		case "MAIL FROM":
			mail = mailtest.Mail{Sender: path}
			say("250 ok")
		case "RCPT TO":
			mail.Recipients = append(mail.Recipients, path)
			say("250 ok")
		case "DATA":
			say("354 go on")
			if mail.Text, err = content(in); err != nil {
				return err
			}
			if f.first {
				say("250 ok, it is clean")
			}
			if err := f.back.Send(mail); err != nil {
				return err
			}
			if !f.first {
				say("250 ok, it is clean")
			}
		case "QUIT":
			say("221 bye")
			return nil
		default:
			say("250 ok")
		}
	}
}

func content(in *bufio.Reader) (string, error) {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || strings.TrimSpace(line) == "." {
			return text.String(), err
		}
		text.WriteString(strings.TrimSuffix(line, "\r\n") + "\n")
	}
}

// TestMailThroughAFilterIsItsSenders has a real Postfix with a content filter, and
// somebody on the machine who writes the Message-ID of another's message on his own.
func TestMailThroughAFilterIsItsSenders(t *testing.T) {
	for _, first := range []bool{false, true} {
		t.Run(fmt.Sprintf("it answers first: %v", first), func(t *testing.T) {
			root := mailtest.New(t, "postfix")
			back := root.Port()
			f := newFilter(t, back, first)
			s := startWith(root, root.Sinks(), "content_filter = smtp:[127.0.0.1]:"+f.port+"\n",
				"127.0.0.1:"+back+" inet n - n - - smtpd\n  -o content_filter=\n")
			const sent = 5
			letter := func(i int, subject string) mailtest.Mail {
				return mailtest.Mail{
					Sender: mailtest.Letter, Recipients: []string{fmt.Sprintf("u%d@%s", i, mailtest.SlowDomain)},
					Text: fmt.Sprintf("From: <%s>\nMessage-ID: <%d@shop.example>\nSubject: %s\n\nhello\n", mailtest.Letter, i, subject),
				}
			}
			for i := range sent {
				if err := (&mailtest.Client{Address: "127.0.0.1", Port: s.Submission, Login: mailtest.Letter, Password: mailtest.LetterPassword}).Send(letter(i, "mine")); err != nil {
					t.Fatal(err)
				}
			}
			s.Until("all are through the filter", func() bool {
				n := 0
				for _, m := range s.Messages() {
					if m.State == "deferred" {
						n++
					}
				}
				return n == sent
			})
			forged := letter(0, "forged")
			forged.Sender = "x@elsewhere.example"
			if err := (&mailtest.Client{Address: "127.0.0.1", Port: back}).Send(forged); err != nil {
				t.Fatal(err)
			}
			s.Until("the last one is put off", func() bool {
				list := s.Messages()
				for _, m := range list {
					if m.State != "deferred" {
						return false
					}
				}
				return len(list) == sent+1
			})
			for _, m := range s.Messages() {
				want := "account:" + mailtest.Letter
				if m.Subject == "forged" {
					want = "network:127.0.0.1"
				}
				if m.Source != want {
					t.Errorf("%s, %s: source %s, want %s", m.ID, m.Subject, m.Source, want)
				}
			}
			var a mailtest.Answer
			s.JSON(&a)
			for _, source := range a.Sources {
				want := map[string]int{"account:" + mailtest.Letter: sent, "network:127.0.0.1": 1}[source.Source]
				if source.Sent != want || source.Queued != want {
					t.Errorf("%s has sent %d, and %d are queued, want %d", source.Source, source.Sent, source.Queued, want)
				}
			}
		})
	}
}
