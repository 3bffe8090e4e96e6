package postfix

import (
	"bytes"

	"spoor"
	"spoor/internal/mta"
)

// remark reads what every part of Postfix may log: trouble, TLS, and what a
// verbose one tells.
func remark(b []byte, e *spoor.Event) spoor.LineSort {
	if len(b) == 0 {
		return spoor.LineUnknown
	}
	if starts(b, "fatal: ", "error: ", "panic: ") {
		return trouble(b, b[len("fatal: "):], e)
	}
	if rest, ok := cut(b, "warning: "); ok {
		return warning(b, rest, e)
	}
	if isTLS(b) || isLifecycle(b) || isVerbose(b) || hostRemark(b) {
		return spoor.LineKnown
	}
	if _, rest, ok := cutID(b); ok {
		return knownIf(deliveryNote(rest) || sessionEnds(rest))
	}
	return spoor.LineUnknown
}

// trouble is a warning that an administrator should see, with the message or the
// user that it is about. text is what follows the level.
//
//	warning: 9BECF3F19D: sender_canonical_maps map lookup problem for a@x.test -- message not accepted, try again later
//	fatal: www-data(33): message file too big
//	warning: uid=33: ignoring attribute record: x=y
func trouble(whole, text []byte, e *spoor.Event) spoor.LineSort {
	e.Kind, e.Text, e.Shape = spoor.EventTrouble, whole, mta.Shape(whole)
	if id, _, ok := cutID(text); ok && string(id) != noQueue {
		setID(e, id)
	}
	colon := bytes.Index(text, []byte(": "))
	if colon < 0 {
		return spoor.LineEvent
	}
	word, _ := cutSuffix(text[:colon], ")")
	uid, before, ok := lastDigits(word)
	if ok && uid < 1<<31 && (string(before) == "uid=" || len(word) < colon && ends(before, "(") && bytes.IndexByte(before, ' ') < 0) {
		e.UID = int32(uid)
	}
	return spoor.LineEvent
}

// warning is a warning of any part of Postfix but smtpd.
func warning(whole, text []byte, e *spoor.Event) spoor.LineSort {
	if starts(text, "TLS library problem: ", "database ", "dnsblog_query: lookup error ", "header ", "body ") {
		return spoor.LineKnown // of a client's or a name server's making, or of no consequence
	}
	return trouble(whole, text, e)
}

// smtpdWarning reads a warning of the SMTP server: mostly of what a client did.
//
//	warning: client2.isp.test[198.51.100.2]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=anna@example.com
//	warning: hostname bad.example.com does not resolve to address 192.0.2.44: Name or service not known
func smtpdWarning(whole, text []byte, e *spoor.Event) spoor.LineSort {
	address, rest, ok := clientAt(text)
	if !ok {
		return smtpdNotice(whole, text, e)
	}
	if rest, ok = cut(rest, ": "); !ok {
		return trouble(whole, text, e)
	}
	if sasl, ok := cut(rest, "SASL "); ok {
		return loginFailed(whole, sasl, address, e)
	}
	if starts(rest, "request longer than ", "SNI ", "ignoring too long SNI ") {
		return spoor.LineKnown
	}
	return trouble(whole, text, e)
}

// smtpdNotice is a warning that does not begin with a client.
func smtpdNotice(whole, text []byte, e *spoor.Event) spoor.LineSort {
	if starts(text, "hostname ", "non-SMTP command from ", "Illegal address syntax from ", "numeric hostname: ", "numeric domain name in resource data of ",
		"Connection rate limit exceeded: ", "Connection concurrency limit exceeded: ", "Message delivery request rate limit exceeded: ", "Recipient address rate limit exceeded: ",
		"New TLS session rate limit exceeded: ", "AUTH command rate limit exceeded: ", "SASL authentication failure: ", "SASL authentication problem: ",
		"TLS SNI ", "Refusing STARTTLS request from ", "Refusing TLS service request from ", "Unable to look up ", "valid_hostname: ", "valid_ipv4_hostaddr: ", "valid_ipv6_hostaddr: ",
		"bad ETRN ", "reject: ETRN ", "prepending '.' to malformed line: ", "malformed domain name in resource data of ", "don't know ", "restriction permit_", "NOQUEUE: ", "ns_name_ntop: ") {
		return spoor.LineKnown
	}
	if isPeerWarning(text) {
		return spoor.LineKnown
	}
	return warning(whole, text, e)
}

