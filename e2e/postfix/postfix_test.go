//go:build e2e

// Package postfix stages what goes wrong on mail servers on a real Postfix, with
// Dovecot for its logins, and asks the program who sends the spam.
package postfix

import (
	"testing"

	"spoor/e2e/mailtest"
)

// atRest reports whether everything was tried once and waits for another time.
func atRest(s *mailtest.Server) bool {
	const spool = "/var/spool/postfix/"
	return s.Files(spool+"maildrop")+s.Files(spool+"incoming")+s.Files(spool+"active") == 0 && s.Files(spool+"deferred") >= mailtest.Queued
}

func TestPostfix(t *testing.T) {
	s := start(t)
	mailtest.Stage(s)
	s.Until("the queue to be at rest", func() bool { return atRest(s) })

	mailtest.CheckAnswer(s, "postfix", mailtest.Truths(mailtest.Proofs{
		Stolen: "sasl_username=" + mailtest.Stolen, Letter: "sasl_username=" + mailtest.Letter,
		Web: "uid=10003 from=<", Shared: "uid=33 from=<", Dump: "uid=1001 from=<dump>",
		Relayed: "client=unknown[" + mailtest.Relaying + "]", Forwarded: "client=unknown[" + mailtest.Friend + "]",
	}))
	mailtest.CheckMessages(s)
	mailtest.CheckLog(s, "/var/log/mail.log", "/var/log/dovecot.log")
	mailtest.CheckTrace(s)
	mailtest.CheckAudit(s, "qmail", "Exim")
	mailtest.CheckSame(s, "postqueue-j", mailtest.Sorted, "/usr/sbin/postqueue", "-j")
}
