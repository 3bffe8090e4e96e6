package mailtest

import (
	"fmt"
	"strconv"
	"strings"
)

// Server is a running server on which Stage can happen.
type Server struct {
	*Root
	SMTP       string // port for other servers, and for clients of its own network
	Submission string // port for those who log in
}

// Other people's domains. The server sends their mail to Sinks.
const (
	SlowDomain    = "slow.test"    // puts mail off
	RefusesDomain = "refuses.test" // refuses it
	TakesDomain   = "takes.test"   // takes it
)

// The accounts that the server has to know.
const (
	Stolen         = "anna@shop.example"
	StolenPassword = "summer2026"
	Letter         = "news@shop.example"
	LetterPassword = "correct horse"
)

// Addresses of clients.
const (
	Thief1   = "127.0.0.2"
	Thief2   = "127.0.0.3"
	Office   = "127.0.0.10"
	Relaying = "127.0.5.77" // of the network that is trusted and should not be
	Outside  = "127.0.9.66"
	Friend   = "127.0.9.80"
)

// How many messages Stage makes, and how many of them wait in the queue when it
// is over.
const (
	FailedLogins    = 5
	StolenSent      = 40
	StolenQueued    = 36       // four go to who takes everything
	StolenBounces   = 4        // of recipients who are refused
	StolenDelivered = 4*9 + 32 // recipients: all of four messages, one of each that has nobody who is refused
	WebSent         = 25
	WebQueued       = 20
	SharedSent      = 15 // by the UID that all sites share
	SharedQueued    = 12
	DumpSent        = 3
	DumpQueued      = 1
	LetterSent      = 40
	LetterQueued    = 2
	RelayedSent     = 30
	RelayedQueued   = 24
	StraySent       = 20 // for users who do not exist, from senders who did not write
	StrayBounces    = 20
	ForwardQueued   = 10
	Queued          = StolenQueued + StolenBounces + WebQueued + SharedQueued + DumpQueued + LetterQueued + RelayedQueued + StrayBounces + ForwardQueued
)

// Stage lets everything happen that this package has numbers of. It returns when
// the server has taken all of it.
func Stage(s *Server) {
	s.t.Helper()
	for _, happen := range []func() error{s.newsletter, s.guess, s.steal, s.relay, s.stray, s.forward} {
		if err := happen(); err != nil {
			s.t.Fatal(err)
		}
	}
	s.php(Web1, WebSent, "/var/www/vhosts/shop.example/httpdocs/wp-content/mailer.php", "-fdr#@pills#.test")
	s.php(WWWData, SharedSent, "/var/www/vhosts/club.example/httpdocs/contact.php", "")
	s.dump()
}

// at makes recipients in a domain, other ones for each number.
func at(domain string, number, count int) []string {
	var list []string
	for i := range count {
		list = append(list, fmt.Sprintf("r%d.%d@%s", number, i, domain))
	}
	return list
}

// newsletter is the mail of an account that everybody wants.
func (s *Server) newsletter() error {
	var mails []Mail
	for i := range LetterSent {
		to := at(TakesDomain, i, 1)
		if i < LetterQueued {
			to = at(SlowDomain, i, 1)
		}
		mails = append(mails, Mail{Letter, to, "From: Shop <" + Letter + ">\nTo: " + to[0] + "\nSubject: What is new in November\n" +
			"List-Unsubscribe: <https://shop.example/out?" + strconv.Itoa(i) + ">\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n" +
			"Precedence: bulk\n\nDear customer " + strconv.Itoa(i) + ",\n\nour winter tea is here.\n"})
	}
	return (&Client{Office, s.Submission, Letter, LetterPassword}).Send(mails...)
}

// guess fails to log in.
func (s *Server) guess() error {
	for i := range FailedLogins {
		if err := (&Client{Thief1, s.Submission, Stolen, "guess" + strconv.Itoa(i)}).Send(); err == nil {
			return fmt.Errorf("password %d was taken for the right one", i)
		}
	}
	return nil
}

