package qmail

import (
	"bytes"
	"strings"

	"spoor"
	"spoor/internal/mta"
)

// walker follows a header from the top: as long as the line at hand was written
// by this server's qmail, the next one says how the message reached it.
type walker struct {
	trail      *spoor.Trail
	mailSystem func(uid int) bool
	control    *ControlFiles
	message    *spoor.Message
}

// expectation says what the next trace field must be for the walk to go on.
type expectation uint8

const (
	wantQueueLine   expectation = iota // Received: (qmail N invoked …)
	wantNetworkLine                    // Received: from … by … with …
	wantForward                        // Delivered-To or Mailing-List, written by qmail-local(8) or a list program
	wantNothing                        // the entry is found: the rest can be forged
)

const (
	brokenNoQueueLine   = "the first line is not qmail-queue's"
	brokenNoNetworkLine = "no line of the SMTP server below \"invoked from network\""
	brokenNoOriginal    = "the bounced message is not in the part that was read"
	brokenBeyond        = "a forwarded message without qmail-queue's line"
	brokenReturnPath    = "the sender of the bounced message holds a line break: what stands below it may be forged"
)

// maxHops bounds forwards of forwards.
const maxHops = 32

// walk reads the header of the message at the start of block into the trail
// and the fields of the message. body is where the header ends.
func (w *walker) walk(block []byte, text string) {
	w.walkCopy(block, text, 0, 1)
}

// walkCopy reads a header on which Return-Path may stand.
func (w *walker) walkCopy(block []byte, text string, base, line int) {
	skip, ok := skipReturnPath(block[base:])
	if !ok {
		w.trail.Broken = brokenReturnPath
		return
	}
	w.walkHeader(block, text, base+skip, line+bytes.Count(block[base:base+skip], []byte{'\n'}))
}

// walkHeader reads one header; base is its offset in text, which holds block as
// a string, and line the number of its first line.
func (w *walker) walkHeader(block []byte, text string, base, line int) {
	want := wantQueueLine
	for field := range mta.Fields(block[base:]) {
		value := text[base+field.At:][:len(field.Value)]
		at := line + field.Line - 1
		switch known := mta.KnownField(field.Name); known {
		case mta.FieldReceived:
			want = w.received(want, value, at)
		case mta.FieldDeliveredTo:
			want = w.deliveredTo(want, value)
		case mta.FieldMailingList:
			want = w.mailingList(want, value)
			w.other(known, value, at, base)
		default:
			want = w.unexpected(want)
			w.other(known, value, at, base)
		}
	}
	w.finish(want)
	w.followBounce(block, text, base, line)
}

func (w *walker) received(want expectation, value string, line int) expectation {
	switch want {
	case wantQueueLine:
		return w.queueLine(value, line)
	case wantNetworkLine:
		hop := w.trail.Entry()
		if !parseNetworkLine(value, hop) {
			w.trail.Broken = brokenNoNetworkLine
			w.forgeable(value, line)
			return wantNothing
		}
		hop.Text += "\n" + strings.TrimSpace(value)
		return wantNothing
	case wantForward:
		return w.filtered(value, line)
	case wantNothing:
	}
	w.forgeable(value, line)
	return wantNothing
}

// queueLine takes the line that qmail-queue wrote and says what must follow.
func (w *walker) queueLine(value string, line int) expectation {
	hop, ok := parseQueueLine(value)
	if !ok || len(w.trail.Hops) >= maxHops {
		w.trail.Broken = brokenNoQueueLine
		if len(w.trail.Hops) > 0 {
			w.trail.Broken = brokenBeyond
		}
		w.forgeable(value, line)
		return wantNothing
	}
	hop.Line, hop.Text = line, strings.TrimSpace(value)
	w.trail.Hops = append(w.trail.Hops, hop)
	switch {
	case hop.Via == spoor.ViaNetwork:
		return wantNetworkLine
	case hop.Via == spoor.ViaForward, hop.Via == spoor.ViaUID && w.mailSystem(hop.UID):
		return wantForward
	}
	return wantNothing
}

