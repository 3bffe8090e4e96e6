package mailtest

import (
	"fmt"
	"strings"
)

// Talk is the address of the mailing list that CheckList makes, TalkFolder where its
// program mlmmj keeps it, and TalkUser the user it is of.
const (
	Talk       = "talk@" + Domain
	TalkFolder = "/var/spool/mlmmj/talk"
	TalkUser   = "mail"
	talkUID    = 8
)

// CheckList posts to a mailing list of mlmmj, whose subscribers are put off, and wants
// each copy to be the list's; and nobody on the machine who knows the post to pass for
// its author. The MTA hands mail for Talk to mlmmj-receive(1).
func CheckList(s *Server) {
	s.t.Helper()
	for _, folder := range []string{
		"", "incoming", "queue", "queue/discarded", "archive", "text", "subconf", "unsubconf", "bounce", "control", "moderation", "subscribers.d",
		"digesters.d", "requeue", "nomailsubs.d",
	} {
		s.Folder(TalkFolder+"/"+folder, 0o755, talkUID, talkUID)
	}
	const subscribers = 5
	var all strings.Builder
	for i := range subscribers {
		fmt.Fprintf(&all, "u%d@%s\n", i, SlowDomain)
	}
	for name, text := range map[string]string{
		"control/listaddress": Talk + "\n", "control/owner": "root@" + Domain + "\n", "control/smtpport": s.SMTP + "\n", "subscribers.d/u": all.String(),
	} {
		s.Write(TalkFolder+"/"+name, text)
		s.Own(TalkFolder+"/"+name, 0o644, talkUID, talkUID)
	}

	post := Mail{
		Sender: Letter, Recipients: []string{Talk},
		Text: fmt.Sprintf("From: <%s>\nTo: <%s>\nMessage-ID: <post@pc.example>\nSubject: post\n\nhello\n", Letter, Talk),
	}
	if err := (&Client{Address: "127.0.0.1", Port: s.Submission, Login: Letter, Password: LetterPassword}).Send(post); err != nil {
		s.t.Fatal(err)
	}
	waiting := func(count int) func() bool {
		return func() bool {
			list := s.Messages()
			return len(list) == count && strings.Count(s.log(), "450 4.7.1") >= count
		}
	}
	s.Until("all copies are put off", waiting(subscribers))
	forged := Mail{Sender: Letter, Recipients: []string{"x@" + SlowDomain}, Text: strings.Replace(post.Text, "Subject: post", "Subject: forged", 1)}
	if err := (&Client{Address: "127.0.0.1", Port: s.SMTP}).Send(forged); err != nil {
		s.t.Fatal(err)
	}
	s.Until("the last one is put off", waiting(subscribers+1))

	for _, m := range s.Messages() {
		want := "list:" + Talk
		if m.Subject == "forged" {
			want = "network:127.0.0.1"
		}
		if m.Source != want {
			s.t.Errorf("%s, %s, of <%s>: source %s, want %s", m.ID, m.Subject, m.Sender, m.Source, want)
		}
	}
	var a Answer
	s.JSON(&a)
	if len(a.Sources) != 3 {
		s.t.Errorf("%d sources, want 3", len(a.Sources))
	}
	for _, source := range a.Sources {
		want := map[string][2]int{"account:" + Letter: {1, 0}, "list:" + Talk: {subscribers, subscribers}, "network:127.0.0.1": {1, 1}}[source.Source]
		if source.Sent != want[0] || source.Queued != want[1] {
			s.t.Errorf("%s has sent %d, and %d are queued, want %d", source.Source, source.Sent, source.Queued, want)
		}
		if source.Kind == "list" && (source.Cause != "account:"+Letter || source.CauseCount != subscribers) {
			s.t.Errorf("the cause is %s, %d times", source.Cause, source.CauseCount)
		}
	}
}

// log is what the MTA has logged.
func (s *Server) log() string { return s.Read("/var/log/mail.log") + s.Read("/var/log/exim4/mainlog") }
