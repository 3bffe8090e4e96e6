package trace

import (
	"slices"

	"spoor"
)

// Automatic replies: Dovecot hands them to the MTA as the user of its mailboxes, or by
// SMTP, and logs to whom a mailbox has answered. The two are joined by the recipient,
// at the time at which the reply was handed over. Those that Exim makes itself it logs as
// it does bounces, before the delivery to the mailbox that answers.

// replyName is how the Message-ID of a reply begins.
const replyName = "<dovecot-"

// nobodys reports whether it is the page of a UID that passwd does not have: the user
// of the mailboxes of a container, or of the server that a queue was copied from.
func (b *book) nobodys() bool { return b != nil && b.owner != nil && isNobody(b.owner) }

func isNobody(o *spoor.Owner) bool { return o.Role == spoor.RoleNobody && o.Login == "" }

// reply is what a mailbox has answered, or else a message that may be that. One waits
// for the other: their lines come in either order.
type reply struct {
	to      uint64 // hash of the recipient; 0 if there is none
	key     uint64 // of the message; 0 where mailbox is told
	mailbox *book
	cause   spoor.Source
	time    spoor.Stamp // when it was handed over, about
	place   spoor.LogPlace
}

// Bounds of the replies that wait. A spammer who has one sender for many mailboxes
// makes as many replies to that one.
const (
	maxReplies  = 1 << 12 // by the low bits of the hash
	sameReplies = 16      // to one recipient
)

// waitingReply finds the reply to a recipient that waits for its other half, or else the
// place of the oldest one, which is given up.
func (j *Journal) waitingReply(to uint64, at spoor.Stamp, message bool) (slot *reply, found bool) {
	if j.replies == nil {
		j.replies = make([]reply, maxReplies)
	}
	for i := range uint64(sameReplies) {
		r := &j.replies[(to+i)&(maxReplies-1)]
		if r.to == to && (r.key != 0) == message && near(r.time, at) {
			return r, true
		}
		if slot == nil || r.time < slot.time {
			slot = r
		}
	}
	return slot, false
}

func near(a, b spoor.Stamp) bool {
	apart := a.Sub(b)
	return -disorder <= apart && apart <= disorder
}

// replied notes that a mailbox has answered.
func (j *Journal) replied(b *spoor.Block, e *spoor.Event) {
	to, _ := spoor.AddressHash(e.Parent)
	told := reply{to: to, time: e.Time, place: b.Place(e), mailbox: j.book(replyOf(string(e.Address)), -1)}
	hash := spoor.IDHash(e.Text)
	if past := &j.past[hash&(maxNamed-1)]; past.name == hash && past.book != nil {
		told.cause = past.book.named()
	}
	slot, found := j.waitingReply(to, e.Time, true)
	if found {
		f := j.open.get(slot.key)
		*slot = reply{}
		if f != nil && f.mayReply {
			j.repliedBy(f, &told)
			return
		}
	}
	*slot = told
}

// replyTo asks whose reply a message is, now that its recipient is known.
func (j *Journal) replyTo(f *flight, to uint64) {
	slot, found := j.waitingReply(to, f.submitted, false)
	if !found {
		*slot = reply{to: to, key: f.key, time: f.submitted}
		return
	}
	told := *slot
	*slot = reply{}
	j.repliedBy(f, &told)
}

// repliedBy blames a mailbox for what it has answered, and what it was made to answer
// as the cause.
func (j *Journal) repliedBy(f *flight, told *reply) {
	was := f.book
	f.isReply(told)
	past := j.remembered(f)
	if past == nil {
		return
	}
	past.setSource(f)
	if next := j.open.get(past.next); past.next != 0 && next != nil && next.goesOn && next.book == was {
		next.isReply(told)
	}
}

func (f *flight) isReply(told *reply) {
	f.mayReply, f.filtered, f.via, f.replied = false, false, nil, true
	f.book, f.cause, f.sure, f.login = told.mailbox, told.cause, percent(sureFolder), told.place
}

// mayAnswer notes that a message which the MTA made because of another may be a mailbox's
// automatic reply: there is nothing that could have been notified of, or it is a user of
// the mail system who hands it over, who makes no bounces.
func (j *Journal) mayAnswer(f *flight, parent *flight) {
	if parent == nil || parent.book == nil || f.book == nil || !f.filtered && (f.book.source.Kind != spoor.KindBounce || parent.mayBounce()) {
		return
	}
	parent.answer, f.answers = f.key, true
}

// mayBounce reports whether a sender may be notified of the message.
func (f *flight) mayBounce() bool {
	return f.deferrals > 0 || slices.ContainsFunc(f.recipients, func(r recipient) bool { return r.state == failed })
}

// answered names an automatic reply after the mailbox that answers: its delivery is the
// next that is told of the message that it answers.
func (j *Journal) answered(f *flight, mailbox []byte, domain uint32) {
	next := j.open.get(f.answer)
	f.answer = 0
	if next == nil || !next.answers || domain == 0 || !j.serves(domain) {
		return
	}
	next.answers = false
	by := j.book(replyOf(string(mailbox)), -1)
	if !next.filtered {
		next.book = by
		return
	}
	j.repliedBy(next, &reply{mailbox: by, cause: f.source(j), place: next.place})
}
