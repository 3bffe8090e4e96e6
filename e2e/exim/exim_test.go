//go:build e2e

// Package exim stages what goes wrong on mail servers on a real Exim, and asks
// the program who sends the spam.
package exim

import (
	"strings"
	"testing"

	"spoor/e2e/mailtest"
)

// atRest reports whether no delivery runs any more: the sinks are other
// programs, and of Exim the daemon alone is left.
func atRest(s *mailtest.Server) bool {
	running := 0
	for _, program := range s.Processes() {
		if strings.Contains(program, "exim") {
			running++
		}
	}
	return running == 1 && s.Files("/var/spool/exim4/input") >= 2*mailtest.Queued
}

func TestExim(t *testing.T) {
	s := start(t)
	mailtest.Stage(s)
	// Processes that begin while others are listed are not seen: one look is not enough.
	calm := 0
	s.Until("the queue to be at rest", func() bool {
		if calm++; !atRest(s) {
			calm = 0
		}
		return calm == 5
	})

	mailtest.CheckAnswer(s, "exim", mailtest.Truths(mailtest.Proofs{
		Stolen: "A=plain:" + mailtest.Stolen, Letter: "A=plain:" + mailtest.Letter,
		Web: "U=web1 P=local", Shared: "U=www-data P=local", Dump: "U=dump P=local",
		Relayed: "[" + mailtest.Relaying + "]", Forwarded: "[" + mailtest.Friend + "]",
	}))
	mailtest.CheckMessages(s)
	mailtest.CheckLog(s, "/var/log/exim4/mainlog")
	mailtest.CheckTrace(s)
	mailtest.CheckAudit(s, "qmail", "Postfix")
	mailtest.CheckSame(s, "exim-bp", mailtest.ByArrival, "/usr/sbin/exim4", "-bp")
}
