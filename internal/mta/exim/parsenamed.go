package exim

import (
	"bytes"

	"spoor"
)

// named reads lines that begin with a name, a number or an address of the
// server's own, and are known by what follows it.
//
//	exim 4.96 daemon started: pid=29029, -q10m, listening for SMTP on [127.0.0.1]:{2025,2587}
//	pid 29029: SIGHUP received: re-exec daemon
//	[192.0.2.7] SSL verify error: depth=0 error=self signed certificate cert=/CN=x
//	a@b.test <c@d.test>: error ignored
func named(b []byte, e *spoor.Event) spoor.LineSort {
	if address, rest, ok := cutIP(b); ok && len(address) > 0 {
		return ofAddress(rest)
	}
	if word, ok := cut(b, "exim "); ok {
		if _, rest, _ := bytes.Cut(word, []byte{' '}); bytes.HasPrefix(rest, []byte("daemon ")) {
			return spoor.LineKnown
		}
	}
	if number, ok := cut(b, "pid "); ok {
		if _, rest := digits(number); bytes.HasPrefix(rest, []byte(": SIGHUP received")) {
			return spoor.LineKnown
		}
	}
	if number, rest := digits(b); number > 0 && (bytes.HasPrefix(rest, []byte(" accept() failure")) || bytes.HasPrefix(rest, []byte(" select() failure")) || bytes.HasPrefix(rest, []byte(" poll() failure"))) {
		return trouble(b, e)
	}
	if number, ok := cut(b, "process "); ok {
		if _, rest := digits(number); bytes.HasPrefix(rest, []byte(" crashed with signal ")) {
			return trouble(b, e)
		}
	}
	if strayUser, ok := cut(b, "User "); ok && bytes.HasSuffix(strayUser, []byte(" transport is on the never_users list")) {
		return trouble(b, e)
	}
	if bytes.HasPrefix(b, []byte("...")) { // arguments that did not fit on the line before
		return spoor.LineKnown
	}
	if bytes.HasPrefix(b, []byte("IPv4 socket ")) || bytes.HasPrefix(b, []byte("IPv6 socket ")) {
		return trouble(b, e)
	}
	if rest, ok := cut(b, "Ci="); ok {
		if _, rest, _ = bytes.Cut(rest, []byte{' '}); bytes.HasPrefix(rest, []byte("SMTP ")) {
			return spoor.LineKnown
		}
	}
	return ofName(b, e)
}

// ofAddress reads what is said of a host by its address.
func ofAddress(b []byte) spoor.LineSort {
	for _, start := range [...]string{" SSL verify ", " certificate verify ", " after QUIT, ", " depth=", " TLS ", " Connection ", ": "} {
		if bytes.HasPrefix(b, []byte(start)) {
			return spoor.LineKnown
		}
	}
	if bytes.Contains(b, []byte(" verify denied by event-action: ")) || bytes.Contains(b, []byte("Received TLS cert")) {
		return spoor.LineKnown
	}
	return spoor.LineUnknown
}

// ofName reads what is said of a router, a transport, an address or a signal.
func ofName(b []byte, e *spoor.Event) spoor.LineSort {
	word, rest, _ := cutWord(b)
	for _, start := range [...]string{
		" router: ", " router failed ", " router generated ", " router returned ", " transport output: ", " transport process ", " received while reading local message", " warning - ", " spamd",
		" lost while reading message data", " from env-from rewritten as ", " found in headers",
	} {
		if bytes.HasPrefix(rest, []byte(start)) {
			return spoor.LineKnown
		}
	}
	if bytes.HasSuffix(b, []byte(": error ignored")) || bytes.HasSuffix(b, []byte(": error ignored: RFC 3461 DSN, failure notify not requested")) ||
		bytes.HasSuffix(word, []byte(":")) && bytes.Contains(rest, []byte(" accepted by +include_")) {
		return spoor.LineKnown
	}
	if len(word) > 1 && word[0] == '"' && bytes.HasPrefix(rest, []byte(" from ")) && bytes.Contains(rest, []byte(" rewritten as ")) {
		return spoor.LineKnown
	}
	if output, ok := cut(b, "<"); ok { // of a transport, or of an address that is verified
		if _, output, ok = cutAngle(output); ok && bytes.HasPrefix(output, []byte(": ")) {
			return spoor.LineKnown
		}
	}
	// mail.example.net [192.0.2.7] Connection refused: up to 4.8x
	if space := bytes.IndexByte(b, ' '); space > 0 {
		if _, rest, ok := cutIP(b[space+1:]); ok && (isFailure(rest) || bytes.HasPrefix(rest, []byte(": "))) {
			return spoor.LineKnown
		}
	}
	for _, sentence := range [...]string{" is not absolute after expansion: ", " is not untainted after expansion: ", " does not appear to be a ", " is not compatible with this version of Exim"} {
		if bytes.HasPrefix(rest, []byte(sentence)) {
			return trouble(b, e)
		}
	}
	return spoor.LineUnknown
}
