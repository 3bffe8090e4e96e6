// Package audit turns a server's standing policy into findings: weaknesses that
// let spam in or out whoever sends it. What adapters read of the policy comes in
// as values, and findings with their places go out to report.
package audit

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"spoor"
)

// Names of the checks.
const (
	CheckNonexistentUser = "nonexistent-user"
	CheckRelayList       = "relay-list"
	CheckOpenRelay       = "open-relay"
	CheckSMTPService     = "smtp-service"
	CheckSMTPLogin       = "smtp-login"
	CheckRcptHosts       = "rcpthosts"
	CheckShortNames      = "short-names"
	CheckLimitsOff       = "limits-off"
	CheckSubmitUsers     = "submit-users"
	CheckPHPMailHeader   = "php-mail-header"
	CheckOutsideForward  = "outside-forward"
	CheckAutoresponder   = "autoresponder"
	CheckSubmissionTLS   = "submission-tls"
	CheckEgress          = "egress"
	CheckManyNetworks    = "many-networks"
	CheckBlocklist       = "blocklist"
)

const (
	high   = "high"
	medium = "medium"
	low    = "low"
)

// Facts are what the findings rest on.
type Facts struct {
	Policy      spoor.MailPolicy
	Serves      func(domain string) bool // whether a domain is this server's own
	SpamClients []netip.Addr             // that spam was seen from
	NewPlesk    bool                     // Plesk 12 or later: localhost is not listed by default
	BadForwards map[string]bool          // addresses whose forward the answer calls suspect or worse
	Accounts    []AccountUse
	RelayTests  []spoor.RelayTest
	Listings    []spoor.Listing
}

// AccountUse is where one account logged in from, in the log that was read.
type AccountUse struct {
	Account   string
	Networks  int // different /24 and /64
	Addresses int
	Class     spoor.Class // the verdict on what it sends
	Evidence  []spoor.Evidence
}

// Findings lists what is wrong, worst first.
func Findings(f *Facts) []spoor.Finding {
	var list []spoor.Finding
	for i := range f.Policy.Domains {
		list = append(list, f.domain(&f.Policy.Domains[i])...)
	}
	list = append(list, f.relay()...)
	list = append(list, f.services()...)
	for i := range f.Policy.Weak {
		list = append(list, weakness(&f.Policy.Weak[i]))
	}
	if f.Policy.NoRcptHosts {
		list = append(list, spoor.Finding{
			Check: CheckRcptHosts, Severity: high, Subject: "control/rcpthosts",
			Text: "qmail has no rcpthosts, so it takes mail for every domain from anybody: an open relay",
		})
	}
	if f.Policy.Short {
		list = append(list, spoor.Finding{
			Check: CheckShortNames, Severity: high, Subject: "allow_short_pop3_names", Evidence: []spoor.Evidence{f.Policy.ShortPlace},
			Text: "logins without a domain are allowed; on Plesk's qmail they could be used to send without a password",
		})
	}
	list = append(list, f.forwards()...)
	list = append(list, f.answers()...)
	list = append(list, f.accounts()...)
	list = append(list, f.probes()...)
	rank := map[string]int{high: 0, medium: 1, low: 2}
	slices.SortStableFunc(list, func(a, b spoor.Finding) int {
		return cmp.Or(cmp.Compare(rank[a.Severity], rank[b.Severity]), strings.Compare(a.Check, b.Check), strings.Compare(a.Subject, b.Subject))
	})
	return list
}

// domain judges what happens to mail for users that do not exist.
func (f *Facts) domain(d *spoor.DomainPolicy) []spoor.Finding {
	finding := spoor.Finding{Check: CheckNonexistentUser, Severity: medium, Subject: d.Domain, Evidence: []spoor.Evidence{d.Place}}
	switch d.Policy {
	case spoor.NonexistentReject:
		return nil
	case spoor.NonexistentDiscard:
		finding.Severity = low
		finding.Text = "takes mail for users that do not exist and drops it: nothing leaves, but every guess is taken"
	case spoor.NonexistentForward:
		finding.Severity = high
		finding.Text = "sends mail for users that do not exist on to one address (a catch-all): spam is forwarded"
		if at := strings.LastIndexByte(d.Target, '@'); at >= 0 && !f.Serves(d.Target[at+1:]) {
			finding.Text = "sends mail for users that do not exist on to an address elsewhere: this server relays the spam that it gets"
		}
		if isMailbox(d.Target) {
			finding.Severity = medium
			finding.Text = "puts mail for users that do not exist into one mailbox here: nothing leaves, but every guess is taken"
		}
	case spoor.NonexistentBounce:
		finding.Severity = high
		finding.Text = "takes mail for users that do not exist and bounces it to whoever the sender is said to be: backscatter"
	case spoor.NonexistentUnknown:
		finding.Text = "has a policy for users that do not exist that is not known here: look at it"
	}
	if d.Relayed && d.Policy == spoor.NonexistentBounce {
		finding.Severity = medium
		finding.Text = "takes mail for every user and hands it on to another server or program; what that refuses is bounced to whoever the sender is said to be: backscatter"
	}
	if d.Disabled {
		finding.Severity = low
		finding.Text += "; its mail service is off at present"
	}
	return []spoor.Finding{finding}
}

