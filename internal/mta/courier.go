package mta

import (
	"bytes"

	"spoor"
)

// courier reads Courier's imapd and pop3d. The account is the client's word; the
// address behind it is the server's, and the last one.
//
//	LOGIN, user=meg@example.co.uk, ip=[::ffff:198.51.100.7], port=[4242]
//	LOGIN FAILED, method=PLAIN, ip=[::ffff:192.0.2.4]
//	1257871619.663804 DISCONNECTED, user=meg@example.co.uk, ip=[198.51.100.7], top=0
func courier(b []byte, e *spoor.Event) spoor.LineSort {
	b = courierText(b)
	var rest []byte
	kind := spoor.EventAccessFailed
	switch {
	case hasAny(b, "LOGIN FAILED, "):
		rest = b[len("LOGIN FAILED, "):]
	case hasAny(b, "LOGIN, "):
		kind, rest = spoor.EventAccess, b[len("LOGIN, "):]
	case hasAny(b, "LOGOUT", "DISCONNECTED", "TIMEOUT", "Connection, ", "Disconnected", "LOGIN: ", "authdaemon", "couriertls: ", "chdir ", "Unexpected ", "ip=[", "FAILED: ", "ALERT: ",
		"Maximum connection limit reached for ", "authentication error: ", "Internal error", "stopped", "INFO: ", "DEBUG: ", "Login ", "Logout ", "Authenticated ", "Autologout "):
		return spoor.LineKnown
	default:
		return spoor.LineUnknown
	}
	at := bytes.LastIndex(rest, []byte(", ip=["))
	if at < 0 {
		return spoor.LineUnknown
	}
	client, _, ok := bytes.Cut(rest[at+len(", ip=["):], []byte{']'})
	if !ok || !hasAny(rest, "user=", "method=") {
		return spoor.LineUnknown
	}
	if hasAny(rest, "user=") {
		e.Address = rest[len("user="):at]
	}
	e.Kind, e.Client = kind, ipOf(client)
	return spoor.LineEvent
}

// courierText is a line without the time that Plesk's patch writes into it.
func courierText(b []byte) []byte {
	space := bytes.IndexByte(b, ' ')
	if space > 10 && b[10] == '.' && '0' <= b[0] && b[0] <= '9' {
		return b[space+1:]
	}
	return b
}
