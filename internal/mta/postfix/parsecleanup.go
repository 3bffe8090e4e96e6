package postfix

import (
	"bytes"

	"spoor"
)

// pickup reads who submitted a message by sendmail(1): the evidence for scripts.
// The sender is the user's choice; what may follow it is read from the end.
//
//	CB2BBC0120: uid=33 from=<www-data>
//	CB2BBC0120: uid=103 from=<anna@example.com> orig_id=99961C00CB
func pickup(b []byte, e *spoor.Event) spoor.LineSort {
	id, rest, ok := cutID(b)
	if !ok {
		return remark(b, e)
	}
	text, ok := cut(rest, "uid=")
	if !ok {
		return knownIf(headerCheck(rest))
	}
	space := bytes.IndexByte(text, ' ')
	if space < 0 || !starts(text[space:], " from=<") {
		return spoor.LineUnknown
	}
	uid, left, ok := lastDigits(text[:space])
	if !ok || len(left) > 0 || uid >= 1<<31 {
		return spoor.LineUnknown
	}
	const origID = "> orig_id="
	if at := lastIndex(text, origID); at >= 0 && isID(text[at+len(origID):]) {
		e.Related = text[at+len(origID):]
	} else if !ends(text, ">") {
		return spoor.LineUnknown
	}
	setID(e, id)
	e.Kind, e.UID = spoor.EventSubmitted, int32(uid)
	setClock(e)
	return spoor.LineEvent
}

// cleanup reads that a message was written, and what a policy did to it.
//
//	4FA8DC0101: message-id=<1795428397315.23137.4@example.com>
//	4FA8DC0101: milter-reject: END-OF-MESSAGE from client2.isp.test[198.51.100.2]: 5.7.1 Limit exceeded; from=<…> to=<…> proto=ESMTP helo=<x>
//	4FA8DC0101: reject: header Subject: cheap pills from client2.isp.test[198.51.100.2]; from=<…> to=<…> proto=ESMTP helo=<x>: 5.7.1 no
func (p *Parser) cleanup(b []byte, e *spoor.Event) spoor.LineSort {
	id, rest, ok := cutID(b)
	if !ok {
		return remark(b, e)
	}
	setID(e, id)
	if text, ok := cut(rest, "message-id="); ok {
		e.Kind, e.Text = spoor.EventNamed, text
		return spoor.LineEvent
	}
	if starts(rest, "to=") { // it bounces what sendmail(1) has queued
		return p.delivery(b, daemonSMTP, e)
	}
	action, what, _ := bytes.Cut(rest, []byte(": "))
	switch string(action) {
	case "milter-reject", "milter-discard":
		return removed(rest, what, e)
	case "milter-hold", "reply filter in", "reply filter out":
		return spoor.LineKnown
	case "reject", "discard", "milter-header-reject", "milter-header-discard", "milter-body-reject", "milter-body-discard":
		if !headerCheck(rest) {
			return spoor.LineUnknown
		}
		e.Kind, e.Text = spoor.EventRemoved, rest
		return spoor.LineEvent
	}
	switch string(rest) {
	case "canceled", "removed (canceled)", "removed (discarded)": // Postfix 3.10, 3.11
		e.Kind, e.Text = spoor.EventRemoved, rest
		return spoor.LineEvent
	}
	return knownIf(headerCheck(rest) || starts(rest, "resent-message-id=", "status=deferred (", "ignoring redundant or conflicting milter reply: "))
}
