package spoor

import (
	"net/netip"
	"slices"
	"time"
)

// Culprit is a source that is to be kept from sending, with what is known of it.
type Culprit struct {
	Source    Source
	UID       int          // of the processes behind it; -1 where there are none or that is not known
	Login     string       // of UID; ""
	WebServer bool         // UID runs the web server, and so the scripts of many sites
	Addresses []netip.Addr // of the running machine itself, where the source is a network
	Now       time.Time    // of the plan
	Until     time.Time    // zero: until it is taken back
	Home      string       // of a script: the folder of its site, absolute below the root, without links
	LockLogin bool         // an account shall not be able to log in either
	Live      bool         // the server is the running machine
	Managed   bool         // a panel writes the configuration of the MTA, and would undo other people's changes
}

// Network is the network of a source of that kind. ok is false for others.
func (c *Culprit) Network() (netip.Prefix, bool) {
	if c.Source.Kind != KindNetwork {
		return netip.Prefix{}, false
	}
	if prefix, err := netip.ParsePrefix(c.Source.Name); err == nil {
		return prefix.Masked(), true
	}
	addr, err := netip.ParseAddr(c.Source.Name)
	if err != nil {
		return netip.Prefix{}, false
	}
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, addr.BitLen()), true
}

// Measures are steps that an adapter proposes against a culprit.
type Measures struct {
	Steps  []Step
	Open   []string // what stays possible all the same, for people
	ByHand []string // commands that would do more, and that nothing has proven to be right here
	Breaks []string // what works now and will not any more, for people
	// Refused is set where an adapter is asked for something that it alone could do and
	// cannot: why, for people.
	Refused []string
}

// Add adds those of another adapter.
func (m *Measures) Add(other Measures) {
	m.Steps = append(m.Steps, other.Steps...)
	m.Open = unlisted(m.Open, other.Open)
	m.ByHand = unlisted(m.ByHand, other.ByHand)
	m.Breaks = unlisted(m.Breaks, other.Breaks)
	m.Refused = unlisted(m.Refused, other.Refused)
}

func unlisted(list, more []string) []string {
	for _, one := range more {
		if !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}

// Mending is a finding of an audit that is to be mended, with what has to be known
// for that.
type Mending struct {
	Finding Finding
	Domain  *DomainPolicy // of what happens to mail for users that do not exist; nil of other findings
	Live    bool          // the server is the running machine
	Managed bool          // a panel writes the configuration of the MTA, and would undo other people's changes
}
