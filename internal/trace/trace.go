// Package trace decides who is to blame for a message. Facts of the MTA and of
// the panel come in as values; attributions with their evidence, and the
// traffic of each source, go out to verdict and report. It is the only place
// where attribution is decided, for all MTAs.
package trace

import (
	"cmp"
	"strconv"
	"strings"

	"spoor"
)

// Facts is what trace asks of the rooms that it may not enter. Every function
// must be safe for concurrent use; none but Origin may be nil.
type Facts struct {
	// Owner tells whose UID it is.
	Owner func(uid int) spoor.Owner
	// UID is the number of a login; ok is false for one that is in no passwd.
	UID func(login string) (uid int, ok bool)
	// PrimaryGroup lists the UIDs whose primary group it is.
	PrimaryGroup func(gid int) []int
	// CallerGroup is the group under which the mail system itself queues
	// messages in that way; -1 if unknown.
	CallerGroup func(via spoor.Via) int
	// Serves tells whether the server takes mail for a domain, in whatever case,
	// as its own.
	Serves func(domain string) bool
	// Via tells how messages enter that the MTA logs under a UID: its own users
	// stand for the network, for bounces and for forwards.
	Via func(uid int) spoor.Via
	// SiteAt names the site that a folder belongs to, or "".
	SiteAt func(dir string) string
	// LocalAddress writes the address of a local recipient as its sender wrote it,
	// without what the MTA's routing puts before it.
	LocalAddress func(address string) string
	// Realm is the domain that the server adds to a login without one, or "".
	Realm string
	// Copies are the addresses to which the MTA sends copies of what passes.
	Copies []string
	// Origin tells what is known of the value of an X-Spoor-Origin field. It is nil
	// where nobody asks.
	Origin func(value string) spoor.Origin
	// Host is the name that the MTA writes into its Received lines, or "".
	Host string
}

// Tracer attributes messages. It is safe for concurrent use.
type Tracer struct {
	facts   Facts
	journal *Journal // nil without a log
	quote   Quote
}

// New returns a Tracer that decides on facts.
func New(facts Facts) *Tracer { return &Tracer{facts: facts} }

// How sure a kind of proof makes, from 0 to 1. Only what the server itself
// wrote counts; everything else is evidence beside it.
const (
	sureRecord   = 1    // a record of the MTA names the UID
	sureFolder   = 0.97 // UID proven, its site inferred from the home folder
	sureAuth     = 0.99 // account, with a protocol word for AUTH (RFC 3848)
	sureServed   = 0.95 // account of a domain served here, no protocol word
	sureClient   = 0.99 // address recorded by the SMTP server
	sureEnvelope = 0.9  // UID from the envelope, header unreadable
	sureGroup    = 0.7  // UID from the group of the file alone
	sureConflict = 0.6  // two records of the server disagree
	sureLogin    = 0.9  // the one account that had logged in from the client's address
	sureFolders  = 0.9  // the site in whose folder the web server's user called the MTA
	sureLogins   = 0.7  // the last of several such accounts
	sureWebmail  = 0.6  // the account that a webmail's log names, which scripts of sites may write
)

// ruling is a decision without its evidence: cheap enough for every message of
// a large queue.
type ruling struct {
	source     spoor.Source
	uid        int // of the process that queued the message; -1 if none is known
	owner      spoor.Owner
	confidence float64
	cause      spoor.Source
	proof      proof
	groups     groupVerdict
	conflict   bool    // the envelope's UID is not the header's
	login      *login  // in the log: the account is inferred from it
	flight     *flight // in the log: the source follows from it
	stamp      *stamp  // the shim's field; nil if there is none
}

// proof says what a ruling rests on.
type proof uint8

const (
	proofNone     proof = iota
	proofHeader         // the trail
	proofEnvelope       // the UID in an envelope that is not yet preprocessed
	proofGroup          // the group of the file, which one user alone has
)

// rule decides on one message.
func (t *Tracer) rule(m *spoor.Message) ruling { return t.ruleStamp(m, t.ruleTrail(m)) }

// ruleTrail decides by what MTA and log say.
func (t *Tracer) ruleTrail(m *spoor.Message) ruling {
	if len(m.Trail.Hops) == 0 {
		return t.follow(m, t.ruleWithoutTrail(m))
	}
	r := t.ruleHops(m.Trail.Hops, spoor.StampOf(m.Arrived))
	r.proof = proofHeader
	r.groups = t.compareGroup(m, &m.Trail.Hops[0], r.owner)
	r.conflict = m.Trail.Hops[0].Via == spoor.ViaUID && m.CallerUID >= 0 && m.CallerUID != m.Trail.Hops[0].UID
	if r.conflict || r.groups == groupContradicts {
		r.confidence = min(r.confidence, sureConflict)
	}
	return t.follow(m, r)
}

