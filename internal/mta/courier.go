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
//	LOGIN FAILED, ip=[::ffff:192.0.2.4]
//	1257871619.663804 DISCONNECTED, user=meg@example.co.uk, ip=[198.51.100.7], top=0
func courier(b []byte, e *spoor.Event) spoor.LineSort {
	if rest, ok := bytes.CutPrefix(b, []byte("IMAP connect from @ [")); ok {
		return courierOnPlesk(rest, e)
	}
	return courierLine(b, e)
}

// courierLine reads a line with its level, which Courier's logger takes off.
func courierLine(b []byte, e *spoor.Event) spoor.LineSort {
	for _, level := range [...]string{"INFO: ", "ERR: "} {
		if hasAny(b, level) {
			if sort := courierText(b[len(level):], e); sort != spoor.LineUnknown {
				return sort
			}
			return spoor.LineKnown
		}
	}
	return courierText(b, e)
}

// courierOnPlesk reads a line of a session whose beginning Plesk's patch wrote before
// it without a line break. The address is the server's; the account that was refused
// is the client's word, and the reason behind it Plesk's.
//
//	IMAP connect from @ [::ffff:198.51.100.7]INFO: LOGIN, user=meg@example.co.uk, ip=[::ffff:198.51.100.7]
//	IMAP connect from @ [192.0.2.4]checkmailpasswd: FAILED: meg - short names not allowed from @ [192.0.2.4]ERR: LOGIN FAILED, ip=[192.0.2.4]
func courierOnPlesk(b []byte, e *spoor.Event) spoor.LineSort {
	client, rest, ok := bytes.Cut(b, []byte{']'})
	switch {
	case !ok:
		return spoor.LineUnknown
	case len(rest) == 0:
		return spoor.LineKnown
	}
	refused, ok := bytes.CutPrefix(rest, []byte("checkmailpasswd: FAILED: "))
	if !ok {
		return courierLine(rest, e)
	}
	e.Kind, e.Client, e.Address = spoor.EventAccessFailed, ipOf(client), before(refused, " - ")
	return spoor.LineEvent
}

// courierText reads a line without its level.
func courierText(b []byte, e *spoor.Event) spoor.LineSort {
	b = cutCourierTime(b)
	var rest []byte
	kind := spoor.EventAccessFailed
	switch {
	case hasAny(b, "LOGIN FAILED, "):
		rest = b[len("LOGIN FAILED, "):]
	case hasAny(b, "LOGIN, "):
		kind, rest = spoor.EventAccess, b[len("LOGIN, "):]
	case hasAny(b, "LOGOUT", "DISCONNECTED", "TIMEOUT", "Connection, ", "Disconnected", "LOGIN: ", "authdaemon", "couriertls: ", "chdir ", "Unexpected ", "ip=[", "FAILED: ", "ALERT: ",
		"Maximum connection limit reached for ", "authentication error: ", "Internal error", "stopped", "DEBUG: ",
		"Login ", "Logout ", "Authenticated ", "Autologout ", "imap service init ", "connect from ", "AUTHENTICATE ", "Command stream ", "command stream ", "Failed "): // of the University of Washington's imapd
		return spoor.LineKnown
	default:
		return spoor.LineUnknown
	}
	const address = "ip=["
	at := bytes.LastIndex(rest, []byte(", "+address))
	switch {
	case at >= 0 && hasAny(rest, "user=", "method="):
		if hasAny(rest, "user=") {
			e.Address = rest[len("user="):at]
		}
		rest = rest[at+len(", "+address):]
	case at < 0 && kind == spoor.EventAccessFailed && hasAny(rest, address): // old versions
		rest = rest[len(address):]
	default:
		return spoor.LineUnknown
	}
	client, _, ok := bytes.Cut(rest, []byte{']'})
	if !ok {
		return spoor.LineUnknown
	}
	e.Kind, e.Client = kind, ipOf(client)
	return spoor.LineEvent
}

// cutCourierTime takes off the time that Plesk's patch writes into a line.
func cutCourierTime(b []byte) []byte {
	space := bytes.IndexByte(b, ' ')
	if space > 10 && b[10] == '.' && '0' <= b[0] && b[0] <= '9' {
		return b[space+1:]
	}
	return b
}
