package trace

import (
	"time"

	"spoor"
)

// webmail looks for the account behind a message that a program on this machine
// handed over by SMTP without a login: who had opened the sender's mailbox from
// here, as a webmail does for its user. Where the webmail has a log, that says.
func (j *Journal) webmail(f *flight, e *spoor.Event) {
	shared := f.identified && f.book.owner != nil && f.book.owner.Role == spoor.RoleWebServer
	if f.via != nil || !f.filtered && !shared || !f.client.IsLoopback() || f.domain == 0 || !j.serves(f.domain) || j.webmails.tells(f) {
		return
	}
	found, ok := j.mailboxes[f.senderHash]
	if ok && found.left > 0 && f.submitted.Sub(found.time) < webmailReach {
		found.left--
		j.mailboxes[f.senderHash] = found
		f.via, f.viaPlace, f.viaSure = j.account(e.Address), found.place, percent(sureLogins)
	}
}

const (
	// webmailReach is how long a webmail's session may last.
	webmailReach = 12 * time.Hour
	// perOpening is how many messages may follow when a mailbox was opened. Webmails open
	// it for each page; a script that writes the address of somebody whose mailbox is
	// open does not.
	perOpening = 4
)

// maxMailboxes bounds the mailboxes that are remembered as opened from here.
const maxMailboxes = 1 << 16

// access remembers the mailboxes that programs on this machine opened.
func (j *Journal) access(b *spoor.Block, e *spoor.Event) {
	client := parseClient(e.Client)
	if !client.IsLoopback() || len(e.Address) == 0 {
		return
	}
	if len(j.mailboxes) >= maxMailboxes {
		clear(j.mailboxes)
	}
	hash, _ := addressHash(e)
	j.mailboxes[hash] = opened{time: e.Time, place: b.Place(e), left: perOpening}
}

// opened is when a mailbox was opened from this machine.
type opened struct {
	time  spoor.Stamp
	place spoor.LogPlace
	left  int // messages that may be of whoever did
}

// invocation is a start of a command of the MTA.
type invocation struct {
	time   spoor.Stamp
	origin uint64
	place  spoor.LogPlace
	dir    string
	pid    int32
	open   int32 // commands whose message has not come, where no PID is logged
	unsure bool  // they were started in different folders
}

// invoke remembers in which folder a command of the MTA was started: the line
// about the message follows, with the same PID where that is logged. Where it is not,
// the next message is that command's only if no other was started elsewhere meanwhile.
func (j *Journal) invoke(b *spoor.Block, e *spoor.Event) {
	at := &j.invocations[uint32(e.PID)&(maxInvocations-1)]
	if e.PID < 0 && at.open > 0 && e.Time.Sub(at.time) <= invokedReach {
		at.unsure = at.unsure || at.origin != e.Origin || at.dir != string(e.Text)
		at.time, at.open = e.Time, at.open+1
		return
	}
	*at = invocation{time: e.Time, origin: e.Origin, place: b.Place(e), dir: string(e.Text), pid: e.PID, open: 1}
}

const (
	maxInvocations = 1 << 10 // by the low bits of the PID
	// invokedReach is how long a command may take for its message.
	invokedReach = 2 * second
)

// invoked takes the folder in which the command that queued a message was
// started.
func (j *Journal) invoked(f *flight, e *spoor.Event) {
	if len(e.Login) == 0 {
		return
	}
	at := &j.invocations[uint32(e.PID)&(maxInvocations-1)]
	if at.open == 0 || at.pid != e.PID {
		return
	}
	if !at.unsure && at.origin == e.Origin && e.Time.Sub(at.time) <= invokedReach {
		f.dir, f.login, f.opened = at.dir, at.place, at.time
	}
	at.open--
}

// inFolder blames the site in whose folder the web server's user called the MTA:
// all sites have that user.
func (j *Journal) inFolder(f *flight) {
	if f.dir == "" || f.book == nil || f.book.owner == nil || f.book.owner.Role != spoor.RoleWebServer {
		return
	}
	site := j.tracer.facts.SiteAt(f.dir)
	if site == "" {
		return
	}
	b := j.book(spoor.Source{Kind: spoor.KindSite, Name: site}, int(f.uid))
	if b.owner == nil {
		owner := *f.book.owner
		owner.Site = site
		b.owner = &owner
	}
	f.book, f.sure = b, percent(sureFolders)
}