// follow asks the log about mail that a program of this machine handed over: it
// may have been here before, under another ID, or be a webmail's. It asks too
// where an alias is told by the log alone, and where the queue tells nothing.
func (t *Tracer) follow(m *spoor.Message, r ruling) ruling {
	switch {
	case r.source.Kind == spoor.KindBounce:
		return t.followBounce(m, r)
	case r.owner.Role == spoor.RoleWebServer:
		return t.followFolder(m, r)
	case r.source.Kind == spoor.KindForward && m.Trail.Hops[0].Via == spoor.ViaUID:
		return t.followMailbox(m, r)
	case r.login != nil, r.source.Kind == spoor.KindNetwork, r.source.Kind == spoor.KindUnknown, r.owner.Role == spoor.RoleMailSystem, r.uid >= 0 && isNobody(&r.owner):
	default:
		return r
	}
	f := t.journal.find(m)
	switch {
	case f.overrules(m, &r):
		return ruling{source: f.book.named(), uid: -1, confidence: float64(f.sure) / 100, proof: r.proof, flight: f}
	case f == nil || !f.keyed:
		return r
	case f.redirected, f.replied:
		return ruling{source: f.book.named(), uid: -1, confidence: float64(f.sure) / 100, cause: f.cause, proof: r.proof, flight: f}
	case f.isCopy():
		return ruling{source: f.list.source(), uid: -1, confidence: sureFolder, cause: f.list.cause, proof: r.proof, flight: f}
	case (f.goesOn || r.source.Kind == spoor.KindNetwork) && f.alias != "" && f.forwards():
		return ruling{source: f.source(t.journal), uid: -1, confidence: sureFolder, cause: f.book.named(), proof: r.proof, flight: f}
	case (f.goesOn || f.proxied) && f.book != nil && f.book.source != r.source,
		r.source.Kind == spoor.KindUnknown && f.traced && f.book != nil && f.book.source.Kind != spoor.KindUnknown: // a damaged file, or a header without its first line
		return ruling{source: f.source(t.journal), uid: int(f.book.uid), confidence: float64(f.sure) / 100, proof: r.proof, flight: f}
	case f.via != nil:
		return ruling{source: f.via.named(), uid: -1, confidence: float64(f.viaSure) / 100, proof: r.proof, flight: f}
	case f.identified && r.source.Kind == spoor.KindNetwork:
		by := ruling{source: f.book.source, uid: -1, proof: r.proof, flight: f}
		if f.uid >= 0 {
			by.uid, by.owner = int(f.uid), t.facts.Owner(int(f.uid))
		}
		by.confidence = float64(f.sure) / 100
		return by
	}
	return r
}

// ruleHops decides on the newest of some hops, with those behind it as its
// cause. The message came at a time that the log is searched for.
func (t *Tracer) ruleHops(hops []spoor.Hop, at spoor.Stamp) ruling {
	if len(hops) == 0 {
		return ruling{uid: -1}
	}
	hop := &hops[0]
	switch hop.Via {
	case spoor.ViaUID:
		if hop.UID >= 0 && len(hops) > 1 && hops[1].Via == spoor.ViaNetwork {
			return t.ruleHops(hops[1:], at) // a content filter queued again what came by SMTP
		}
		if hop.UID >= 0 && len(hops) > 1 && hops[1].Via == spoor.ViaForward && t.facts.Owner(hop.UID).Role == spoor.RoleMailSystem {
			return t.ruleForward(hops[1:], at) // the mailbox's script sent it on
		}
		if hop.UID >= 0 && len(hops) > 1 && hops[1].Via == spoor.ViaReply && t.facts.Owner(hop.UID).Role == spoor.RoleMailSystem {
			return t.ruleReply(hops[1:], at)
		}
		return t.ruleCaller(hop)
	case spoor.ViaNetwork:
		return t.ruleNetwork(hop, at)
	case spoor.ViaForward, spoor.ViaList:
		return t.ruleForward(hops, at)
	case spoor.ViaBounce:
		return t.ruleBounce(hops, at)
	case spoor.ViaReply:
		return t.ruleReply(hops, at)
	case spoor.ViaUnknown:
	}
	return ruling{uid: -1}
}

// ruleCaller names the user who handed a message over, by the login that the MTA
// recorded where passwd has none.
func (t *Tracer) ruleCaller(hop *spoor.Hop) ruling {
	r := t.ruleUID(hop.UID)
	if r.owner.Login == "" && r.source.Kind == spoor.KindUser && hop.Login != "" {
		r.source.Name = hop.Login
	}
	return r
}

