package mta

import (
	"bytes"

	"spoor"
)

// ParseLogin reads the lines of the mailbox servers that run beside every MTA:
// Courier, Dovecot and Cyrus, whether they log through syslog or to a file of
// their own. program is the last element of the line's program. ok is false for
// any other program. What e gets aliases the line.
func ParseLogin(l *spoor.Line, program []byte, e *spoor.Event) (sort spoor.LineSort, ok bool) {
	switch string(courierName(program)) {
	case "pop3d", "imapd", "pop3d-ssl", "imapd-ssl", "pop3login", "imaplogin":
		if hasAny(l.Body, "badlogin: ", "login: ") { // Cyrus has programs of these names too
			return cyrus(l.Body, e), true
		}
		return courier(l.Body, e), true
	case "authdaemond", "authdaemond.plain", "imapd.rc", "couriertcpd":
		return spoor.LineKnown, true
	}
	switch string(program) {
	case "dovecot":
		return dovecot(l.Body, e), true
	case "Info", "Warn", "Warning", "Error", "Fatal", "Panic", "Debug": // Dovecot 1
		if len(l.Host) == 0 {
			return dovecot(l.Body, e), true
		}
	case "timsieved", "sieve", "lmtpunix", "lmtpd", "ctl_cyrusdb", "cyr_expire", "squatter", "cyrus":
		return cyrus(l.Body, e), true
	case "imap", "imaps", "pop3", "pop3s":
		if bytes.HasPrefix(l.Program, []byte("cyrus")) {
			return cyrus(l.Body, e), true
		}
	}
	if process, ok := dovecotTag(program); ok && (process.isLogin() || process.isAuth() || len(l.Host) == 0) {
		return process.read(program, l.Body, e), true
	}
	return spoor.LineForeign, false
}

// courierName is a program of Courier without that word before it.
func courierName(program []byte) []byte {
	name, ok := bytes.CutPrefix(program, []byte("courier"))
	if !ok {
		return program
	}
	return bytes.TrimPrefix(name, []byte{'-'})
}

// hasAny reports whether b begins with one of some texts.
func hasAny(b []byte, texts ...string) bool {
	for _, text := range texts {
		if len(b) >= len(text) && string(b[:len(text)]) == text {
			return true
		}
	}
	return false
}

// before returns what stands before the last end, or nil.
func before(b []byte, end string) []byte {
	at := bytes.LastIndex(b, []byte(end))
	if at < 0 {
		return nil
	}
	return b[:at]
}

// ipOf returns an address of IPv4 or IPv6, one of the former without the prefix
// that maps it to the latter; nil for anything else.
func ipOf(b []byte) []byte {
	b = bytes.TrimPrefix(b, []byte("::ffff:"))
	if len(b) < 2 || len(b) > 45 {
		return nil
	}
	for _, c := range b {
		if (c < '0' || c > ':') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') && c != '.' {
			return nil
		}
	}
	return b
}
