package mta

import (
	"bytes"

	"spoor"
)

// cyrus reads the mailbox server of that name: who failed to log in, and from
// where. The account is the client's word and comes after the address.
//
//	badlogin: example.com[192.0.2.4] PLAIN authentication failure
//	badlogin: example.com [192.0.2.4] plaintext anna SASL(-13): authentication failure: checkpass failed
//	login: example.com [192.0.2.4] anna plaintext User logged in
func cyrus(b []byte, e *spoor.Event) spoor.LineSort {
	var rest []byte
	kind := spoor.EventAccessFailed
	switch {
	case hasAny(b, "badlogin: "):
		rest = b[len("badlogin: "):]
	case hasAny(b, "login: "):
		kind, rest = spoor.EventAccess, b[len("login: "):]
	default:
		return spoor.LineKnown
	}
	open := bytes.IndexByte(rest, '[')
	if open < 0 {
		return spoor.LineUnknown
	}
	client, after, ok := bytes.Cut(rest[open+1:], []byte("] "))
	if !ok {
		return spoor.LineUnknown
	}
	first, more, _ := bytes.Cut(after, []byte{' '})
	if kind == spoor.EventAccess {
		e.Address = first
	} else if user, why, ok := bytes.Cut(more, []byte{' '}); ok && hasAny(why, "SASL(", "invalid ", "[SASL(") {
		e.Address = user
	}
	e.Kind, e.Client = kind, ipOf(client)
	return spoor.LineEvent
}
