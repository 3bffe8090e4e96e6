package report

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"spoor"
)

// Explain is the attribution of one message, with its proof.
type Explain struct {
	Root, Host  string
	Time        time.Time // when the message was read
	MTA, Panel  string    // "" where not known
	Message     *spoor.Message
	Attribution *spoor.Attribution
	Logins      map[int]string // names of the UIDs in the trail, where known
}

// maxNamed is how many recipients a page names.
const maxNamed = 20

// Text writes the attribution as a page.
func (e *Explain) Text(out io.Writer, style Style) error {
	p := &page{style: style, root: e.Root}
	p.server(e.Host, e.MTA, e.Panel, "root "+e.Root, style.moment(e.Time))
	p.end()
	writeEnvelope(p, e.Message, e.Time, maxNamed)
	e.writeBlame(p)
	e.writeTrail(p)
	writeClaims(p, withoutProven(e.Message.Trail.Claims, e.Attribution))
	if a := e.Attribution; a != nil {
		if proof := withoutClaims(a.Evidence); len(proof) > 0 {
			p.heading("Proof")
			p.evidenceList(2, proof, maxTop)
		}
		if len(a.Conflicts) > 0 {
			p.heading("What contradicts, and why it was overruled")
			p.evidenceList(2, a.Conflicts, maxTop)
		}
		writeLikely(p, a.Candidates)
	}
	return p.writeTo(out)
}

// writeBlame says which source the message has.
func (e *Explain) writeBlame(p *page) {
	p.end()
	a := e.Attribution
	if a == nil {
		p.row(0, "Source", "not attributed")
		return
	}
	p.row(0, "Source", clip(a.Source.String(), maxQuote))
	if a.UID >= 0 {
		p.row(0, "", e.uid(a.UID))
	}
	p.row(0, "Confidence", percent(a.Confidence))
	if a.Cause != (spoor.Source{}) {
		p.row(0, "Cause", clip(a.Cause.String(), maxQuote)+", the source of the message behind this one")
	}
	if a.Source.Kind == spoor.KindUnknown {
		p.row(0, "", "nothing that this server wrote names a source")
		return
	}
	p.label(0, "Next")
	p.command(showCommand(a.Source))
}

// uid names a system user.
func (e *Explain) uid(uid int) string {
	if uid < 0 {
		return "an unknown uid"
	}
	if login := e.Logins[uid]; login != "" {
		return "uid " + strconv.Itoa(uid) + " (" + clip(login, maxLogin) + ")"
	}
	return "uid " + strconv.Itoa(uid)
}

// writeTrail tells the hops, newest first, and where trust ends.
func (e *Explain) writeTrail(p *page) {
	trail := &e.Message.Trail
	p.heading("The way it came, newest first; written by this server")
	for i := range trail.Hops {
		hop := &trail.Hops[i]
		p.tab(2)
		p.put(strconv.Itoa(i+1) + ". ")
		p.flow(e.hop(hop))
		p.end()
		if hop.Text != "" {
			p.quoteLines(5, hop.Line, receivedFields(hop.Text))
		}
	}
	if len(trail.Hops) == 0 {
		p.para(2, "no record: this server left no Received field that can be trusted")
	}
	if trail.Broken != "" {
		p.para(2, "the header could not be read to its end: "+clip(trail.Broken, maxQuote))
	}
	switch {
	case len(trail.Forgeable) > 0:
		writeForgeable(p, trail.Forgeable)
	case len(trail.Hops) > 0 && trail.Broken == "":
		p.para(2, "nothing below claims another way")
	}
}

// writeForgeable draws the line below which nothing is proof.
func writeForgeable(p *page, fields []spoor.Claim) {
	words := plural(len(fields), "Received field")
	if len(fields) == spoor.MaxForgeable {
		words = "at least " + words
	}
	p.para(2, "below this line anyone could have written it: "+words)
	for _, f := range fields {
		p.quoteLine(5, f.Line, f.Value)
	}
}