// isPeerWarning is what old versions say of a client without a name.
//
//	warning: 192.0.2.4: hostname bad.example.com verification failed: Name or service not known
func isPeerWarning(text []byte) bool {
	at := bytes.Index(text, []byte(": hostname "))
	if at < 0 {
		at = bytes.Index(text, []byte(": address not listed for hostname "))
	}
	return at > 0 && ipOf(text[:at]) != nil
}

// loginFailed reads why a login failed. The client chooses method and account;
// what stands between is Postfix' and the SASL server's.
//
//	LOGIN authentication failed: (reason unavailable), sasl_username=anna@example.com
func loginFailed(whole, b, client []byte, e *spoor.Event) spoor.LineSort {
	_, reason, ok := bytes.Cut(b, []byte(" authentication failed:"))
	if !ok {
		return knownIf(ends(b, " authentication aborted"))
	}
	reason, account, ok := bytes.Cut(bytes.TrimLeft(reason, " "), []byte(", sasl_username="))
	if ok && string(account) != "(unavailable)" {
		e.Address = account
	}
	switch {
	case starts(reason, "Connection lost to authentication server"):
		return trouble(whole, whole, e)
	case starts(reason, "Invalid authentication mechanism"):
		return spoor.LineKnown // nobody was asked
	}
	e.Kind, e.Client = spoor.EventLoginFailed, client
	return spoor.LineEvent
}

// isTLS is what the TLS engine tells (tls_misc.c).
//
//	Anonymous TLS connection established from h.test[192.0.2.4]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)
func isTLS(b []byte) bool {
	switch b[0] {
	case 'A', 'U', 'T', 'V':
		_, rest, ok := bytes.Cut(b, []byte{' '})
		return ok && starts(rest, "TLS connection ") || starts(b, "TLS SNI ", "TLS connection ", "TLSRPT: status=", "Verified ", "TLS protocol trace for ")
	case 'S':
		return starts(b, "SSL_accept error from ", "SSL_accept:", "SSL_connect error to ", "SSL_connect:", "SSL3 alert ", "Server certificate ")
	case 's', 'i', 'c', 'l':
		return starts(b, "setting up TLS connection ", "initializing the client-side TLS engine", "initializing the server-side TLS engine", "certificate verification failed for ",
			"server certificate verification failed for ", "client certificate verification failed for ", "certificate peer name verification failed for ",
			"looking for session ", "save session ", "lookup smtp", "lookup lmtp", "issuer=", "subject=", "cannot load Certification Authority data", "cannot load Certificate Authority data", "cannot set default OpenSSL ", "close smtp", "close lmtp")
	case 'r', 'p', 'w', 'd', 'o':
		return starts(b, "reloaded session ", "remove session ", "put smtp", "read from ", "write to ", "write smtp", "read smtp", "delete smtp", "open smtp", "put lmtp", "write lmtp", "read lmtp", "delete lmtp", "open lmtp")
	case '0':
		return len(b) > 7 && starts(b[4:], " - ", " ") // a dump
	case 'P':
		return starts(b, "Peer certificate ", "Peer certficate ", "Peer verification: ")
	}
	return false
}

