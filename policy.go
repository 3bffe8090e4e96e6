package spoor

import (
	"net/netip"
	"time"
)

// NonexistentPolicy is what a server does with mail to a mailbox of a domain
// that does not exist.
type NonexistentPolicy uint8

// The policies, from the safe one to those that make spam leave this server.
const (
	NonexistentUnknown NonexistentPolicy = iota // a value that is not known
	NonexistentReject                           // refused while the client is connected
	NonexistentDiscard                          // taken and dropped
	NonexistentForward                          // taken and sent on: a catch-all
	NonexistentBounce                           // taken, and a bounce is sent to whoever the sender is said to be
)

var nonexistentNames = [...]string{"unknown", "reject", "discard", "forward", "bounce"}

// String returns a word for p.
func (p NonexistentPolicy) String() string {
	if int(p) < len(nonexistentNames) {
		return nonexistentNames[p]
	}
	return "invalid"
}

// DomainPolicy is the policy of one mail domain.
type DomainPolicy struct {
	Domain   string
	Policy   NonexistentPolicy
	Value    string // as it is recorded
	Target   string // of a catch-all
	Disabled bool   // the domain's mail service is off
	Place    Evidence
}

// RelayEntry lets clients send to everywhere without authentication.
type RelayEntry struct {
	Prefix    netip.Prefix
	Temporary bool      // POP before SMTP: it expires
	Until     time.Time // of a temporary entry, where recorded
	Place     Evidence
}

// SMTPService is how the SMTP server is started.
type SMTPService struct {
	Name        string
	RelayLock   bool // Plesk's relaylock decides who may relay
	RelayClient bool // RELAYCLIENT is set for everybody
	Place       Evidence
}

// MailPolicy is what is known of a server's standing policy.
type MailPolicy struct {
	Domains  []DomainPolicy
	Relay    []RelayEntry
	Services []SMTPService

	Unasked    bool     // the panel's database was not reached: Domains and Relay lack what it has
	RcptHosts  bool     // qmail has a list of domains that it takes mail for
	Short      bool     // logins without a domain are allowed
	ShortPlace Evidence // where that is recorded
	Gaps       []Gap
}