// deliveredTo takes the line that qmail-local(8) puts on top of what it
// forwards. Only directly below qmail-queue's line is it believed.
func (w *walker) deliveredTo(want expectation, value string) expectation {
	if want != wantForward {
		return want
	}
	hop := w.trail.Entry()
	address := strings.TrimSpace(value)
	if list, ok := strings.CutPrefix(address, "mailing list "); ok { // ezmlm-send(1)
		hop.Via, hop.Address = spoor.ViaList, list
		return wantQueueLine
	}
	if hop.Via == spoor.ViaList {
		return wantQueueLine
	}
	hop.Via, hop.Address = spoor.ViaForward, w.control.StripPrefix(address)
	return wantQueueLine
}

// mailingList takes the line that ezmlm-send(1) puts on top of what it sends:
// Mailing-List: contact list-help@host; run by ezmlm.
func (w *walker) mailingList(want expectation, value string) expectation {
	if want != wantForward {
		return want
	}
	hop := w.trail.Entry()
	hop.Via = spoor.ViaList
	_, contact, ok := strings.Cut(value, "contact ")
	contact, _, _ = strings.Cut(contact, ";")
	if ok {
		hop.Address = strings.Replace(strings.TrimSpace(contact), "-help@", "@", 1)
	}
	return wantForward
}

// filtered handles mail that a content filter of the mail system queued again:
// below qmail-queue's line stand the filter's own Received lines, then that of
// the SMTP server.
func (w *walker) filtered(value string, line int) expectation {
	hop := w.trail.Entry()
	if strings.Contains(value, "with qmail-scanner") || strings.HasPrefix(strings.TrimSpace(value), "by simscan") {
		hop.Text += "\n" + strings.TrimSpace(value)
		return wantForward
	}
	inner := spoor.Hop{Via: spoor.ViaNetwork, PID: -1, UID: -1, Line: line, Text: strings.TrimSpace(value)}
	if hop.Via == spoor.ViaUID && parseNetworkLine(value, &inner) && w.control.names(value) {
		w.trail.Hops = append(w.trail.Hops, inner)
		return wantNothing
	}
	w.forgeable(value, line)
	return wantNothing
}

// unexpected ends the walk at a field that qmail would not have written there.
// Fields between the lines of a mailing list are the list program's, those on
// top of a forwarded message a filter's: that message has been in this queue
// before, so qmail-queue's line comes before anything its author wrote.
func (w *walker) unexpected(want expectation) expectation {
	forwarded := want == wantQueueLine && len(w.trail.Hops) > 0
	if forwarded || want == wantForward && w.trail.Entry().Via == spoor.ViaList {
		return want
	}
	w.finish(want)
	return wantNothing
}

func (w *walker) finish(want expectation) {
	if w.trail.Broken != "" {
		return
	}
	switch {
	case want == wantQueueLine && len(w.trail.Hops) == 0:
		w.trail.Broken = brokenNoQueueLine
	case want == wantQueueLine:
		w.trail.Broken = brokenBeyond
	case want == wantNetworkLine:
		w.trail.Broken = brokenNoNetworkLine
	}
}

func (w *walker) forgeable(value string, line int) { mta.Forgeable(w.message, value, line) }

// other keeps the fields that describe a message or claim a source. Those of a
// bounced original (base > 0) describe that message, not this one.
func (w *walker) other(known mta.FieldName, value string, line, base int) {
	if base > 0 {
		mta.Claim(w.message, known, value, line)
		return
	}
	mta.Describe(w.message, known, value, line)
}

// followBounce goes on in the message that a bounce carries: qmail-send copied
// it as it was, so its top lines are as good as this message's.
func (w *walker) followBounce(block []byte, text string, base, line int) {
	hop := w.trail.Entry()
	if hop == nil || hop.Via != spoor.ViaBounce || w.trail.Broken != "" {
		return
	}
	body, _ := mta.BodyStart(block[base:])
	found := parseBounce(block, base+body)
	hop.Address, hop.Reason = found.recipient, found.reason
	if found.original < 0 {
		w.trail.Broken = brokenNoOriginal
		return
	}
	lines := bytes.Count(block[base:found.original], []byte{'\n'})
	w.walkCopy(block, text, found.original, line+lines)
}
