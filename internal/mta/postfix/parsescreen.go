package postfix

import (
	"bytes"

	"spoor"
)

// postscreen reads the doorkeeper: most of its clients are of no further use.
//
//	CONNECT from [192.0.2.9]:4242 to [192.0.2.1]:25
//	NOQUEUE: reject: RCPT from [192.0.2.9]:4242: 550 5.7.1 Service unavailable; client [192.0.2.9] blocked using bl.example.org; from=<a@x.test>, to=<b@y.test>, proto=ESMTP, helo=<x>
func postscreen(b []byte, e *spoor.Event) spoor.LineSort {
	if len(b) == 0 {
		return spoor.LineUnknown
	}
	if text, ok := cut(b, "NOQUEUE: "); ok {
		return screened(text, e)
	}
	if screenTest(b) {
		return spoor.LineKnown
	}
	if starts(b, "reject: connect from [") {
		return screened(b, e)
	}
	if starts(b, "entering STRESS mode ", "leaving STRESS mode ", "postscreen_command_time_limit: stress=", "closing connection ", "creating connection ", "retrieving connection ") {
		return spoor.LineKnown
	}
	if b[0] == '[' && (bytes.Contains(b, []byte(": discarding EHLO keywords: ")) || bytes.Contains(b, []byte(": replacing command "))) {
		return spoor.LineKnown
	}
	return remark(b, e)
}

// screenTest is one of the tests of postscreen, or a step of a session.
func screenTest(b []byte) bool {
	switch b[0] {
	case 'C':
		return starts(b, "CONNECT from [", "COMMAND PIPELINING from [", "COMMAND TIME LIMIT from [", "COMMAND COUNT LIMIT from [", "COMMAND LENGTH LIMIT from [")
	case 'D':
		return starts(b, "DISCONNECT [", "DNSBL rank ", "DENYLISTED [", "DENYLIST VETO [", "DATA without valid RCPT from [")
	case 'P':
		return starts(b, "PASS OLD [", "PASS NEW [", "PREGREET ")
	case 'H':
		return starts(b, "HANGUP after ")
	case 'W':
		return starts(b, "WHITELISTED [", "WHITELIST VETO [")
	case 'B':
		return starts(b, "BLACKLISTED [", "BARE NEWLINE from [", "BDAT without valid RCPT from [")
	case 'A':
		return starts(b, "ALLOWLISTED [", "ALLOWLIST VETO [")
	case 'N':
		return starts(b, "NON-SMTP COMMAND from [")
	}
	return false
}

// screened reads a refusal of postscreen.
//
//	reject: RCPT from [192.0.2.9]:4242: 450 4.3.2 Service currently unavailable; from=<a@x.test>, to=<b@y.test>, proto=ESMTP, helo=<x>
func screened(b []byte, e *spoor.Event) spoor.LineSort {
	text, ok := cut(b, "reject: ")
	if !ok {
		return knownIf(sessionEnds(b))
	}
	return refused(b, text, e)
}

// statistics is how anvil(8) and scache(8) begin.
const statistics = "statistics: "

// service reads the daemons that carry no mail, and the commands.
//
//	statistics: max connection rate 1/60s for (smtpd:192.0.2.9) at Oct 26 18:13:50
//	daemon started -- version 3.5.6, configuration /etc/postfix
//	addr 192.0.2.9 listed by domain psbl.surriel.com as 127.0.0.2
func service(b []byte, e *spoor.Event) spoor.LineSort {
	if len(b) == 0 {
		return spoor.LineUnknown
	}
	known := false
	switch b[0] {
	case 's':
		known = starts(b, statistics, "starting the Postfix mail system", "stopping the Postfix mail system", "skip ", "site ")
	case 'a':
		known = starts(b, "addr ") && bytes.Contains(b, []byte(" listed by domain ")) || starts(b, "aborting the Postfix mail system", "allowlisting ")
	case 'd':
		known = starts(b, "daemon started")
	case 'r':
		known = starts(b, "reload -- version ", "reload configuration ", "refreshing the Postfix mail system", "request: ", "remove ", "read ", "received master trigger", "re-opening ", "rotating ")
	case 't':
		known = starts(b, "terminating on signal ", "throttling command ", "throttle released for command ", "the Postfix mail system is ", "time to retire -- ")
	case 'w':
		known = starts(b, "waiting for the Postfix mail system to terminate", "whitelisting ")
	case 'C', 'D', 'S', 'T':
		known = starts(b, "See http://www.postfix.org/COMPATIBILITY_README.html ", "See https://www.postfix.org/COMPATIBILITY_README.html ", "To disable backwards compatibility use ", "CONNECT from [", "CONNECT to ", "DISCONNECT [", "DISCONNECT ", "TLS handshake failed for service=", "TLS support is not compiled in")
	case 'e', 'l', 'c':
		known = starts(b, "exiting to reopen ", "lost connection to EGD server ", "cannot read from entropy device ", "cannot seek entropy file ")
	case 'P', 'G':
		known = starts(b, "PROBE ", "PUT ", "GOT ", "Postfix is running with backwards-compatible default settings", "Postfix is using backwards-compatible default settings")
	}
	if known {
		return spoor.LineKnown
	}
	return remark(b, e)
}
