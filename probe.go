package spoor

import "net/netip"

// RelayTest is one SMTP session with this server's own mail server, in which mail
// for somebody elsewhere was offered and never sent.
type RelayTest struct {
	Server    string // address and port
	Client    string // address that it came from
	Loopback  bool   // both are this machine's loopback
	Recipient string
	Accepted  bool     // the recipient was taken
	Lines     []string // the session: "> " what was said, "< " what was answered
}

// Listing is one own address on one DNS blocklist (RFC 5782).
type Listing struct {
	Address netip.Addr
	Zone    string
	Codes   []string // addresses that the list answered with
	Reason  string   // its text, raw; "" if it has none
}
