package spoor

import "fmt"

// Answer is the meaning of what a receiver, or the MTA itself, said of a
// delivery that did not succeed.
type Answer uint8

// The meanings, from the most telling of a sender to the least.
const (
	AnswerOther        Answer = iota
	AnswerSpam                // the receiver calls the content or the sending spam
	AnswerBlocked             // the receiver blocks this server's address or domain: a blocklist, a bad reputation
	AnswerRate                // too many messages or connections
	AnswerUserUnknown         // no such mailbox (RFC 3463 x.1.1)
	AnswerMailboxFull         // x.2.2
	AnswerPolicy              // refused by another rule of the receiver: SPF, DKIM, DMARC, relay denied, content type
	AnswerGreylisted          // try again later, by design
	AnswerNoHost              // the domain has no mail server, or does not exist
	AnswerNoConnection        // refused, timed out, or lost before an answer
	AnswerTooLarge            // x.3.4
	AnswerLoop                // x.4.6
	AnswerTooOld              // given up after the lifetime of the queue
	AnswerLocal               // this server's own trouble: disk, permissions, a crashed program
	AnswerTLS                 // encryption failed or is demanded
)

var answerNames = [...]string{
	"other", "spam", "blocked", "rate", "user-unknown", "mailbox-full", "policy", "greylisted", "no-host",
	"no-connection", "too-large", "loop", "too-old", "local", "tls",
}

// NumAnswers is the number of meanings, for tables indexed by Answer.
const NumAnswers = len(answerNames)

// Answers lists every Answer, in the order of their constants.
func Answers() []Answer {
	list := make([]Answer, NumAnswers)
	for i := range list {
		list[i] = Answer(i)
	}
	return list
}

// String returns the word for a.
func (a Answer) String() string {
	if int(a) < len(answerNames) {
		return answerNames[a]
	}
	return fmt.Sprintf("answer(%d)", uint8(a))
}
