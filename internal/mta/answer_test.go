package mta

import (
	"strings"
	"testing"

	"spoor"
)

func TestClassifyAnswer(t *testing.T) {
	f := func(answer string, want spoor.Answer) {
		t.Helper()
		qmail := strings.ReplaceAll(answer, " ", "_")
		for _, form := range []string{answer, qmail, strings.ToUpper(answer)} {
			if got := ClassifyAnswer([]byte(form)); got != want {
				t.Errorf("%s is %s, want %s", form, got, want)
			}
		}
	}
	const said = "192.0.2.1 does not like recipient./Remote host said: "
	f(said+"550 5.1.1 <a@b.example>: Recipient address rejected: User unknown in virtual mailbox table/Giving up on 192.0.2.1./", spoor.AnswerUserUnknown)
	f(said+"550-5.1.1 The email account that you tried to reach does not exist. gsmtp", spoor.AnswerUserUnknown)
	f(said+"550 No such user here", spoor.AnswerUserUnknown)
	f(said+"550 5.5.0 Requested action not taken: mailbox unavailable", spoor.AnswerUserUnknown)
	f(said+"554 delivery error: dd This user doesn't have an account (a@b.example) [0]", spoor.AnswerUserUnknown)
	f("Sorry, no mailbox here by that name. (#5.1.1)/", spoor.AnswerUserUnknown)
	f("511 sorry, no mailbox here by that name (#5.1.1 - chkuser)", spoor.AnswerUserUnknown)
	f(said+"550 5.2.1 The account is disabled", spoor.AnswerUserUnknown)
	f(said+"552 5.2.2 The email account is over quota", spoor.AnswerMailboxFull)
	f(said+"452-4.2.2 The recipient's inbox is out of storage space", spoor.AnswerMailboxFull)
	f("Mailbox is full / Blocks limit exceeded / Inode limit exceeded/", spoor.AnswerMailboxFull)
	f(said+"550-5.7.1 [192.0.2.9 12] Our system has detected that this message is likely unsolicited mail", spoor.AnswerSpam)
	f(said+"554 5.7.1 Message rejected as spam by content filter", spoor.AnswerSpam)
	f(said+"550 spam message rejected. Please visit http://help.example/", spoor.AnswerSpam)
	f(said+"554 5.7.1 Spam message rejected", spoor.AnswerSpam)
	f(said+"550 5.7.1 Message contains spam or virus", spoor.AnswerSpam)
	f(said+"421-4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP", spoor.AnswerSpam)
	f(said+"554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.spamhaus.org", spoor.AnswerBlocked)
	f(said+"550 5.7.1 Unfortunately, messages from [192.0.2.9] weren't sent. Please contact your provider since part of their network is on our block list (S3140).", spoor.AnswerBlocked)
	f(said+"550 5.7.606 Access denied, banned sending IP [192.0.2.9]", spoor.AnswerBlocked)
	f(said+"553 5.7.1 [TSS09] All messages from 192.0.2.9 will be permanently deferred", spoor.AnswerBlocked)
	f(said+"554-mx.example 554 Your IP address has a poor reputation (bl.score.senderscore)", spoor.AnswerBlocked)
	f(said+"554 rejected due to spam URL; listed on dbl", spoor.AnswerBlocked)
	f(said+"421 4.7.0 [TSS04] Messages from 192.0.2.9 temporarily deferred due to user complaints", spoor.AnswerRate)
	f(said+"421 4.7.1 Too many messages from your IP, try again later", spoor.AnswerRate)
	f(said+"452 4.5.3 Too many recipients", spoor.AnswerRate)
	f(said+"450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages", spoor.AnswerRate)
	f(said+"451 4.7.1 Greylisting in action, please come back later", spoor.AnswerGreylisted)
	f(said+"450 4.2.0 Recipient address: Greylisted, see http://postgrey.example/", spoor.AnswerGreylisted)
	f("CNAME lookup failed temporarily. (#4.4.3)/", spoor.AnswerNoHost)
	f("Sorry, I couldn't find any host named b.example. (#5.1.2)/", spoor.AnswerNoHost)
	f("Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)/", spoor.AnswerNoHost)
	f("Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)/", spoor.AnswerNoConnection)
	f("Connected to 192.0.2.1 but connection died. (#4.4.2)/", spoor.AnswerNoConnection)
	f("lost connection with mx.b.example[192.0.2.1] while receiving the initial server greeting", spoor.AnswerNoConnection)
	f("H=mx.b.example [192.0.2.1]: Remote host closed connection in response to initial connection", spoor.AnswerNoConnection)
	f("connect to mx.b.example[2001:db8::1]:25: Network is unreachable", spoor.AnswerNoConnection)
	f("mail transport unavailable", spoor.AnswerLocal)
	f("Command died with status 2: x. Command output: y", spoor.AnswerLocal)
	f("Command time limit exceeded: x", spoor.AnswerLocal)
	f("I'm not going to try again; this message has been in the queue too long./", spoor.AnswerTooOld)
	f(said+"552 5.3.4 Message size exceeds fixed limit", spoor.AnswerTooLarge)
	f("This message is looping: it already has my Delivered-To line. (#5.4.6)/", spoor.AnswerLoop)
	f("qmail-spawn unable to open message. (#4.3.0)/", spoor.AnswerLocal)
	f("Sorry, message has wrong owner. (#4.3.5)/", spoor.AnswerLocal)
	f(said+"550-5.7.26 This mail is unauthenticated, which poses a security risk", spoor.AnswerPolicy)
	f(said+"550 5.7.1 SPF check failed", spoor.AnswerPolicy)
	f("host mx.far.example[192.0.2.1] said: 450 4.1.8 <a@b.example>: Sender address rejected: Domain not found (in reply to MAIL FROM command)", spoor.AnswerPolicy)
	f(said+"553 5.7.1 <a@b.example>: Sender address rejected: not owned by user c", spoor.AnswerPolicy)
	f(said+"550 5.1.7 <a@b.example>: Sender address rejected: undeliverable address: User unknown", spoor.AnswerPolicy)
	f(said+"501 5.1.8 <a@b.example>", spoor.AnswerPolicy)
	f(said+"554 5.7.1 <a@b.example>: Relay access denied", spoor.AnswerPolicy)
	f(said+"450 4.4.1 x", spoor.AnswerNoConnection)
	f(said+"250 ok", spoor.AnswerOther)
	f("", spoor.AnswerOther)
}