// isMailbox reports whether the target of a catch-all is a user of this server:
// neither an address nor a program.
func isMailbox(target string) bool {
	return target != "" && !strings.ContainsAny(target, "@|/:")
}

// Widths from which a range that may relay is too wide: more than one network of
// a customer.
const (
	widestIPv4 = 24
	widestIPv6 = 64
)

// relay judges the list of clients that may relay. Temporary entries are counted.
func (f *Facts) relay() []spoor.Finding {
	var list []spoor.Finding
	temporary := 0
	listed := map[netip.Prefix]int{} // to its place in list: a panel and the MTA may both have it
	for i := range f.Policy.Relay {
		entry := &f.Policy.Relay[i]
		spam := f.spamFrom(entry.Prefix)
		if entry.Temporary && len(spam) == 0 {
			temporary++
			continue
		}
		if at, ok := listed[entry.Prefix]; ok {
			list[at].Evidence = append(list[at].Evidence, entry.Place)
			continue
		}
		severity, text := judgeRange(entry.Prefix, f.NewPlesk)
		if len(spam) > 0 {
			severity = high
			text = fmt.Sprintf("spam was seen from %s, which this entry lets relay without authentication", addresses(spam))
		}
		if severity != "" {
			listed[entry.Prefix] = len(list)
			list = append(list, spoor.Finding{
				Check: CheckRelayList, Severity: severity, Subject: entry.Prefix.String(), Text: text, Evidence: []spoor.Evidence{entry.Place},
			})
		}
	}
	if temporary > 0 {
		list = append(list, spoor.Finding{
			Check: CheckRelayList, Severity: low, Subject: "POP before SMTP",
			Text: fmt.Sprintf("%d addresses may relay for a while because they read mail: SMTP authentication makes that unnecessary", temporary),
		})
	}
	return list
}

// judgeRange judges a range by itself; the severity is "" for one that is fine.
func judgeRange(p netip.Prefix, newPlesk bool) (severity, text string) {
	widest := widestIPv4
	if p.Addr().Is6() {
		widest = widestIPv6
	}
	switch {
	case p.Bits() == 0:
		return high, "everybody may relay without authentication: an open relay"
	case loopback(p):
		text = "this machine itself may relay without authentication; webmail and mailing lists may need it, and so do scripts of hacked sites"
		if newPlesk {
			text += "; since Plesk 12 it is not listed by default, and limits on outgoing mail do not hold for it"
		}
		return low, text
	case private(p):
		if p.Bits() < widest {
			return low, "a wide private range may relay without authentication: one infected machine in it is enough"
		}
		return low, "a private range may relay without authentication"
	case p.Bits() < widest:
		return high, fmt.Sprintf("a public range wider than a /%d may relay without authentication", widest)
	}
	return medium, "a public address or network may relay without authentication"
}

func loopback(p netip.Prefix) bool {
	return p.Addr().IsLoopback() && (p.Addr().Is6() || p.Bits() >= 8)
}

// private reports whether all of a range is private (RFC 1918, RFC 4193) or
// link-local.
func private(p netip.Prefix) bool {
	for _, whole := range [...]string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"} {
		if w := netip.MustParsePrefix(whole); w.Contains(p.Addr()) && w.Bits() <= p.Bits() {
			return true
		}
	}
	return false
}

func (f *Facts) spamFrom(p netip.Prefix) []netip.Addr {
	var list []netip.Addr
	for _, client := range f.SpamClients {
		if p.Contains(client.Unmap()) {
			list = append(list, client)
		}
	}
	return list
}

// addresses names the first of some addresses.
func addresses(list []netip.Addr) string {
	if len(list) == 1 {
		return list[0].String()
	}
	return fmt.Sprintf("%s and %d more", list[0], len(list)-1)
}

// services judges how the SMTP servers are started.
func (f *Facts) services() []spoor.Finding {
	var list []spoor.Finding
	for i := range f.Policy.Services {
		s := &f.Policy.Services[i]
		finding := spoor.Finding{Check: CheckSMTPService, Severity: high, Subject: s.Name, Evidence: []spoor.Evidence{s.Place}}
		switch {
		case s.RelayClient:
			finding.Text = "is started with RELAYCLIENT set for everybody: an open relay"
		case !s.RelayLock:
			finding.Text = "is started without relaylock, which keeps the list of those who may relay: nobody may, or everybody, depending on what else is set"
			finding.Severity = medium
		default:
			continue
		}
		list = append(list, finding)
	}
	return list
}
