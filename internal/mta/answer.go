package mta

import (
	"bytes"

	"spoor"
)

// answerWords are what receivers say, in lower case with blanks, in the order in
// which they decide: the first that is found in an answer names its meaning.
// What receivers say of this server's address comes before what they say of
// spam: a blocklist's name often holds that word.
var answerWords = []struct {
	meaning spoor.Answer
	words   []string
}{
	{spoor.AnswerTooOld, []string{"has been in the queue too long", "retry timeout exceeded", "retry time exceeded"}},
	{spoor.AnswerLocal, []string{
		"unable to open message", "qmail-spawn", "qmail-remote crashed", "qmail-local crashed", "message has wrong owner", "report mangled",
		"out of memory", "system resources", "unable to switch to home", "temporary error on maildir", "unable to run qmail-remote", "unable to read message",
		"mail transport unavailable", "unknown mail transport error", "command time limit exceeded", "command died with ", "temporary failure. command output",
	}},
	{spoor.AnswerBlocked, []string{
		"blocked using", "blacklist", "block list", "blocklist", "blocked by", "listed in", "listed at", "listed on", "is listed", "dnsbl", "spamhaus", "spamcop", "barracudacentral", "sorbs",
		"uceprotect", "senderbase", "bad reputation", "poor reputation", "low reputation", "reputation", "s3140", "s3150", "on our block", "banned sending ip", "5.7.606", "5.7.511",
		"has been blocked", "is blocked", "client host blocked", "client host rejected", "ip address rejected", "access denied for your ip", "not allowed to connect", "ts03", "permanently deferred", "proofpoint.com/dnsbl", "ipcheck",
	}},
	{spoor.AnswerSpam, []string{
		"unsolicited", "likely spam", "looks like spam", "spam message", "message is spam", "as spam", "spam detected", "spam content", "considered spam", "identified spam", "spam score",
		"classified as", "content rejected", "message content", "junk mail", "phish", "bulk mail refused", "spam", "4.7.28", "5.7.28", "suspicious content", "message looks", "virus",
	}},
	{spoor.AnswerGreylisted, []string{"greylist", "graylist", "gray-list", "grey-list", "postgrey", "please try again in", "come back later", "try again in a few minutes", "deferred for"}},
	{spoor.AnswerMailboxFull, []string{
		"mailbox full", "mailbox is full", "over quota", "quota exceeded", "exceeded quota", "exceeds the quota", "storage limit", "insufficient storage", "inbox is full", "mailbox size limit", "out of storage", "overquota", "disk quota",
	}},
	{spoor.AnswerRate, []string{
		"too many", "rate limit", "ratelimit", "rate that", "throttl", "try again later, too", "exceeded the maximum", "exceeded its", "limit exceeded", "sending limits", "temporarily deferred", "ts01", "ts02", "unusual rate", "excessive", "slow down", "maximum connections",
	}},
	{spoor.AnswerPolicy, []string{"sender address rejected"}}, // what follows is of the sender's domain or mailbox
	{spoor.AnswerUserUnknown, []string{
		"user unknown", "unknown user", "no such user", "does not exist", "doesn't exist", "no mailbox", "mailbox not found", "mailbox unavailable", "mailbox unknown", "unknown mailbox", "no such mailbox", "invalid recipient", "recipient unknown", "unknown recipient",
		"recipient not found", "user not found", "not a known user", "account is disabled", "account disabled", "address unknown", "address rejected", "unknown address", "unknown local", "unrouteable", "no such recipient", "no such address", "invalid mailbox", "not our customer", "undeliverable address", "this user doesn", "recipient address", "unknown or illegal alias", "no longer available", "inactive",
	}},
	{spoor.AnswerNoHost, []string{
		"couldn't find any host", "couldn't find a mail exchanger", "couldn't find any host by that name", "host not found", "domain not found", "no route to", "name service", "cname lookup failed", "domain does not exist", "isn't in my control/locals", "isn't in my control",
	}},
	{spoor.AnswerNoConnection, []string{
		"wasn't able to establish", "connected to", "connection died", "connection refused", "connection timed out", "connection reset", "timed out", "timeout", "greeting failed", "sorry, i wasn't able",
		"lost connection with", "remote host closed connection", "network is unreachable",
	}},
	{spoor.AnswerTooLarge, []string{"too large", "size limit", "exceeds size", "message size", "exceeds the maximum", "too big"}},
	{spoor.AnswerLoop, []string{"mail loop", "too many hops", "looping", "mail forwarding loop", "already been here"}},
	{spoor.AnswerTLS, []string{"starttls", "tls required", "tls connect failed", "tls handshake", "encryption required", "certificate"}},
	{spoor.AnswerPolicy, []string{
		"spf", "dkim", "dmarc", "relay", "not permitted", "not allowed", "policy", "unauthenticated", "sender rejected", "sender address", "access denied", "domain of sender", "reverse dns", "rdns", "ptr", "helo", "rejected", "prohibited", "authentication required", "5.7.",
	}},
}

