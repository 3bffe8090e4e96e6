package qmail

import (
	"bytes"
	"net/netip"
	"strings"

	"spoor"
)

// parseQueueLine reads the value of the Received field that qmail-queue(8) puts
// on top of every message, such as
//
//	Received: (qmail 24441 invoked by uid 48); 23 Nov 2026 11:32:18 -0000
//	Received: (qmail 24647 invoked from network); 23 Nov 2026 11:32:18 -0000
//	Received: (qmail 24919 invoked by alias); 23 Nov 2026 11:32:18 -0000
//	Received: (qmail 24867 invoked for bounce); 23 Nov 2026 11:32:18 -0000
//
// The words come from receivedmsg() of qmail-queue.c.
func parseQueueLine(value string) (spoor.Hop, bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeft(value, " \t"), "(qmail ")
	if !ok {
		return spoor.Hop{}, false
	}
	pid, rest, ok := strings.Cut(rest, " invoked ")
	if !ok {
		return spoor.Hop{}, false
	}
	how, _, ok := strings.Cut(rest, ");")
	if !ok {
		return spoor.Hop{}, false
	}
	hop := spoor.Hop{UID: -1, PID: number([]byte(pid))}
	if hop.PID < 0 {
		return spoor.Hop{}, false
	}
	switch how {
	case "from network":
		hop.Via = spoor.ViaNetwork
	case "by alias":
		hop.Via = spoor.ViaForward
	case "for bounce":
		hop.Via = spoor.ViaBounce
	default:
		digits, ok := strings.CutPrefix(how, "by uid ")
		hop.UID = number([]byte(digits))
		if !ok || hop.UID < 0 {
			return spoor.Hop{}, false
		}
		hop.Via = spoor.ViaUID
	}
	return hop, true
}

// parseNetworkLine reads the value of the Received field that qmail-smtpd(8) or
// qmail-qmtpd(8) writes next, and adds it to hop. received.c replaces every
// byte of the client's words that could imitate the syntax, so brackets and
// blanks are the server's own.
//
//	from unknown (HELO User) (info@site1.example@198.51.100.23)\n  by mail.host.example with SMTP; …
//	from mx7.bulk.example (192.0.2.99)\n  by mail.host.example with ESMTP; …
//	(HELO User) (bob@corp.example)\n  by mail.host.example with ESMTPA; …
//	from unknown (HELO x) (alice@192.0.2.11)\n  by h with ESMTPSA (TLS… encrypted, authenticated); …
func parseNetworkLine(value string, hop *spoor.Hop) bool {
	rest := strings.TrimLeft(value, " \t")
	if after, ok := strings.CutPrefix(rest, "from "); ok {
		hop.ReverseName, rest, ok = strings.Cut(after, " ")
		if !ok {
			return false
		}
	}
	if after, ok := strings.CutPrefix(rest, "(HELO "); ok {
		hop.HELO, rest, ok = strings.Cut(after, ")")
		if !ok {
			return false
		}
		rest = strings.TrimLeft(rest, " ")
	} else {
		hop.HELO = hop.ReverseName // received.c leaves the HELO out where it is the same
	}
	after, ok := strings.CutPrefix(rest, "(")
	if !ok {
		return false
	}
	peer, rest, ok := strings.Cut(after, ")")
	if !ok {
		return false
	}
	by, protocol, ok := strings.Cut(rest, " with ")
	if !ok || !strings.HasPrefix(strings.TrimLeft(by, " \t\r\n"), "by ") {
		return false
	}
	protocol, _, _ = strings.Cut(protocol, ";")
	hop.Authenticated = authenticated(protocol)
	setPeer(hop, peer)
	return true
}

// authenticated reports whether a protocol word says that AUTH was used (RFC
// 3848, RFC 6531 §4.3): ESMTPA and the like, or the remark of the TLS patches.
func authenticated(protocol string) bool {
	word, remark, _ := strings.Cut(protocol, " ")
	return word == "ESMTPA" || word == "ESMTPSA" || word == "UTF8SMTPA" || word == "UTF8SMTPSA" || strings.HasSuffix(remark, "authenticated)")
}

// setPeer splits what stands in the last brackets: [remoteinfo@]address. The
// address stands behind the last at sign, since accounts hold one themselves.
// Builds that hide the client of an authenticated session give the account
// alone.
func setPeer(hop *spoor.Hop, peer string) {
	at := strings.LastIndexByte(peer, '@')
	if client, ok := parseClient(peer[at+1:]); ok {
		hop.Client = client
		if at >= 0 {
			hop.Account = peer[:at]
		}
		return
	}
	hop.Account = peer
}

func parseClient(text string) (netip.Addr, bool) {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	if len(text) > 5 && strings.EqualFold(text[:5], "ipv6:") {
		text = text[5:]
	}
	client, err := netip.ParseAddr(text)
	return client.Unmap(), err == nil
}

// Markers of the text that qmail-send.c puts between a bounce and the message
// that failed. A blank line precedes them; injectbounce() removes blank lines
// from what remote hosts say, so they cannot be imitated there.
var bounceMarkers = [][]byte{
	[]byte("\n\n--- Below this line is a copy of the message.\n\n"),
	[]byte("\n\n--- Below this line is the original bounce.\n\n"),
}

// bounced is what a bounce says of the message that failed.
type bounced struct {
	recipient string // the first that failed
	reason    string
	original  int // offset in the block of the failed message's header; -1 if it is not there
}

// parseBounce reads the body of a bounce:
//
//	<nouser4881@local.example>:
//	Sorry, no mailbox here by that name. (#5.1.1)
func parseBounce(block []byte, body int) bounced {
	b := bounced{original: -1}
	text := block[body:]
	for _, marker := range bounceMarkers {
		if i := bytes.Index(text, marker); i >= 0 {
			b.original = body + i + len(marker)
			text = text[:i]
			break
		}
	}
	start := bytes.Index(text, []byte("\n<"))
	if start < 0 {
		return b
	}
	recipient, after, ok := bytes.Cut(text[start+2:], []byte(">:\n"))
	if !ok || bytes.IndexByte(recipient, '\n') >= 0 {
		return b
	}
	reason, _, _ := bytes.Cut(after, []byte("\n\n"))
	b.recipient = string(recipient)
	b.reason = string(bytes.TrimSpace(reason[:min(len(reason), maxReason)]))
	return b
}

// skipReturnPath returns the offset behind the Return-Path field at the start of
// text, which qmail-send and qmail-local write on top of a copy. The sender in
// it may hold line breaks, each behind a backslash in a quoted local part
// (quote.c); it must not pass for the start of the header. ok is false if the
// field does not end.
func skipReturnPath(text []byte) (end int, ok bool) {
	const start = "Return-Path: <"
	if !bytes.HasPrefix(text, []byte(start)) {
		return 0, true
	}
	quoted := false
	for i := len(start); i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '\n' && !quoted:
			return i + 1, text[i-1] == '>'
		}
	}
	return 0, false
}

// maxReason bounds how much of a remote host's answer is kept, in bytes.
const maxReason = 400