// TestAnAddressDoesNotDecide: whoever chooses the address must not choose what
// the answer means.
func TestAnAddressDoesNotDecide(t *testing.T) {
	for _, answer := range []string{
		"550 5.1.1 <spam@blocked.spamhaus.example>: no such user",
		"550_5.1.1_spam@spamhaus.example_unknown_user_spam@spamhaus.example",
	} {
		if got := ClassifyAnswer([]byte(answer)); got != spoor.AnswerUserUnknown {
			t.Errorf("%s is %s", answer, got)
		}
	}
}

func TestShapesDifferInWordsOnly(t *testing.T) {
	a := Shape([]byte("192.0.2.1_does_not_like_recipient./Remote_host_said:_451_4.7.1_<a@b.example>:_Too_many_(in_7_h)"))
	b := Shape([]byte("198.51.100.77_does_not_like_recipient./Remote_host_said:_451_4.7.1_<longer@other.example>:_Too_many_(in_1234567_h)"))
	if a != b {
		t.Error("two answers that differ in addresses and numbers have different shapes")
	}
	if a == Shape([]byte("192.0.2.1_does_not_like_recipient./Remote_host_said:_550_5.1.1_<a@b.example>:_Too_many_(in_7_h)")) {
		t.Error("another status code has the same shape")
	}
	c := NewClassifier()
	for range 2 {
		if meaning, shape := c.Classify([]byte("550_no_such_user")); meaning != spoor.AnswerUserUnknown || shape != Shape([]byte("550_no_such_user")) {
			t.Error("a remembered answer means something else")
		}
	}
}

