package trace

import "spoor"

// mostForeseen bounds the recipients that room is made for before they are
// delivered to.
const mostForeseen = 256

// reported ends a delivery of a message that the line names.
func (j *Journal) reported(b *spoor.Block, e *spoor.Event) {
	j.lastMTA = e.Time
	f := j.flight(e)
	if e.Kind == spoor.EventFailed && len(e.Address) == 0 {
		j.expired(b, f, e)
		return
	}
	hash, domain := addressHash(e)
	r := j.recipientOf(f, hash)
	if domain != 0 && r.domain == 0 {
		r.domain = j.domains.number(domain, e.Address)
	}
	written, through := hash, uint64(0)
	if len(e.Parent) > 0 {
		written, through = spoor.AddressHash(e.Parent)
	}
	j.direction(f, r, e, written, through)
	if f.mayReply {
		j.replyTo(f, written)
	}
	switch e.Kind {
	case spoor.EventDelivered:
		r.state = delivered
		if f.answer != 0 && e.Channel == spoor.ChannelLocal {
			j.answered(f, e.Address, r.domain)
		}
		if e.Passed {
			j.passedTo(f, e)
		}
		switch {
		case len(e.Related) > 0 && j.passed(f, e):
			r.state = passedOn
		case e.Passed: // and nothing says under which ID it goes on
			j.cameBack(f)
		}
		return
	case spoor.EventDeferred:
		if e.Idle {
			j.idle(b, r, e)
			return
		}
		times := max(1, e.Repeat)
		r.state = waiting
		f.deferrals += int32(times)
		f.deferredBy[e.Answer] += int32(times)
	default:
		r.state = failed
		if e.Channel == spoor.ChannelLocal || r.domain != 0 && j.serves(r.domain) {
			f.failedLocal = r.domain
		}
	}
	r.answer, r.place = e.Answer, b.Place(e)
	r.reason = j.reasons.number(e)
}

// idle notes a recipient that waits for its time. What was said at the last try is
// why it waits.
func (j *Journal) idle(b *spoor.Block, r *recipient, e *spoor.Event) {
	if r.state == running {
		r.state, r.answer = waiting, spoor.AnswerNoConnection
		r.place, r.reason = b.Place(e), j.reasons.number(e)
	}
}

// direction notes whether a message goes out, and whether an alias here sends it
// out: then that is what the mail comes from. Of several it is the one whose mail
// was refused, of which a bounce speaks, else the first. A copy for an archive says
// nothing of that. written is the hash of the recipient as the message came with it,
// through that of the domain of an address which another has replaced, or 0.
func (j *Journal) direction(f *flight, r *recipient, e *spoor.Event, written, through uint64) {
	switch {
	case e.Channel == spoor.ChannelUndecided && r.domain != 0 && !j.serves(r.domain): // put off or failed before a way was chosen
	case e.Channel != spoor.ChannelRemote:
		return
	case len(e.Related)+len(e.Parent) > 0 && r.domain != 0 && j.serves(r.domain): // to a filter on this machine, and then to a mailbox
		return
	}
	if len(j.copies) > 0 && j.copies[written] {
		return
	}
	f.remote = true
	if f.renamed {
		return
	}
	if through == 0 || !j.serves(j.domains.number(through, e.Parent)) || spoor.IsReturnPath(e.Parent) {
		f.direct = true
	} else if f.alias == "" || e.Kind == spoor.EventFailed {
		f.alias = string(e.Parent)
	}
}

// recipientOf finds a recipient by the hash of its address, or adds it.
func (j *Journal) recipientOf(f *flight, hash uint64) *recipient {
	mark := uint64(1) << (hash >> 58)
	if f.seen&mark != 0 {
		if i := f.position(hash); i >= 0 {
			return &f.recipients[i]
		}
	}
	f.seen |= mark
	f.recipients = append(f.recipients, recipient{hash: hash})
	n := len(f.recipients)
	switch {
	case f.index != nil:
		f.index.put(hash, int32(n))
	case n > fewRecipients:
		f.index = j.newIndex()
		for i := range f.recipients {
			f.index.put(f.recipients[i].hash, int32(i+1))
		}
	}
	return &f.recipients[n-1]
}

// newIndex returns an empty index of recipients.
func (j *Journal) newIndex() *table[int32] {
	n := len(j.indexes)
	if n == 0 {
		return &table[int32]{}
	}
	index := j.indexes[n-1]
	j.indexes = j.indexes[:n-1]
	return index
}

// fewRecipients is how many are looked through one by one.
const fewRecipients = 32

func (f *flight) position(hash uint64) int {
	if f.index != nil {
		return int(f.index.get(hash)) - 1
	}
	for i := range f.recipients {
		if f.recipients[i].hash == hash {
			return i
		}
	}
	return -1
}

// expired gives up all that wait.
func (j *Journal) expired(b *spoor.Block, f *flight, e *spoor.Event) {
	for i := range f.recipients {
		if r := &f.recipients[i]; r.state == waiting {
			r.state, r.answer, r.place = failed, e.Answer, b.Place(e)
		}
	}
}