// steal sends spam by a stolen account from two addresses, half of it with other
// people's senders and a third with forged traces.
func (s *Server) steal() error {
	var mails []Mail
	for i := range StolenSent {
		sender, to, traces := Stolen, append(at(SlowDomain, i, 8), at(TakesDomain, i, 1)...), ""
		if i%2 == 1 {
			sender = fmt.Sprintf("billing%d@bank%d.test", i, i%7)
		}
		switch i % 10 {
		case 0:
			to = at(TakesDomain, i, 9)
		case 1:
			to = append(at(SlowDomain, i, 8), at(RefusesDomain, i, 1)...)
		}
		if i%3 == 0 {
			traces = "Received: by " + Host + " (Postfix, from userid " + strconv.Itoa(Web1) + ")\n\tid 0123456789; Thu, 26 Nov 2026 06:00:00 +0000 (UTC)\n" +
				"Received: from [203.0.113.5] (helo=x)\n\tby " + Host + " with esmtpa (Authenticated sender: " + Letter + ")\n" +
				"X-PHP-Originating-Script: " + strconv.Itoa(Web1) + ":mailer.php\nX-Authenticated-Sender: " + Letter + "\n"
		}
		mails = append(mails, Mail{sender, to, traces + "From: Billing <" + sender + ">\nTo: undisclosed-recipients:;\n" +
			"Subject: Your account is limited\n\nVerify at http://bank.test/?" + strconv.Itoa(i) + "\n"})
	}
	for i, address := range []string{Thief1, Thief2} {
		half := mails[i*StolenSent/2 : (i+1)*StolenSent/2]
		if err := (&Client{address, s.Submission, Stolen, StolenPassword}).Send(half...); err != nil {
			return err
		}
	}
	return nil
}

// relay sends through a network that the server trusts.
func (s *Server) relay() error {
	var mails []Mail
	for i := range RelayedSent {
		sender, to := fmt.Sprintf("prize%d@lotto%d.test", i, i%9), at(SlowDomain, 100+i, 5)
		if i%5 == 0 {
			to = at(TakesDomain, 100+i, 5)
		}
		mails = append(mails, Mail{sender, to, "From: " + sender + "\nSubject: You have won\n\nClaim your prize " + strconv.Itoa(i) + "\n"})
	}
	return (&Client{Address: Relaying, Port: s.SMTP}).Send(mails...)
}

// stray sends to users who do not exist, in the name of people who never wrote.
func (s *Server) stray() error {
	var mails []Mail
	for i := range StraySent {
		sender := fmt.Sprintf("victim%d@%s", i, SlowDomain)
		mails = append(mails, Mail{
			sender,
			[]string{fmt.Sprintf("nobody%d@%s", i, Domain)},
			"From: " + sender + "\nSubject: hello\n\nare you there " + strconv.Itoa(i) + "\n",
		})
	}
	return (&Client{Address: Outside, Port: s.SMTP}).Send(mails...)
}

// forward sends to a domain that forwards everything outside.
func (s *Server) forward() error {
	var mails []Mail
	for i := range ForwardQueued {
		sender := fmt.Sprintf("fan%d@%s", i, TakesDomain)
		mails = append(mails, Mail{
			sender,
			[]string{fmt.Sprintf("member%d@%s", i, Forwarded)},
			"From: " + sender + "\nSubject: our match\n\nSee you on Saturday.\n",
		})
	}
	return (&Client{Address: Friend, Port: s.SMTP}).Send(mails...)
}

const mailer = `<?php
list(, $count, $options) = $argv;
for ($i = 0; $i < $count; $i++) {
	$domain = $i % 5 == 0 ? "` + TakesDomain + `" : "` + SlowDomain + `";
	$to = array();
	for ($j = 0; $j < 4; $j++) $to[] = "p$i.$j@$domain";
	$ok = mail(implode(", ", $to), "Cheap pills", "Order at http://pills.test/", "From: dr$i@pills.test", str_replace("#", $i, $options));
	if (!$ok) exit(1);
}
`

// php lets a script send with PHP's mail(), as a user. The script belongs to the
// site, as it does where all sites run as one user, and that is the UID which PHP
// writes into X-PHP-Originating-Script.
func (s *Server) php(uid, count int, script, options string) {
	s.t.Helper()
	s.Write(script, mailer)
	s.Own(script, 0o644, Web1, Web1)
	s.Run(uid, "", "/usr/bin/php", "-d", "mail.add_x_header=On", script, strconv.Itoa(count), options)
}

// dump sends what a job of cron prints.
func (s *Server) dump() {
	s.t.Helper()
	for i := range DumpSent {
		domain := TakesDomain
		if i < DumpQueued {
			domain = SlowDomain
		}
		s.Run(Dump, strings.Join([]string{
			"From: root (Cron Daemon)", "To: admin@" + domain, "Subject: Cron <dump@mx> nightly", "", "dumped " + strconv.Itoa(i+4) + " tables", "",
		}, "\n"), "/usr/sbin/sendmail", "-i", "-FCronDaemon", "-oem", "admin@"+domain)
	}
}