// hop tells one passage through the queue in words.
func (e *Explain) hop(h *spoor.Hop) string {
	switch h.Via {
	case spoor.ViaUID:
		return e.queued(h) + ", invoked by " + e.uid(h.UID)
	case spoor.ViaNetwork:
		return e.queued(h) + ", from the network: " + client(h)
	case spoor.ViaForward:
		return e.queued(h) + ", forwarded by " + cmp.Or(clip(h.Address, maxAddress), "an unrecorded address")
	case spoor.ViaList:
		return e.queued(h) + ", sent out by the mailing list " + cmp.Or(clip(h.Address, maxAddress), "(not recorded)")
	case spoor.ViaBounce:
		words := e.queued(h) + ", " + notification(h)
		if h.Reason != "" {
			words += ": " + clip(h.Reason, maxQuote)
		}
		return words
	case spoor.ViaReply:
		return e.queued(h) + ", an automatic reply of " + cmp.Or(clip(h.Address, maxAddress), "a mailbox")
	case spoor.ViaUnknown:
	}
	return e.queued(h) + ", how is not recorded"
}

// notification tells what a message of the MTA's own says of a recipient.
func notification(h *spoor.Hop) string {
	who := cmp.Or(clip(h.Address, maxAddress), "a recipient")
	switch h.Action {
	case "", "failed":
		return "a bounce: " + who + " failed"
	case "delayed":
		return "a warning: " + who + " is put off"
	}
	return "a confirmation: " + who + " was reached"
}

func (e *Explain) queued(h *spoor.Hop) string {
	words := "queued"
	if e.MTA == "qmail" {
		words = "queued by qmail-queue"
	}
	if h.PID > 0 {
		words += ", pid " + strconv.Itoa(h.PID)
	}
	return words
}

// client tells who handed a message over by SMTP. What the client could choose
// comes last: it may read like the rest of the sentence.
func client(h *spoor.Hop) string {
	words := "client address not recorded"
	if h.Client.IsValid() {
		words = "client " + clip(h.Client.String(), maxAddress)
	}
	switch {
	case h.Authenticated && h.Account == "":
		words += ", authenticated, under a name that the line does not tell"
	case h.Authenticated:
		words += ", authenticated as " + clip(h.Account, maxAddress)
	case h.Account == "":
		words += ", not authenticated"
	}
	if h.ReverseName != "" && h.ReverseName != "unknown" {
		words += ", DNS name " + clip(h.ReverseName, maxAddress)
	}
	if h.HELO != "" {
		words += `, called itself "` + clip(h.HELO, maxAddress) + `"`
	}
	if h.Account != "" && !h.Authenticated {
		words += `, with the name "` + clip(h.Account, maxAddress) + `": a login, or an answer of the client's identd`
	}
	return words
}

// withoutClaims leaves out what writeClaims lists.
func withoutClaims(evidence []spoor.Evidence) []spoor.Evidence {
	return slices.DeleteFunc(slices.Clone(evidence), func(e spoor.Evidence) bool { return e.What == "claim" })
}

// withoutProven leaves out the shim's field where it is quoted with what was found of
// it.
func withoutProven(claims []spoor.Claim, a *spoor.Attribution) []spoor.Claim {
	if a == nil {
		return claims
	}
	return slices.DeleteFunc(slices.Clone(claims), func(c spoor.Claim) bool {
		return slices.ContainsFunc(a.Evidence, func(e spoor.Evidence) bool {
			return e.What == "shim" && e.Line == c.Line && strings.HasPrefix(e.Text, c.Field+": ")
		})
	})
}

func writeClaims(p *page, claims []spoor.Claim) {
	if len(claims) == 0 {
		return
	}
	p.heading("Claims: they support, they prove nothing")
	for _, c := range claims {
		p.quoteLine(2, c.Line, c.Field+": "+c.Value)
	}
}
