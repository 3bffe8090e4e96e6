package trace

import (
	"bytes"
	"slices"
	"time"

	"spoor"
)

// Postfix and Exim name the message in each of their lines, and log where it came
// from. Their daemons log side by side, so that lines about one message come in
// nearly any order, and short IDs are used again within seconds.

const (
	// disorder is how far lines of one message may be out of order.
	disorder = 5 * time.Second
	// unfinished is how long a client may take for a message: after that, one that
	// was begun and is not in the queue never will be.
	unfinished = time.Hour
)

// submitted notes where a message comes from.
func (j *Journal) submitted(b *spoor.Block, e *spoor.Event) {
	f := j.begin(e, true)
	f.place, f.uid = b.Place(e), e.UID
	if len(e.Related) > 0 && j.goesOn(f, e) {
		return
	}
	j.entered(f, e)
	j.byWebmail(f, e)
}

// begin returns the flight of a message that enters the queue now. One with the
// same ID whose origin is known, or that was heard of long ago, is another: its
// end is lost, or its ID was used again.
func (j *Journal) begin(e *spoor.Event, origin bool) *flight {
	key := j.messageKey(e)
	f := j.open.get(key)
	if f != nil && (origin && f.traced || f.left != 0 || e.Time.Sub(f.heard) > disorder) {
		j.settleKin(f)
		f = nil
	}
	if f == nil {
		if f = j.begun(e, origin); f == nil {
			f = j.newFlight(e.ID)
			f.key, f.accepted, f.submitted = key, e.Time, e.Time
			j.open.put(key, f)
			j.sweep(e.Time)
		}
	}
	f.keyed, f.logged, f.heard = true, true, e.Time
	f.traced = f.traced || origin
	return f
}

// flight returns the flight that a line is about, which may have begun before
// the log.
func (j *Journal) flight(e *spoor.Event) *flight {
	key := j.messageKey(e)
	f := j.open.get(key)
	if f == nil {
		f = j.reportedOn(e)
	}
	if f == nil {
		f = j.newFlight(e.ID)
		f.key, f.accepted, f.submitted = key, e.Time, e.Time
		f.keyed = true
		j.open.put(key, f)
	}
	f.heard = e.Time
	return f
}

// entered decides on what the MTA logged of the origin.
func (j *Journal) entered(f *flight, e *spoor.Event) {
	f.client = parseClient(e.Client)
	switch {
	case len(e.Account) > 0:
		f.book, f.sure = j.account(e.Account), percent(sureAuth)
	case e.UID >= 0:
		j.fromUser(f, e.UID)
	case len(e.Login) > 0:
		j.fromLogin(f, e.Login)
	case f.client.IsValid():
		f.book, f.sure = j.networks.of(f.client), percent(sureClient)
		f.filtered = f.client.IsLoopback()
		j.asForetold(f, e)
	}
}

func percent(confidence float64) uint8 { return uint8(100*confidence + 0.5) }

// fromUser blames the owner of a UID. A user of the mail system hands over what
// others wrote: a content filter, or the MTA for a requeued message.
func (j *Journal) fromUser(f *flight, uid int32) {
	f.uid = uid
	if j.tracer.facts.Via(int(uid)) == spoor.ViaUnknown { // the MTA's own
		f.filtered = true
		return
	}
	f.book = j.user(uid)
	f.sure = percent(f.book.confidence)
	f.filtered = f.book.owner.Role == spoor.RoleMailSystem
}

// fromLogin does the same where the login is logged instead of the UID.
func (j *Journal) fromLogin(f *flight, login []byte) {
	if uid, ok := j.tracer.facts.UID(string(login)); ok {
		j.fromUser(f, int32(uid))
		return
	}
	f.book, f.sure = j.book(spoor.Source{Kind: spoor.KindUser, Name: string(login)}, -1), percent(sureRecord)
}

// acceptSubmitted takes a line that tells of origin and envelope at once, as
// Exim's does.
func (j *Journal) acceptSubmitted(b *spoor.Block, e *spoor.Event) {
	f := j.begin(e, true)
	f.place = b.Place(e)
	switch {
	case len(e.Related) > 0 && len(e.Address) == 0 && j.makesBounces(e.Login):
		parent := j.open.get(j.relatedKey(e))
		j.inherit(f, j.bounceFor(parent))
		j.mayAnswer(f, parent)
	default:
		j.entered(f, e)
		j.identified(f, e)
		j.invoked(f, e)
		j.inFolder(f)
		if len(e.Related) > 0 && len(e.Address) == 0 {
			j.mayAnswer(f, j.open.get(j.relatedKey(e)))
		}
	}
	j.name(f, e.Text)
	j.queued(e)
	j.byWebmail(f, e)
}

// makesBounces reports whether what a login hands over because of another message can
// be a bounce: users may say so too, and automatic replies do.
func (j *Journal) makesBounces(login []byte) bool {
	uid, ok := j.tracer.facts.UID(string(login))
	return !ok || j.tracer.facts.Via(uid) == spoor.ViaBounce
}

// named notes that a message was written to the queue. Without a line about its
// origin the MTA has made it itself.
func (j *Journal) named(b *spoor.Block, e *spoor.Event) {
	f := j.open.get(j.messageKey(e))
	if f == nil || f.left != 0 || e.Time.Sub(f.heard) > disorder && (f.queued || !f.traced) {
		if f = j.begin(e, false); !f.traced {
			f.place = b.Place(e)
		}
	}
	f.heard = e.Time
	if o, ok := j.announced[f.key]; ok {
		delete(j.announced, f.key)
		j.inherit(f, o)
	}
	f.mayReply = (f.filtered || f.book.nobodys()) && bytes.HasPrefix(e.Text, []byte(replyName))
	j.name(f, e.Text)
}

// queued notes envelope and size. The MTA says so again at each try.
func (j *Journal) queued(e *spoor.Event) {
	f := j.flight(e)
	j.lastMTA = e.Time
	if f.queued {
		return
	}
	f.queued, f.size, f.foreseen = true, e.Size, e.Count
	f.mayReply = f.mayReply && e.Count <= 1 // a mailbox answers one; 0 is not told
	f.recipients = slices.Grow(f.recipients, int(min(e.Count, mostForeseen)))
	j.sender(f, e)
	j.copied(f, e.Address)
	switch {
	case f.book == nil, f.filtered, f.goesOn, f.answers, f.book.source.Kind == spoor.KindNetwork:
		f.waits, f.pending = true, append(f.pending[:0], e.Address...) // it may turn out to be another's
	default:
		f.book.sender(f, e.Address)
	}
	j.webmail(f, e)
}