func TestReceiver(t *testing.T) {
	f := func(domain, answer, want string) {
		t.Helper()
		if got := Receiver([]byte(domain), []byte(answer)); got != want {
			t.Errorf("%s, %s: %q, want %q", domain, answer, got, want)
		}
	}
	f("gmail.com", "", "google")
	f("customer.example", "550-5.7.1 x gsmtp", "google")
	f("yahoo.co.uk", "", "yahoo")
	f("hotmail.fr", "", "microsoft")
	f("customer.example", "(S3140)", "microsoft")
	f("notgmail.com", "", "")
	f("yahoo.attacker-example.net", "", "")
	f("customer.example", "550 <a@gmail.com> unknown", "")
}

func TestEveryAnswerHasAName(t *testing.T) {
	seen := map[string]bool{}
	for _, answer := range spoor.Answers() {
		if seen[answer.String()] || strings.HasPrefix(answer.String(), "answer(") {
			t.Errorf("answer %d is called %s", answer, answer)
		}
		seen[answer.String()] = true
	}
}

func FuzzClassifyAnswer(f *testing.F) {
	f.Add([]byte("550_5.1.1_<a@b>_unknown/"))
	f.Add([]byte("<<>>@_@/"))
	f.Add([]byte("host mx1.a.test[192.0.2.1] said: 550 5.1.1 <a@b.test>: user unknown (in reply to RCPT TO command)"))
	f.Add([]byte("a <b said: c> said:said: 421 d"))
	f.Add([]byte("host mx.a.test[2001:db8::1] said: 421 d"))
	f.Add([]byte("host  said: 421 <d> <e said: 2"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		c := NewClassifier()
		for range 2 {
			meaning, shape := c.Classify(answer)
			if int(meaning) >= spoor.NumAnswers || meaning != ClassifyAnswer(answer) || shape != Shape(answer) {
				t.Fatalf("%q is %v", answer, meaning)
			}
		}
		Receiver(answer, answer)
	})
}

func TestMailboxLogins(t *testing.T) {
	f := func(program, body, want string) {
		t.Helper()
		l := spoor.Line{Body: []byte(body)}
		var e spoor.Event
		sort, ok := ParseLogin(&l, []byte(program), &e)
		got := sort.String()
		if sort == spoor.LineEvent {
			got = e.Kind.String() + " " + string(e.Address) + " " + string(e.Client)
		}
		if !ok {
			got = "not ours"
		}
		if got != want {
			t.Errorf("%s: %s\n got %s\nwant %s", program, body, got, want)
		}
	}
	f("pop3d", "LOGIN, user=meg@example.co.uk, ip=[::ffff:198.51.100.7], port=[4242]", "access meg@example.co.uk 198.51.100.7")
	f("pop3d", "1257871619.663804 DISCONNECTED, user=meg@example.co.uk, ip=[198.51.100.7], top=0", "known")
	f("courier-imapd", "LOGIN, user=u1@customer.example, ip=[198.51.100.7], port=[9], protocol=IMAP", "access u1@customer.example 198.51.100.7")
	f("imapd-ssl", "LOGIN FAILED, user=a, b, ip=[198.51.100.7]", "access failed a, b 198.51.100.7")
	f("imapd", "never seen", "unknown")
	f("dovecot", "imap-login: Login: user=<a@example.com>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1, mpid=77, TLS", "access a@example.com 198.51.100.7")
	f("dovecot", "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<a@example.com>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1", "access failed a@example.com 198.51.100.7")
	f("dovecot", "imap(a@example.com): Logged out", "known")
	f("sshd", "Accepted", "not ours")
}
