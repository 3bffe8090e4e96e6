package trace

import (
	"net/netip"

	"spoor"
)

// What a webmail hands over comes from this machine. Its own log has the address of
// the browser, and the queue ID that the MTA answered with. The user of the web
// server writes that log, and with him the scripts of many sites: it may tell where
// the user of a login sat, which the MTA knows, and is an inference where the MTA
// knows no login.

// webmails are the messages of webmails that the MTA's log has not told of yet, by
// the hash of their queue ID: lines of one second have no order.
type webmails struct {
	early map[uint64]webmailed
	since spoor.Stamp // when its log begins; 0 if there is none
}

// tells reports whether the log of a webmail would tell of a message, had the webmail
// handed it over.
func (w *webmails) tells(f *flight) bool { return w.since != 0 && f.submitted >= w.since }

// webmailed is what a webmail tells of a message.
type webmailed struct {
	time    spoor.Stamp
	client  netip.Addr
	account string // "" where it names nobody of this server
	mailbox uint64 // hash of the account's name
	place   spoor.LogPlace
}

// maxWebmails bounds the messages that are kept until the MTA tells of them.
const maxWebmails = 1 << 12

// webmailed takes a line of a webmail's log.
func (j *Journal) webmailed(b *spoor.Block, e *spoor.Event) {
	if j.webmails.since == 0 || e.Time < j.webmails.since {
		j.webmails.since = e.Time
	}
	w := webmailed{time: e.Time, client: parseClient(e.Client), place: b.Place(e)}
	if domain := domainOf(string(e.Account)); len(e.Account) <= longestAddress && (domain == "" || j.tracer.facts.Serves(domain)) {
		w.account = string(e.Account)
		w.mailbox, _ = spoor.AddressHash(e.Account)
	}
	if f := j.handedOver(e, w.fits); f != nil {
		j.fromWebmail(f, &w)
		return
	}
	if len(j.webmails.early) >= maxWebmails || j.webmails.early == nil {
		j.webmails.early = map[uint64]webmailed{}
	}
	j.webmails.early[e.Key] = w
}

// fits reports whether a line is of a message that this machine handed over, and not
// of one before it that had the same ID: a webmail logs when the MTA has taken the whole message.
func (w *webmailed) fits(f *flight) bool {
	age := w.time.Sub(f.submitted)
	return f.client.IsLoopback() && age >= -disorder && age <= longestData
}

// byWebmail looks for the line of a webmail that came before the MTA's.
func (j *Journal) byWebmail(f *flight, e *spoor.Event) {
	if len(j.webmails.early) == 0 || !f.client.IsLoopback() {
		return
	}
	if w, ok := j.webmails.early[e.Key]; ok {
		delete(j.webmails.early, e.Key)
		if w.fits(f) {
			j.fromWebmail(f, &w)
		}
	}
}

// mayBeWebmails reports whether the line of a webmail about a message may still
// come.
func (j *Journal) mayBeWebmails(f *flight) bool {
	return j.webmails.since != 0 && f.client.IsLoopback() && !f.webmail
}

// fromWebmail gives a message the client of the webmail that handed it over, and
// the account where the MTA knows of none.
func (j *Journal) fromWebmail(f *flight, w *webmailed) {
	if f.webmail || f.goesOn || f.book == nil {
		return
	}
	shared := f.identified && f.book.owner != nil && f.book.owner.Role == spoor.RoleWebServer
	switch kind := f.book.source.Kind; {
	case kind == spoor.KindAccount:
		f.webmail, f.login = true, w.place
	case kind == spoor.KindNetwork, shared:
		if w.account == "" {
			return
		}
		f.via, f.viaPlace, f.viaSure = j.account([]byte(w.account)), w.place, percent(sureWebmail)
		if mailbox, ok := j.mailboxes[w.mailbox]; ok && f.submitted.Sub(mailbox.time) < webmailReach { // Dovecot says so too
			f.viaSure = percent(sureLogins)
		}
	default:
		return
	}
	if w.client.IsValid() {
		f.client = w.client
	}
	if past := &j.past[f.named&(maxNamed-1)]; f.named != 0 && past.key == f.key {
		past.client = f.client // it may go on behind a filter
	}
}

// clientOf is the address behind a message in the queue: of what a webmail has handed
// over, that of the browser.
func (t *Tracer) clientOf(m *spoor.Message, client netip.Addr) netip.Addr {
	if t.journal == nil || t.journal.webmails.since == 0 || !client.IsLoopback() {
		return client
	}
	if f := t.journal.find(m); f != nil && (f.webmail || f.via != nil) && f.client.IsValid() {
		return f.client
	}
	return client
}
