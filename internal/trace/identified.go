package trace

import (
	"net/netip"
	"time"

	"spoor"
)

// How sure the line makes that names the owner of a connection of this machine.
const (
	sureIdentified = 0.97 // by the port of the connection
	sureSession    = 0.95 // by the process that served it
	sureMoment     = 0.8  // by time alone
)

const (
	maxIdentified   = 1 << 12 // by the low bits of the port
	identifiedReach = 10 * time.Minute
	momentReach     = 5 * second
	maxMoments      = 64 // connections that are remembered by time
)

// identity is the owner of a connection from this machine, as the MTA logged it.
type identity struct {
	time   spoor.Stamp
	origin uint64
	place  spoor.LogPlace
	client netip.Addr
	login  string
	uid    int32
	pid    int32
	port   uint16
}

// identify remembers whose connection it is: the line about the message follows.
func (j *Journal) identify(b *spoor.Block, e *spoor.Event) {
	one := identity{time: e.Time, origin: e.Origin, place: b.Place(e), client: parseClient(e.Client), login: string(e.Login), uid: e.UID, pid: e.PID, port: e.Port}
	if j.identities == nil {
		j.identities = make([]identity, maxIdentified)
	}
	j.identities[e.Port&(maxIdentified-1)] = one
	if last := &j.moments[(j.moment+maxMoments-1)%maxMoments]; one.pid < 0 && last.pid < 0 && last.isOf(&one) {
		*last = one // or who waits would be forgotten for many of one owner
		return
	}
	j.moments[j.moment%maxMoments] = one
	j.moment++
}

// isOf reports whether two connections are one owner's, and of one client's address.
func (o *identity) isOf(other *identity) bool {
	return o.uid == other.uid && o.login == other.login && o.client == other.client && o.origin == other.origin
}

// identified gives a message that a program of this machine handed over by SMTP
// without a login to the user whose program that was. What the two lines share
// decides: the port of the client, else the process, else no more than the time, and
// then only if all connections that may be open were one user's.
func (j *Journal) identified(f *flight, e *spoor.Event) {
	if j.moment == 0 || !f.filtered || len(e.Account) > 0 || !f.client.IsValid() {
		return
	}
	owner, sure := j.ownerOf(f.client, e)
	if owner == nil {
		return
	}
	client, clientSure := f.book, f.sure
	f.filtered = false
	if owner.uid >= 0 {
		j.fromUser(f, owner.uid)
	} else {
		j.fromLogin(f, []byte(owner.login))
	}
	if f.filtered { // a user of the mail system, or the MTA's own
		f.book, f.sure, f.uid = client, clientSure, e.UID
		return
	}
	f.identified, f.inferred, f.login, f.sure = true, sure == sureMoment, owner.place, min(f.sure, percent(sure))
}

// ownerOf finds the connection that a message came by.
func (j *Journal) ownerOf(client netip.Addr, e *spoor.Event) (owner *identity, sure float64) {
	if e.Port != 0 {
		one := &j.identities[e.Port&(maxIdentified-1)]
		if one.port == e.Port && (e.PID < 0 || one.pid < 0 || one.pid == e.PID) && one.goesWith(client, e, identifiedReach) {
			one.time = e.Time // it goes on
			return one, sureIdentified
		}
		return nil, 0
	}
	for i := range uint(maxMoments) { // from the newest
		one := &j.moments[(j.moment+maxMoments-1-i)%maxMoments]
		switch {
		case e.PID >= 0 && one.pid >= 0:
			if one.pid == e.PID && one.goesWith(client, e, identifiedReach) {
				one.time = e.Time
				return one, sureSession
			}
		case !one.goesWith(client, e, identifiedReach):
		case owner == nil && one.goesWith(client, e, momentReach):
			owner, sure = one, sureMoment
		case owner == nil || !owner.isOf(one): // a client may wait with its message
			return nil, 0
		}
	}
	return owner, sure
}

// goesWith reports whether a connection may be that of a message.
func (o *identity) goesWith(client netip.Addr, e *spoor.Event, reach time.Duration) bool {
	age := e.Time.Sub(o.time)
	return o.time != 0 && o.origin == e.Origin && o.client == client && -second <= age && age <= reach
}

// identifiedLater gives a message the user whom the MTA names when it is routed. Of
// mail from elsewhere, and of a login's, that line tells nothing more; a user of the
// mail system hands over what others wrote.
func (j *Journal) identifiedLater(b *spoor.Block, e *spoor.Event) {
	f := j.open.get(j.messageKey(e))
	if f == nil || f.goesOn || !f.filtered || !f.client.IsLoopback() || f.book == nil || f.book.source.Kind != spoor.KindNetwork || e.Time.Sub(f.submitted) > longestData {
		return
	}
	client, sure, uid := f.book, f.sure, f.uid
	f.filtered = false
	if j.fromLogin(f, e.Login); f.filtered {
		f.book, f.sure, f.uid = client, sure, uid
		return
	}
	f.identified, f.login, f.sure = true, b.Place(e), min(f.sure, percent(sureIdentified))
	if f.book.owner == nil || f.book.owner.Role != spoor.RoleWebServer { // whose webmail it may be
		f.via = nil
	}
}
