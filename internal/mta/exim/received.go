package exim

import (
	"net/netip"
	"strings"

	"spoor"
)

// received is a Received field as Exim writes it by default (received_header_text).
type received struct {
	hop  spoor.Hop
	host string // that wrote it
	id   string // message ID there
}

// parseReceived reads:
//
//	from [127.0.5.77] (port=51949 helo=EPSON77)\n\tby mx1.example.com with esmtp (Exim 4.96)\n\t…
//	from mail.sender.test ([198.51.100.4] helo=x)\n\tby mx1 with esmtpsa (TLS1.3) …
//	from site1 by mx1.example.com with local (Exim 4.96)\n\t…
//
// A login in "from LOGIN" is not a UID; the -H file has that.
func parseReceived(value string) (r received, ok bool) {
	value = strings.TrimSpace(value)
	r.hop = spoor.Hop{UID: -1, PID: -1, Text: value}
	rest, ok := strings.CutPrefix(value, "from ")
	if !ok {
		return r, false
	}
	by := strings.Index(rest, "\tby ")
	if by < 0 {
		by = strings.LastIndex(rest[:lineEnd(rest)], " by ")
	}
	if by < 0 {
		return r, false
	}
	r.peer(strings.TrimSpace(rest[:by]))
	rest = strings.TrimSpace(rest[by+1:])
	r.host, rest, _ = strings.Cut(strings.TrimPrefix(rest, "by "), " ")
	protocol, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(rest), "with "), " ")
	if !ok {
		return r, false
	}
	r.protocol(protocol)
	if _, after, ok := strings.Cut(rest, "\tid "); ok {
		end := strings.IndexAny(after, " \t\r\n;")
		if end >= 0 {
			after = after[:end]
		}
		if isID(after) {
			r.id = after
		}
	}
	return r, r.host != ""
}

func lineEnd(text string) int {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return i
	}
	return len(text)
}

// protocol reads the word behind "with" ($received_protocol).
func (r *received) protocol(word string) {
	r.hop.Via = spoor.ViaNetwork
	if word == "local" || strings.HasPrefix(word, "local-") {
		r.hop.Via = spoor.ViaUID
		return
	}
	switch word {
	case "esmtpa", "esmtpsa", "asmtp":
		r.hop.Authenticated = true
	}
}

// peer reads "name ([address] helo=x)", "[address] (helo=x)" or "login".
func (r *received) peer(text string) {
	open, end := strings.IndexByte(text, '['), strings.IndexByte(text, ']')
	if open < 0 || end < open {
		return
	}
	r.hop.Client = parseClient(text[open+1 : end])
	if name, _, _ := strings.Cut(text, " "); !strings.HasPrefix(name, "[") {
		r.hop.ReverseName = name
	}
	if _, helo, ok := strings.Cut(text, "helo="); ok {
		r.hop.HELO, _, _ = strings.Cut(strings.TrimRight(helo, ")"), " ")
	}
}

func parseClient(text string) netip.Addr {
	client, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return client.Unmap()
}

// hostAddress reads "[address]:port" or "[address]", and the form of old
// versions, "address.port".
func hostAddress(text string) netip.Addr {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		inner, _, _ = strings.Cut(inner, "]")
		return parseClient(inner)
	}
	if client := parseClient(text); client.IsValid() {
		return client
	}
	if dot := strings.LastIndexByte(text, '.'); dot > 0 {
		return parseClient(text[:dot])
	}
	return netip.Addr{}
}
