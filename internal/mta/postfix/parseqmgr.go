package postfix

import (
	"bytes"

	"spoor"
)

// qmgr reads the queue manager. It repeats the envelope each time it tries a
// message again. The sender is of others' choice, and what follows it is not: the
// line is read from its end.
//
//	4FA8DC0101: from=<pedro@parcel.test>, size=907, nrcpt=4 (queue active)
//	4FA8DC0101: from=<pedro@parcel.test>, status=expired, returned to sender
//	4FA8DC0101: removed
func (p *Parser) qmgr(b []byte, e *spoor.Event) spoor.LineSort {
	id, rest, ok := cutID(b)
	if !ok {
		return remark(b, e)
	}
	if string(rest) == "removed" {
		setID(e, id)
		e.Kind = spoor.EventEnded
		return spoor.LineEvent
	}
	sender, ok := cut(rest, "from=<")
	if !ok {
		if starts(rest, "to=") { // a transport that is down
			return p.delivery(b, daemonSMTP, e)
		}
		return knownIf(starts(rest, "skipped, still being delivered", "enabling VERP for sender ", "recipient limit ") || deliveryNote(rest))
	}
	setID(e, id)
	if active, ok := cutSuffix(sender, " (queue active)"); ok {
		return accepted(active, e)
	}
	for _, status := range [...]string{"expired", "force-expired"} {
		if head, ok := cutSuffix(sender, ", returned to sender"); ok && ends(head, ">, status="+status) {
			e.Kind, e.Answer, e.Text = spoor.EventFailed, spoor.AnswerTooOld, sender[len(head)-len(status):]
			return spoor.LineEvent
		}
	}
	return spoor.LineUnknown
}

// accepted reads an envelope from its end; old versions count no recipients.
//
//	pedro@parcel.test>, size=907, nrcpt=4
func accepted(b []byte, e *spoor.Event) spoor.LineSort {
	n, head, ok := lastDigits(b)
	if !ok {
		return spoor.LineUnknown
	}
	if before, ok := cutSuffix(head, ", nrcpt="); ok {
		e.Count = int32(min(n, 1<<30))
		if n, head, ok = lastDigits(before); !ok {
			return spoor.LineUnknown
		}
	}
	if e.Address, ok = cutSuffix(head, ">, size="); !ok {
		return spoor.LineUnknown
	}
	e.Kind, e.Size = spoor.EventQueued, n
	e.Hash, e.Domain = spoor.AddressHash(e.Address)
	return spoor.LineEvent
}

// bounce reads which notification was queued for a message.
//
//	4FA8DC0101: sender non-delivery notification: 554ACC0104
func bounce(b []byte, e *spoor.Event) spoor.LineSort {
	id, rest, ok := cutID(b)
	if !ok {
		return remark(b, e)
	}
	what, related, ok := bytes.Cut(rest, []byte(" notification: "))
	if !ok {
		return knownIf(starts(rest, "no trace file -- not sending ", "not sending trace/success notification ", "status=deferred ("))
	}
	switch string(what) {
	case "sender non-delivery", "sender delay", "sender delivery status", "postmaster non-delivery", "postmaster delay":
	default:
		return spoor.LineUnknown
	}
	if !isID(related) {
		return spoor.LineUnknown
	}
	setID(e, id)
	e.Kind, e.Related, e.Text = spoor.EventBounced, related, what
	return spoor.LineEvent
}

// postsuper reads what an operator did.
//
//	4FA8DC0101: removed
//	Deleted: 2 messages
func postsuper(b []byte, e *spoor.Event) spoor.LineSort {
	id, rest, ok := cutID(b)
	if !ok {
		if starts(b, "Deleted: ", "Requeued: ", "Placed on hold: ", "Released from hold: ", "Expired: ", "Force-expired: ", "Renamed to match inode number: ",
			"removed file ", "renamed file ", "remove directory ", "remove subdirectory ", "queue: ") {
			return spoor.LineKnown
		}
		return remark(b, e)
	}
	switch string(rest) {
	case "removed":
		setID(e, id)
		e.Kind, e.Text = spoor.EventRemoved, rest
		return spoor.LineEvent
	case "requeued", "placed on hold", "released from hold", "expired", "force-expired":
		return spoor.LineKnown
	}
	return spoor.LineUnknown
}
