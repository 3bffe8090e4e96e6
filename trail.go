package spoor

import (
	"fmt"
	"net/netip"
	"slices"
)

// Via says how a message entered the MTA at one hop.
type Via uint8

// The ways in which a message enters the queue of this server.
const (
	ViaUnknown Via = iota
	ViaUID         // a local process handed it over
	ViaNetwork     // the SMTP (or QMTP) server handed it over
	ViaForward     // a local delivery forwarded it
	ViaList        // a mailing-list program sent it out
	ViaBounce      // the MTA made it because a message failed
	ViaReply       // a mailbox here answers by itself: a vacation notice, or a script that rejects
)

var viaNames = [...]string{"unknown", "uid", "network", "forward", "list", "bounce", "reply"}

// String returns a word for v.
func (v Via) String() string {
	if int(v) < len(viaNames) {
		return viaNames[v]
	}
	return fmt.Sprintf("via(%d)", uint8(v))
}

// Hop is one passage of a message through this server's queue, as this server
// itself recorded it. Which fields are set depends on Via.
type Hop struct {
	Via Via
	PID int // of the process that queued it (qmail's qp)
	UID int // of the caller for ViaUID and ViaForward; -1 where not recorded
	// Login of the caller for ViaUID, where the MTA recorded it beside the UID.
	Login string
	Line  int // in the header, from 1: where the record starts
	Text  string
	// Record is what the MTA recorded beside the header, in its envelope.
	Record string

	// ViaNetwork:
	Client        netip.Addr // the zero Addr where the server did not record it
	HELO          string     // what the client called itself; forgeable
	ReverseName   string     // DNS name of the client; "unknown" or "" where none
	Account       string     // authenticated login, or what may be one: see Authenticated
	Authenticated bool       // the protocol word says AUTH was used (RFC 3848)

	// ViaForward: the address that forwards, as in Delivered-To.
	// ViaList: the list's address. ViaBounce: the recipient that failed.
	// ViaReply: the mailbox.
	Address string
	Reason  string // ViaBounce: why that recipient failed
	// Action of a ViaBounce is what became of the recipient where the notification
	// tells (RFC 3464 §2.3.3): "failed", "delayed", "delivered", …; else "".
	Action string
}

// Claim is a header field that helps to find a source, but that whoever wrote
// the message could have written too.
type Claim struct {
	Field string // canonical, for example "X-PHP-Originating-Script"
	Value string
	Line  int // in the header, from 1
}

// Trail is what the header of a message tells of its way.
//
// Hops were written by this server's MTA, newest first; the last one is where
// the message entered the server. A bounce or a forward is followed by the hops
// of the message that caused it. Everything below the last hop can be forged.
type Trail struct {
	Hops      []Hop
	Claims    []Claim
	Forgeable []Claim // the Received fields below the last hop; at most MaxForgeable are kept
	Broken    string  // why the trail could not be read to its end; "" if it could
}

// MaxForgeable bounds Trail.Forgeable and Trail.Claims.
const MaxForgeable = 16

// Entry is the hop at which the message entered the server: the oldest one that
// can be trusted. It is nil when there is none.
func (t *Trail) Entry() *Hop {
	if len(t.Hops) == 0 {
		return nil
	}
	return &t.Hops[len(t.Hops)-1]
}

// Reset empties t and keeps its memory.
func (t *Trail) Reset() {
	t.Hops, t.Claims, t.Forgeable, t.Broken = t.Hops[:0], t.Claims[:0], t.Forgeable[:0], ""
}

// Clone returns a copy that shares no slice with t.
func (t *Trail) Clone() Trail {
	return Trail{Hops: slices.Clone(t.Hops), Claims: slices.Clone(t.Claims), Forgeable: slices.Clone(t.Forgeable), Broken: t.Broken}
}
