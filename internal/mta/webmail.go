package mta

import (
	"bytes"

	"spoor"
)

// roundcube reads that a webmail has handed a message over: for whom, from which
// address, and under which ID the MTA took it. What stands before the Message-ID is
// the login that it has checked; what follows the last "; " is the MTA's answer
// (smtp_log of Roundcube, deliver_message() of rcube.php).
//
//	<8ab3k2lp> User anna@shop.example [203.0.113.7]; Message <0f3c@shop.example> for m@far.example; 250: 2.0.0 Ok: queued as 4PL3j0443nz30Ms
//	User anna [203.0.113.7]; Message for m@far.example; 250: OK id=1tFvAn-0003Zr-2B
func roundcube(b []byte, e *spoor.Event) spoor.LineSort {
	if len(b) > 0 && b[0] == '<' { // the session
		end := bytes.Index(b, []byte("> "))
		if end < 0 {
			return spoor.LineForeign
		}
		b = b[end+2:]
	}
	b, ok := bytes.CutPrefix(b, []byte("User "))
	who, rest, found := bytes.Cut(b, []byte("]; Message "))
	at := bytes.LastIndex(who, []byte(" ["))
	if !ok || !found || at <= 0 {
		return spoor.LineForeign // a login, an error
	}
	id := queuedUnder(rest)
	if len(id) == 0 {
		return spoor.LineKnown // it was refused, or the answer names no ID
	}
	e.Kind, e.Account, e.Client, e.ID, e.Key = spoor.EventWebmail, who[:at], who[at+2:], id, spoor.IDHash(id)
	if name, _, ok := bytes.Cut(rest, []byte("> for ")); ok && name[0] == '<' {
		e.Text = rest[:len(name)+1]
	}
	return spoor.LineEvent
}

// idBytes are those of queue IDs.
const idBytes = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// queuedUnder finds the queue ID in the answer to a message, which is the last thing on
// a line of Roundcube.
func queuedUnder(b []byte) []byte {
	at := bytes.LastIndex(b, []byte("; "))
	if at < 0 {
		return nil
	}
	return answeredID(b[at+2:])
}

// answeredID is the queue ID in the answer of Postfix or Exim to a message, or nil.
//
//	2.0.0 Ok: 283 bytes queued as 53F9B9DC073  OK id=1xNPm4-000000001Qa-3Zbl
func answeredID(answer []byte) []byte {
	for _, words := range [...]string{"queued as ", " id="} {
		if at := bytes.LastIndex(answer, []byte(words)); at >= 0 {
			id := answer[at+len(words):]
			if len(bytes.Trim(id, idBytes)) == 0 {
				return id
			}
		}
	}
	return nil
}
