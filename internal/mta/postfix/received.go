package postfix

import (
	"net/netip"
	"strings"

	"spoor"
)

// received is a Received field as Postfix writes it.
type received struct {
	hop      spoor.Hop
	internal bool   // neither a client nor a user: made by Postfix itself
	host     string // that wrote it
	id       string // queue ID there
}

// parseReceived reads the value of a Received field that smtpd(8), qmqpd(8),
// pickup(8) or cleanup(8) wrote:
//
//	from User (client2.isp.test [198.51.100.2])\n\t(using TLSv1.3 …)\n\t(Authenticated sender: a@x.test)\n\tby mx1.example.com (Postfix) with ESMTPSA id 4FA8DC0101\n\tfor <b@y.test>; …
//	by mx1.example.com (Postfix, from userid 10003)\n\tid 4jY1nY324Bz5vT0; …
//	by mx1.example.com (Postfix)\n\tid 554ACC0104; …
//
// What a client says of itself stands in the first line only, and Postfix
// replaces brackets in it (smtpd.c), so that a line that begins with a tab and a
// bracket is the server's own. $mail_name may differ from "Postfix".
func parseReceived(value string) (r received, ok bool) {
	value = strings.TrimLeft(value, " \t")
	r.hop = spoor.Hop{UID: -1, PID: -1, Text: strings.TrimSpace(value)}
	if rest, ok := strings.CutPrefix(value, "by "); ok {
		return r, r.local(rest)
	}
	rest, ok := strings.CutPrefix(value, "from ")
	if !ok {
		return r, false
	}
	first, rest, _ := strings.Cut(rest, "\n")
	r.hop.Via = spoor.ViaNetwork
	if !r.peer(strings.TrimRight(first, "\r")) {
		return r, false
	}
	for line := range strings.SplitSeq(rest, "\n") {
		line = strings.TrimSpace(line)
		if user, ok := strings.CutPrefix(line, "(Authenticated sender: "); ok {
			r.hop.Account, r.hop.Authenticated = strings.TrimSuffix(user, ")"), true
		}
		if by, ok := strings.CutPrefix(line, "by "); ok {
			r.by(by)
			return r, r.host != ""
		}
	}
	return r, false
}

// peer reads "HELO (name [address])".
func (r *received) peer(text string) bool {
	open := strings.LastIndexByte(text, '(')
	if open < 0 {
		return false
	}
	r.hop.HELO = strings.TrimSpace(text[:open])
	name, address, ok := strings.Cut(text[open+1:], " [")
	if !ok {
		return false
	}
	r.hop.ReverseName = name
	address, _, ok = strings.Cut(address, "]")
	r.hop.Client = parseClient(address)
	return ok
}

// by reads "HOST (Postfix) with ESMTPSA id ID".
func (r *received) by(text string) {
	host, rest, ok := strings.Cut(text, " (")
	if !ok {
		return
	}
	r.host = host
	_, rest, _ = strings.Cut(rest, ")")
	if protocol, ok := strings.CutPrefix(rest, " with "); ok {
		word, after, _ := strings.Cut(protocol, " ")
		if strings.HasSuffix(word, "A") { // RFC 3848
			r.hop.Authenticated = true
		}
		rest = " " + after
	}
	r.id = idOf(rest)
}

// local reads what follows "by" where no client is named.
func (r *received) local(text string) bool {
	host, rest, ok := strings.Cut(text, " (")
	if !ok {
		return false
	}
	name, rest, ok := strings.Cut(rest, ")")
	if !ok {
		return false
	}
	r.host, r.id = host, idOf(rest)
	_, digits, ok := strings.Cut(name, ", from userid ")
	if !ok {
		r.internal = true
		return r.id != ""
	}
	uid, ok := number([]byte(digits))
	r.hop.Via, r.hop.UID = spoor.ViaUID, int(uid)
	return ok && uid < 1<<32
}

// idOf returns the word behind "id".
func idOf(text string) string {
	_, id, ok := strings.Cut(text, "id ")
	if !ok {
		return ""
	}
	end := strings.IndexFunc(id, func(c rune) bool { return c > 0x7f || !isAlnum(byte(c)) })
	if end >= 0 {
		id = id[:end]
	}
	return id
}

// parseClient reads an address as Postfix writes it: IPv6:2001:db8::1 in
// headers, bare in attributes, "unknown" where it is not known.
func parseClient(text string) netip.Addr {
	if len(text) > 5 && strings.EqualFold(text[:5], "ipv6:") {
		text = text[5:]
	}
	client, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return client.Unmap()
}
