package verdict

import (
	"fmt"
	"strings"

	"spoor"
)

// foreignSenders reads FOREIGN_SENDERS: many envelope senders of domains that
// this server does not serve, so nobody here has a right to them.
func foreignSenders(f *facts) reading {
	weight := 4 * f.forgery()
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  f.t.ForeignSender,
		text: fmt.Sprintf("%s have a sender whose domain is not served here; %s in all",
			partOf(f.t.ForeignSender, f.t.Messages, "messages"), counted(f.t.Senders.Distinct, "different sender")),
		check:    f.listing("ndjson"),
		evidence: ranked("sender", f.t.Senders),
	}
}

// forgery is how much the envelope senders look made up, from 0 to 1. One
// foreign sender may be a customer's own domain, and many of one domain a
// customer's own mail server.
func (f *facts) forgery() float64 {
	if !f.choosesSenders() {
		return 0
	}
	distinct := min(f.t.Senders.Distinct, f.t.ForeignSender)
	domains := ramp(float64(senderDomains(f.t.Senders)), 0, 3)
	return ramp(f.share(f.t.ForeignSender-f.accustomed()), 0.1, 0.5) * ramp(float64(distinct), 1, 8) * domains * f.reach()
}

// accustomed counts the messages that must have both a foreign sender and the
// most frequent one. That one may be a customer's own, among a few that were
// joined to the wrong source.
func (f *facts) accustomed() int {
	most := 0
	for _, sender := range f.t.Senders.Top {
		most = max(most, sender.Count)
	}
	return max(most+f.t.ForeignSender-f.t.Messages, 0)
}

// choosesSenders reports whether the source makes up the envelope sender of its
// mail. Forwarders and lists pass on what others wrote.
func (f *facts) choosesSenders() bool {
	return f.t.Source.Kind != spoor.KindForward && f.t.Source.Kind != spoor.KindList
}

// reach is how far the mail goes. A contact form puts the visitor's address
// into the envelope as well, but writes to one recipient, on this server.
func (f *facts) reach() float64 {
	return max(f.share(f.t.Outbound), ramp(f.perMessage(), 1, 3))
}

// senderDomains counts the domains among the most frequent senders.
func senderDomains(senders spoor.Ranking) int {
	domains := map[string]bool{}
	for _, sender := range senders.Top {
		if _, domain, ok := cutAddress(sender.Value); ok {
			domains[strings.ToLower(domain)] = true
		}
	}
	return len(domains)
}

// cutAddress splits at the last at sign: a quoted local part may hold others
// (RFC 5321 §4.1.2).
func cutAddress(address string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address, "", false
	}
	return address[:at], address[at+1:], true
}

// nullSender reads NULL_SENDER: notifications use the null sender (RFC 5321
// §4.5.5), and spam that wants no bounces.
func nullSender(f *facts) reading {
	if !f.choosesSenders() {
		return reading{}
	}
	weight := 2 * ramp(f.share(f.t.NullSender), 0.3, 0.8) * f.enough()
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight:   weight,
		count:    f.t.NullSender,
		text:     partOf(f.t.NullSender, f.t.Messages, "messages") + " have the null sender, as only bounces and notifications should",
		check:    f.listing("ndjson"),
		evidence: f.sampled("null sender", func(m *spoor.Message) bool { return m.HasEnvelope && m.Sender == "" }),
	}
}

// ownSender reads OWN_SENDER: nearly all mail is sent under the source's own
// addresses. It fades for an account that several clients use: whoever stole
// the password writes under that address too. So does a script on a hacked site:
// its place, what it sends, and the receivers' refusals tell.
func ownSender(f *facts) reading {
	own := f.ownSenders()
	weight := -2.5 * ramp(f.share(own), 0.7, 0.95) * (1 - f.sharing()) * (1 - f.unwanted()) *
		(1 - 0.5*f.mass.degree) * (1 - ramp(f.placement.degree, 0.2, 0.7))
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight:   weight,
		count:    own,
		text:     partOf(own, f.t.Messages, "messages") + " have a sender that belongs to this source",
		check:    f.listing("ndjson"),
		evidence: ranked("sender", f.t.Senders),
	}
}

// ownSenders counts the messages whose sender belongs to the source. The login
// of the web server is what any script gets that sets no sender, so it belongs
// to no one.
func (f *facts) ownSenders() int {
	own := f.t.OwnSender
	if f.t.WebServer == 0 || f.t.Login == "" {
		return own
	}
	for _, sender := range f.t.Senders.Top {
		if local, _, _ := cutAddress(sender.Value); local == f.t.Login {
			own -= sender.Count
		}
	}
	return max(own, 0)
}
