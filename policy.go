package spoor

import (
	"fmt"
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
	Text     string // of the bounce, where recorded; raw
	Relayed  bool   // mail is handed on to another server or program, whose answer decides
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

// Forward passes mail for an address on to another.
type Forward struct {
	Address string // local part and domain; of a file of aliases that is for every domain of the server, the local part alone
	Target  string // an address, or what else it leads to, as it is written
	Place   Evidence
}

// Responder answers mail to an address by itself.
type Responder struct {
	Address string
	Place   Evidence
}

// WeaknessKind says what a setting of an MTA or of PHP lets happen.
type WeaknessKind uint8

// The kinds of weaknesses. Subject and Value of a Weakness are what is in
// brackets.
const (
	WeakOpenRelay      WeaknessKind = iota + 1 // everybody may send everywhere [service or list]
	WeakForgeableRelay                         // who says a certain thing of itself may [restriction; what it looks at]
	WeakNamedRelay                             // clients may by their DNS name [list; the name]
	WeakOutsideRelay                           // somebody else's list or DNS decides who may [restriction]
	WeakWholeNetworks                          // all machines of the server's own networks may [mynetworks; the style]
	WeakAnonymousLogin                         // a login without a password may [parameter]
	WeakHiddenLogin                            // nobody is offered to log in [parameter]
	WeakAcceptsUnknown                         // recipients are not verified [list]
	WeakLimitsOff                              // limits end when the limiter does [parameter; milter]
	WeakAnyoneSubmits                          // every system user may queue mail [parameter]
	WeakTrustedUser                            // the web server's user may name any sender [parameter; login]
	WeakNoScriptNames                          // PHP records no script, neither in mail nor in a log [file]
	WeakNoScriptHeader                         // PHP records scripts in a log only [file; log]
	WeakCleartextLogin                         // passwords may be sent without TLS [service; parameter]
	WeakOpenEgress                             // site users may speak SMTP to the world, past the MTA [what was looked at]
)

var weaknessNames = [...]string{
	"none", "open relay", "forgeable relay", "named relay", "outside relay", "whole networks", "anonymous login", "hidden login",
	"accepts unknown", "limits off", "anyone submits", "trusted user", "no script names", "no script header",
	"cleartext login", "open egress",
}

// String returns words for k.
func (k WeaknessKind) String() string {
	if int(k) < len(weaknessNames) {
		return weaknessNames[k]
	}
	return fmt.Sprintf("weakness(%d)", uint8(k))
}

// Weakness is a setting that lets spam in or out, or hides who sends it.
type Weakness struct {
	Kind    WeaknessKind
	Subject string // the setting, as its administrator calls it
	Value   string
	Place   Evidence
}

// MailPolicy is what is known of a server's standing policy.
type MailPolicy struct {
	Domains  []DomainPolicy
	Relay    []RelayEntry
	Services []SMTPService
	Weak     []Weakness
	Forwards []Forward
	Answers  []Responder

	Unasked     bool     // the panel's database was not reached: Domains and Relay lack what it has
	NoRcptHosts bool     // qmail has no list of domains that it takes mail for
	Short       bool     // logins without a domain are allowed
	ShortPlace  Evidence // where that is recorded
	Gaps        []Gap
}

// Known lists the domains whose policy is known.
func (p *MailPolicy) Known() map[string]bool {
	known := make(map[string]bool, len(p.Domains))
	for i := range p.Domains {
		known[p.Domains[i].Domain] = true
	}
	return known
}