// isLifecycle is what every daemon logs of itself.
//
//	table hash:/etc/postfix/virtual(0,lock|fold_fix) has changed -- restarting
func isLifecycle(b []byte) bool {
	switch b[0] {
	case 't':
		return starts(b, "table ") && bytes.Contains(b, []byte(" has changed -")) || starts(b, "terminating on signal ", "the master service ", "target file '")
	case 'c':
		return starts(b, "cache ") && bytes.Contains(b, []byte(" cleanup: retained=")) || starts(b, "connection established", "connection closed", "connect to subsystem ", "close database ")
	case 'u':
		return starts(b, "using backwards-compatible default setting ", "using "+"using backwards-compatible default setting ", "using config files in ")
	case '/':
		return bytes.Contains(b, []byte(": using backwards-compatible default setting "))
	case 'm':
		return starts(b, "master disconnect -- ", "master exit time has arrived")
	case 'i':
		return starts(b, "idle timeout -- exiting", "ignoring DNS RR: ")
	case 'p':
		return starts(b, "pausing to let ", "process generation: ")
	case 'd':
		return starts(b, "daemon started", "database ")
	case 's':
		return starts(b, "skipping address family ", "skipping ", "successfully executed '")
	case 'r': // non_bdb_migration
		return starts(b, "redirecting ") && bytes.Contains(b, []byte(" to "))
	case 'C', 'R':
		return starts(b, "Compiled against Berkeley DB", "Run-time linked against Berkeley DB")
	}
	return false
}

// isVerbose is a line of a daemon that runs with -v or has a debug_peer: it begins
// with the name of a C function, or speaks of the protocol between daemons.
//
//	match_hostname: smtpd_client_event_limit_exceptions: h.test ~? 127.0.0.0/8
//	> h.test[192.0.2.4]: 250-PIPELINING
//	private/anvil socket: wanted attribute: status
func isVerbose(b []byte) bool {
	if starts(b, "> ", "< ", ">>> ", "send attr ", "input attribute ", "private/", "public/", "name_mask: ", "watchdog_", "report ", "deliver_message: ", "been_here: ", "dict_", "trying... [", "rewrite_clnt: ", "inet_addr_local: ", "mynetworks: ",
		"request: ", "request ignored", "start sorted recipient list", "end sorted recipient list", "start move queue ", "end move queue ", "wakeup ", "fsspace: ", "before input_transp_cleanup: ", "after input_transp_cleanup: ",
		"cleanup flags = ", "initial envelope ", "extracted envelope ", "open incoming/", "host name lookup methods: ", "connecting to ", "pref ") {
		return true
	}
	if starts(b, "done ") && ends(b, " queue scan") || starts(b, "begin ", "end ") && ends(b, " address list") || starts(b, "lookup ") && bytes.Contains(b, []byte(" flags ")) ||
		ends(b, " stream disconnect") || bytes.Contains(b, []byte(" socket: wanted attribute: ")) {
		return true
	}
	underscore, end := false, 0
	for end < len(b) && (b[end] == '_' || b[end] >= 'a' && b[end] <= 'z' || b[end] >= '0' && b[end] <= '9') {
		underscore = underscore || b[end] == '_'
		end++
	}
	return underscore && end < len(b) && (starts(b[end:], ": ", " = ") || b[end] == '[' || b[end] == '(')
}

// hostRemark is a line about a session that begins with its host, of TLS mostly.
//
//	h.test[192.0.2.4]:25: re-using session with untrusted certificate, look for details earlier in the log
func hostRemark(b []byte) bool {
	_, rest, ok := clientAt(b)
	if !ok {
		return false
	}
	rest, ok = cut(rest, ": ")
	return ok && starts(rest, "re-using session with ", "Issuing session ticket, ", "Decrypting session ticket, ", "Reusing old session", "TLS cipher list ", "looking up session ", "save session ",
		"reloaded session ", "remove session ", "subject_CN=", "depth=", "Matched ", "matched peername: ", "raw public key fingerprint=", "SNI hostname: ", "replacing command ", "replacing server reply ",
		"certificate verification ", "fingerprint=", "Trusted: ", "Untrusted: ", "verify=", "CommonName ")
}
