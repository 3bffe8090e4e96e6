package qmail

import (
	"math/bits"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"spoor"
)

// tcpRules are where the sources of tcprules(1) for SMTP usually are.
var tcpRules = [...]string{
	"/etc/tcp.smtp", "/etc/tcprules.d/tcp.smtp", "/etc/tcprules.d/tcp.qmail-smtp", "/var/qmail/control/tcp.smtp",
	"/home/vpopmail/etc/tcp.smtp", "/var/vpopmail/etc/tcp.smtp", "/var/qmail/supervise/qmail-smtpd/tcp.smtp",
}

// MailPolicy adds what qmail itself has of the standing policy: whether there is
// a list of domains that mail is taken for, and who tcpserver lets relay.
func (q *Queue) MailPolicy(policy *spoor.MailPolicy) {
	policy.NoRcptHosts = q.root.Exists(path.Join(q.control.folder, "me")) && !q.root.Exists(path.Join(q.control.folder, "rcpthosts"))
	for _, files := range q.ruleFiles() {
		relayEntries(&files, policy)
	}
}

// relayEntries adds the clients whom one file of rules lets relay. Those that the
// compiled file alone has are there too: it is what the server does.
func relayEntries(files *ruleFiles, policy *spoor.MailPolicy) {
	known := map[netip.Prefix]bool{}
	number := 0
	for line := range strings.Lines(files.text) {
		number++
		line = strings.TrimSpace(line)
		addresses, relays := relayRule(line)
		if !relays {
			continue
		}
		place := spoor.Evidence{What: "tcprules", File: files.source, Line: number, Text: line}
		prefixes, ok := rulePrefixes(addresses)
		if !ok {
			policy.Gaps = append(policy.Gaps, spoor.Gap{File: files.source, Reason: "a rule that lets clients relay was not understood", Count: 1})
		}
		for _, prefix := range prefixes {
			known[prefix] = true
			policy.Relay = append(policy.Relay, spoor.RelayEntry{Prefix: prefix, Place: place})
		}
	}
	if files.compiled == nil || files.current() {
		return
	}
	reason := "was not made of " + files.source + " as that is now: the server does what this file says"
	if !files.hasSource {
		reason = "has no " + files.source + " beside it, of which it could be made anew"
	}
	policy.Gaps = append(policy.Gaps, spoor.Gap{File: files.cdb, Reason: reason, Count: 1})
	for i := range files.compiled {
		rule := &files.compiled[i]
		prefixes, ok := rulePrefixes(rule.key)
		if !ok || !rule.relays() || known[prefixes[0]] || rangeKnown(known, prefixes[0]) {
			continue
		}
		known[prefixes[0]] = true
		policy.Relay = append(policy.Relay, spoor.RelayEntry{
			Prefix: prefixes[0], Place: spoor.Evidence{What: "tcprules", File: files.cdb, Text: rule.key + ":allow, RELAYCLIENT is set"},
		})
	}
}

// rangeKnown reports whether an address is in one of the prefixes that cover a range
// of the text, which is many rules in the compiled file.
func rangeKnown(known map[netip.Prefix]bool, one netip.Prefix) bool {
	for bits := range one.Bits() {
		if wider, err := one.Addr().Prefix(bits); bits >= 24 && err == nil && known[wider] {
			return true
		}
	}
	return false
}

// relayRule reads a rule of tcprules(1): addresses:allow,RELAYCLIENT="".
func relayRule(line string) (addresses string, relays bool) {
	if line == "" || line[0] == '#' {
		return "", false
	}
	for _, word := range [...]string{":allow,", ":allow ,"} {
		if addresses, rest, ok := strings.Cut(line, word); ok {
			return addresses, strings.Contains(rest, "RELAYCLIENT=")
		}
	}
	return "", false
}

// rulePrefixes reads the addresses of a rule: "" for all, 192.0.2.1, "192.0.2.",
// 192.0.2.1-20, or, in patched builds, 192.0.2.0/24.
func rulePrefixes(text string) ([]netip.Prefix, bool) {
	if at := strings.LastIndexByte(text, '@'); at >= 0 { // what the client says of itself
		text = text[at+1:]
	}
	if text == "" {
		return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0)}, true
	}
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return []netip.Prefix{prefix.Masked()}, true
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}, true
	}
	if before, last, ok := strings.Cut(text, "-"); ok {
		return ruleRange(before, last)
	}
	given := strings.Count(text, ".")
	if !strings.HasSuffix(text, ".") || given > 3 {
		return nil, false
	}
	addr, err := netip.ParseAddr(text + strings.TrimSuffix(strings.Repeat("0.", 4-given), "."))
	if err != nil {
		return nil, false
	}
	return []netip.Prefix{netip.PrefixFrom(addr, 8*given)}, true
}

// ruleRange reads 192.0.2.1-20 as the prefixes that cover it.
func ruleRange(first, last string) ([]netip.Prefix, bool) {
	addr, err := netip.ParseAddr(first)
	end, err1 := strconv.ParseUint(last, 10, 8)
	if err != nil || err1 != nil || !addr.Is4() {
		return nil, false
	}
	octets := addr.As4()
	from, to := uint(octets[3]), uint(end)
	var list []netip.Prefix
	for from <= to {
		size := uint(8)
		if from != 0 {
			size = uint(bits.TrailingZeros(from))
		}
		for from+1<<size-1 > to {
			size--
		}
		octets[3] = byte(from)
		list = append(list, netip.PrefixFrom(netip.AddrFrom4(octets), 32-int(size)))
		from += 1 << size
	}
	return list, len(list) > 0
}