func (t *Tracer) ruleUID(uid int) ruling {
	owner := t.facts.Owner(uid)
	r := ruling{uid: uid, owner: owner, confidence: sureRecord}
	switch {
	case owner.Role == spoor.RoleSite && owner.Site != "":
		r.source = spoor.Source{Kind: spoor.KindSite, Name: owner.Site}
		if !owner.Exact {
			r.confidence = sureFolder
		}
	case owner.Login != "":
		r.source = spoor.Source{Kind: spoor.KindUser, Name: owner.Login}
	default:
		r.source = spoor.Source{Kind: spoor.KindUser, Name: strconv.Itoa(uid)}
	}
	return r
}

// followMailbox names the login that the log has of what a mailbox's script sent on,
// where the header has lost it: who had logged in is to blame, whatever is between.
func (t *Tracer) followMailbox(m *spoor.Message, r ruling) ruling {
	f := t.journal.find(m)
	if f == nil || !f.keyed || !f.goesOn || f.book == nil || f.book.source.Kind != spoor.KindAccount {
		return r
	}
	return ruling{source: f.book.named(), uid: -1, confidence: float64(f.sure) / 100, proof: r.proof, flight: f}
}

// followFolder takes the site from the folder in which the log saw the web server's
// user call the MTA.
func (t *Tracer) followFolder(m *spoor.Message, r ruling) ruling {
	f := t.journal.find(m)
	if f == nil || f.dir == "" || f.book == nil || f.book.source.Kind != spoor.KindSite {
		return r
	}
	r.source, r.owner.Site, r.confidence, r.flight = f.book.source, f.book.source.Name, min(r.confidence, sureFolders), f
	return r
}

// followBounce takes the cause of a bounce from the log where the copy of the
// header that it carries names no login.
func (t *Tracer) followBounce(m *spoor.Message, r ruling) ruling {
	if r.cause.Kind != spoor.KindNetwork && r.cause.Kind != spoor.KindUnknown {
		return r
	}
	f := t.journal.find(m)
	if f != nil && f.replied { // whose reply it is the header tells by what its author wrote
		r.source, r.cause, r.flight = f.book.named(), cmp.Or(f.cause, r.cause), f
		return r
	}
	if f == nil || !f.keyed || f.book == nil || f.book.source.Kind != spoor.KindBounce || f.cause.Kind == spoor.KindUnknown || f.cause.Kind == r.cause.Kind {
		return r
	}
	r.source, r.cause, r.flight = f.book.named(), f.cause, f
	return r
}

// ruleNetwork names the account where the SMTP server recorded one, else the
// client. What stands before the client's address is an account if the protocol
// word says so or if it is an address here: servers that ask identd put its
// answer, which the client's machine makes up, in the same place.
//
// Some servers log who logged in and write no account into the header. The last
// login from the client's address is an inference, and never outranks a record.
func (t *Tracer) ruleNetwork(hop *spoor.Hop, at spoor.Stamp) ruling {
	if confidence := t.accountConfidence(hop); confidence > 0 {
		return ruling{source: spoor.Source{Kind: spoor.KindAccount, Name: t.accountName(hop.Account)}, uid: -1, confidence: confidence}
	}
	if found, sole := t.journal.loginBefore(hop.Client, at); found.account != nil {
		r := ruling{source: found.account.source, uid: -1, confidence: sureLogins, login: &found}
		if sole {
			r.confidence = sureLogin
		}
		return r
	}
	if hop.Client.IsValid() {
		return ruling{source: spoor.Source{Kind: spoor.KindNetwork, Name: hop.Client.String()}, uid: -1, confidence: sureClient}
	}
	return ruling{uid: -1}
}

func (t *Tracer) accountConfidence(hop *spoor.Hop) float64 {
	local, domain, _ := strings.Cut(hop.Account, "@")
	switch {
	case hop.Account == "":
		return 0
	case hop.Authenticated:
		return sureAuth
	case local != "" && t.facts.Serves(domain):
		return sureServed
	}
	return 0
}

// ruleForward names the address that forwards; what it forwarded is the cause.
func (t *Tracer) ruleForward(hops []spoor.Hop, at spoor.Stamp) ruling {
	hop, kind := &hops[0], spoor.KindForward
	if hop.Via == spoor.ViaList {
		kind = spoor.KindList
	}
	if hop.Address == "" {
		if hop.UID >= 0 {
			return t.ruleUID(hop.UID)
		}
		return ruling{source: spoor.Source{Kind: spoor.KindUser, Name: "alias"}, uid: -1, confidence: sureRecord}
	}
	cause := t.ruleHops(hops[1:], at)
	return ruling{source: spoor.Source{Kind: kind, Name: lowerDomain(hop.Address)}, uid: hop.UID, confidence: sureFolder, cause: cause.source}
}