// enhancedCodes are meanings of RFC 3463 codes, for answers whose words tell
// nothing. The class before them is left out.
var enhancedCodes = []struct {
	code    string
	meaning spoor.Answer
}{
	{".1.1", spoor.AnswerUserUnknown},
	{".1.10", spoor.AnswerNoHost},
	{".1.2", spoor.AnswerNoHost},
	{".1.7", spoor.AnswerPolicy}, // of the sender's address
	{".1.8", spoor.AnswerPolicy},
	{".2.1", spoor.AnswerUserUnknown},
	{".2.2", spoor.AnswerMailboxFull},
	{".3.4", spoor.AnswerTooLarge},
	{".4.1", spoor.AnswerNoConnection},
	{".4.2", spoor.AnswerNoConnection},
	{".4.4", spoor.AnswerNoHost},
	{".4.6", spoor.AnswerLoop},
	{".7.0", spoor.AnswerPolicy},
	{".7.1", spoor.AnswerPolicy},
}

// enhancedMeaning reads an enhanced status code: class.subject.detail.
func enhancedMeaning(word []byte) (spoor.Answer, bool) {
	if len(word) < 5 || word[1] != '.' || word[0] != '4' && word[0] != '5' {
		return 0, false
	}
	for i := range enhancedCodes {
		if string(word[1:]) == enhancedCodes[i].code {
			return enhancedCodes[i].meaning, true
		}
	}
	return 0, false
}

// maxAnswer is how much of an answer is looked at, in bytes.
const maxAnswer = 600

// ClassifyAnswer tells what an answer to a delivery means: a remote server's, or
// the MTA's own words. qmail writes _ for blanks and / for line ends; both forms
// are read, in whatever case. Addresses, host names in the answer and what
// stands in angle brackets are of the sender's or of anybody's choice and do not
// count.
func ClassifyAnswer(answer []byte) spoor.Answer {
	var buffer [maxAnswer + 2]byte
	text := plainAnswer(buffer[:1], answer)
	for i := range answerWords {
		for _, words := range answerWords[i].words {
			if bytes.Contains(text, []byte(words)) {
				return answerWords[i].meaning
			}
		}
	}
	for word := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || r == '(' || r == ')' || r == '#' || r == '-' }) {
		if meaning, ok := enhancedMeaning(word); ok {
			return meaning
		}
	}
	return spoor.AnswerOther
}

// plainAnswer appends an answer in lower case, without addresses.
func plainAnswer(text, answer []byte) []byte {
	text[0] = ' '
	answer = answer[:min(len(answer), maxAnswer)]
	word := len(text)
	at := false
	for i := 0; i < len(answer); i++ {
		c := answer[i]
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c == '_' || c == '/':
			c = ' '
		case c == '@':
			at = true
		case c == '<':
			if end := bytes.IndexByte(answer[i:], '>'); end > 0 {
				i += end
				c = ' '
			}
		}
		if c == ' ' {
			if at {
				text = text[:word]
			}
			text = append(text, ' ')
			word, at = len(text), false
			continue
		}
		text = append(text, c)
	}
	if at {
		text = text[:word]
	}
	return append(text, ' ')
}