// ruleBounce names a bounce after what made it necessary: the local domain that
// took mail for an address it does not have, or the source of the mail that
// another server refused.
func (t *Tracer) ruleBounce(hops []spoor.Hop, at spoor.Stamp) ruling {
	cause := t.ruleHops(hops[1:], at)
	r := ruling{uid: -1, confidence: sureRecord, cause: cause.source, source: spoor.Source{Kind: spoor.KindBounce, Name: cause.source.Name}}
	failed := domainOf(hops[0].Address)
	outside := cause.source.Kind == spoor.KindNetwork || cause.source.Kind == spoor.KindUnknown
	switch {
	case outside && t.facts.Serves(failed):
		r.source.Name = failed
	case r.source.Name == "":
		r.source.Name = "unknown"
	}
	return r
}

// ruleReply names an automatic reply after the mailbox that answers. It is backscatter
// as a bounce is: what it answers may be spam with the address of somebody else.
func (t *Tracer) ruleReply(hops []spoor.Hop, at spoor.Stamp) ruling {
	cause := t.ruleHops(hops[1:], at)
	return ruling{uid: -1, confidence: sureFolder, cause: cause.source, source: replyOf(hops[0].Address)}
}

func replyOf(mailbox string) spoor.Source {
	return spoor.Source{Kind: spoor.KindBounce, Name: cmp.Or(lowerDomain(mailbox), "unknown")}
}

// ruleWithoutTrail is for messages whose header has lost its first line. The
// envelope, and the group of the file, are the server's own records too.
func (t *Tracer) ruleWithoutTrail(m *spoor.Message) ruling {
	if m.CallerUID >= 0 {
		r := t.ruleUID(m.CallerUID)
		if r.owner.Role != spoor.RoleMailSystem { // the mail system queues for others
			r.confidence, r.proof = min(r.confidence, sureEnvelope), proofEnvelope
			return r
		}
	}
	if m.CallerGID < 0 {
		return ruling{uid: -1}
	}
	users := t.facts.PrimaryGroup(m.CallerGID)
	if len(users) != 1 {
		return ruling{uid: -1}
	}
	r := t.ruleUID(users[0])
	if r.owner.Role == spoor.RoleMailSystem {
		return ruling{uid: -1}
	}
	r.confidence, r.proof = min(r.confidence, sureGroup), proofGroup
	return r
}

// groupVerdict is what the group of a message's file says of its trail.
type groupVerdict uint8

const (
	groupSilent groupVerdict = iota
	groupConfirms
	groupContradicts
)

// compareGroup compares the group of the file with the one that the caller must
// have had. Only a group that is known to be somebody else's contradicts: a
// process may have changed its own.
func (t *Tracer) compareGroup(m *spoor.Message, hop *spoor.Hop, owner spoor.Owner) groupVerdict {
	if m.CallerGID < 0 {
		return groupSilent
	}
	want := t.facts.CallerGroup(hop.Via)
	if hop.Via == spoor.ViaUID || hop.UID >= 0 {
		if hop.UID != owner.UID {
			owner = t.facts.Owner(hop.UID)
		}
		want = owner.GID
		if m.CallerGID == hop.UID { // a user's private group has the user's number
			return groupConfirms
		}
	}
	switch {
	case want < 0:
		return groupSilent
	case want == m.CallerGID:
		return groupConfirms
	case len(t.facts.PrimaryGroup(m.CallerGID)) > 0:
		return groupContradicts
	}
	return groupSilent
}

// domainOf returns the domain of an address in lower case, or "".
func domainOf(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return ""
	}
	return strings.ToLower(address[at+1:])
}

// accountName writes a login as the account is named: servers take it in whatever
// case, and some add a domain where it has none.
func (t *Tracer) accountName(login string) string {
	name := strings.ToLower(strings.TrimSpace(login))
	if t.facts.Realm != "" && name != "" && !strings.Contains(name, "@") {
		name += "@" + strings.ToLower(t.facts.Realm)
	}
	return name
}

// lowerDomain writes the domain of an address in lower case (RFC 5321 §2.4).
func lowerDomain(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address
	}
	domain := strings.ToLower(address[at:])
	if domain == address[at:] { // nearly always; the copy is spared
		return address
	}
	return address[:at] + domain
}
