package trace

import (
	"net/netip"
	"time"

	"spoor"
)

// Patches of qmail-smtpd, and spamdyke, log who handed a message over, with the PID of
// the qmail-queue that took it: qmail-send logs the same PID. The two lines stand in
// two files, and come in either order.

const (
	maxReceipts  = 1 << 14 // by the low bits of the PID
	receiptReach = time.Hour
	sureReceipt  = 0.95 // less than the header, which no client writes into
	// doubtReach is how long after a failed login lines are not believed whose writer
	// logs names as they come.
	doubtReach = 20 * time.Millisecond
)

// receipt is a message that is known by the PID that queued it.
type receipt struct {
	time    spoor.Stamp
	sender  uint64
	client  netip.Addr
	account *book   // nil without a login
	flight  *flight // that waits for the line, or has it; nil once that is over
	place   spoor.LogPlace
	qp      int32
	told    bool // the line was met; else the flight is all there is
	taken   bool // by a flight
	usable  bool
	// inferred is true where the login is another session's of the same client, or
	// none is logged of the session.
	inferred bool
	front    bool // the server in front of the MTA took the login: the header does not tell it
}

func (r *receipt) agrees(other *receipt) bool {
	return r.client == other.client && r.account == other.account && r.usable == other.usable
}

// received books a line that tells who handed a message over.
func (j *Journal) received(b *spoor.Block, e *spoor.Event) {
	if j.receipts == nil {
		j.expectReceipts()
	}
	told := receipt{time: e.Time, client: parseClient(e.Client), place: b.Place(e), qp: e.PID, told: true, front: e.Key == 0}
	told.sender, _ = addressHash(e)
	told.usable = told.client.IsValid() && (!e.Exact || !j.inDoubt(e.Time))
	if len(e.Account) > 0 {
		told.account, told.inferred = j.provenLogin(e, told.client)
		told.usable = told.usable && (told.account != nil || told.inferred)
	} else if s := j.sessions.byPID[int32(e.Key)]; s != nil && s.account != nil && s.client == told.client && e.Time.Sub(s.active) <= loginReach {
		told.usable = false // long lines of several processes get mixed up
	}
	r := j.receiptOf(e.PID)
	age := e.Time.Sub(r.time)
	switch {
	case r.qp != e.PID || r.sender != told.sender:
	case r.told && age <= disorder && r.agrees(&told): // one for each recipient
		return
	case r.told && (age <= disorder || !r.taken && age <= receiptReach): // which of them is true nothing tells
		r.usable = false
		if r.flight != nil {
			j.withdraw(r.flight, r.client)
		}
		return
	case !r.told && age <= disorder:
		told.flight = r.flight
	}
	*r = told
	if r.flight != nil {
		j.deliver(r)
	}
}

func (j *Journal) receiptOf(qp int32) *receipt { return &j.receipts[qp&(maxReceipts-1)] }

// expectReceipts begins to wait for the lines: the first may be of a message that has
// come before it.
func (j *Journal) expectReceipts() {
	j.receipts = make([]receipt, maxReceipts)
	for _, f := range j.open.all() {
		if f.logged && !f.keyed && f.qp >= 0 && j.last.Sub(f.accepted) <= disorder && j.isServers(f.uid) {
			*j.receiptOf(f.qp) = receipt{time: f.accepted, sender: f.senderHash, qp: f.qp, flight: f}
		}
	}
}

// isServers reports whether qmail-smtpd may have the UID: where it checks the passwords
// of a mail system, it runs as its user.
func (j *Journal) isServers(uid int32) bool {
	switch j.tracer.facts.Via(int(uid)) {
	case spoor.ViaNetwork:
		return true
	case spoor.ViaUID:
		return j.user(uid).owner.Role == spoor.RoleMailSystem
	default:
		return false
	}
}

// awaitReceipt takes the line that tells of a message, or has the message wait for it.
func (j *Journal) awaitReceipt(f *flight) {
	r := j.receiptOf(f.qp)
	if r.qp == f.qp && r.told && !r.taken && r.sender == f.senderHash && f.accepted.Sub(r.time) <= receiptReach {
		r.flight = f
		j.deliver(r)
		return
	}
	*r = receipt{time: f.accepted, sender: f.senderHash, qp: f.qp, flight: f}
	f.awaits = true
}

// deliver gives a message what the line tells.
func (j *Journal) deliver(r *receipt) {
	f := r.flight
	r.taken = true
	if !r.usable {
		j.inferFrom(f, r.client)
		return
	}
	f.awaits, f.received, f.front = false, true, r.front
	j.exactReceipts = j.exactReceipts || r.qp == f.qp
	f.client, f.login, f.submitted, f.ambig = r.client, r.place, min(r.time, f.submitted), 0
	f.inferred, f.sure = r.inferred, percent(sureReceipt)
	if r.inferred {
		f.sure = percent(sureLogin)
	}
	if f.book = r.account; f.book == nil {
		f.book = j.networks.of(r.client)
	}
}

// withdraw takes back what two lines tell differently.
func (j *Journal) withdraw(f *flight, client netip.Addr) {
	f.received, f.front, f.inferred = false, false, false
	f.client, f.login, f.book, f.sure = netip.Addr{}, spoor.LogPlace{}, nil, 0
	j.inferFrom(f, client)
}

// inferFrom decides on a message of which a line tells too little: what it tells of the
// client must agree.
func (j *Journal) inferFrom(f *flight, client netip.Addr) {
	if j.infer(f); f.book == nil || f.book.owner == nil && f.client != client {
		f.book, f.sure, f.inferred, f.account = j.book(spoor.Source{Kind: spoor.KindUnknown}, -1), 0, true, nil
		f.client, f.login = netip.Addr{}, spoor.LogPlace{}
	}
}

// overrules reports whether the line tells more than a header without a login: the
// server in front of the MTA took it. No login of the client before counts against it.
func (f *flight) overrules(m *spoor.Message, r *ruling) bool {
	if f == nil || !f.received || len(m.Trail.Hops) == 0 || f.client != m.Trail.Entry().Client {
		return false
	}
	return r.login != nil || f.front && r.source.Kind == spoor.KindNetwork
}

// infer decides on a message without the line.
func (j *Journal) infer(f *flight) {
	f.awaits = false
	if f.book != nil {
		return
	}
	if r := j.wrappersReceipt(f); r != nil {
		r.flight, r.inferred = f, true
		j.deliver(r)
		return
	}
	if j.tracer.facts.Via(int(f.uid)) != spoor.ViaNetwork {
		f.book = j.user(f.uid)
		f.sure = percent(f.book.confidence)
		f.sourceFound()
		return
	}
	if j.attributeSession(f); f.book != nil {
		f.sourceFound()
	}
}

// wrappersReceipt finds the line that tells of a wrapper of qmail-queue, which has a PID
// of its own a little before: the only one of the sender that no message has. Where
// there is none, PIDs agree.
func (j *Journal) wrappersReceipt(f *flight) (found *receipt) {
	if own := j.receiptOf(f.qp); j.exactReceipts || own.qp == f.qp && own.told {
		return nil
	}
	for qp := f.qp - 1; qp >= max(0, f.qp-pidReach); qp-- {
		r := j.receiptOf(qp)
		if r.qp != qp || !r.told || r.taken || !r.usable || r.sender != f.senderHash || max(r.time.Sub(f.accepted), f.accepted.Sub(r.time)) > disorder {
			continue
		}
		if found != nil {
			return nil
		}
		found = r
	}
	return found
}

// mayBeReceived reports whether a message that has left may get another source.
func (j *Journal) mayBeReceived(f *flight, now spoor.Stamp) bool {
	return (f.awaits || f.received) && now.Sub(f.accepted) <= disorder
}

// ended is a message that has left the queue, and may be told of yet.
type ended struct {
	flight *flight
	at     spoor.Stamp
}

// settleEnded sums up what waits no longer.
func (j *Journal) settleEnded(now spoor.Stamp) {
	n := 0
	for ; n < len(j.ended) && now.Sub(j.ended[n].at) > disorder; n++ {
		j.settle(j.ended[n].flight)
		j.forget(j.ended[n].flight)
	}
	if n > 0 {
		j.ended = append(j.ended[:0], j.ended[n:]...)
	}
}

// closeReceipt forgets who waits.
func (j *Journal) closeReceipt(f *flight) {
	if r := j.receiptOf(f.qp); r.flight == f {
		r.flight = nil
	}
}

// provenLogin returns the account that a session is said to have. Servers log the name
// that was tried last, whether it was let in or not: another line must tell that it
// was. inferred is true where that line names the client alone; and without an account,
// where the log tells of the connection and of no login, as it does of others.
func (j *Journal) provenLogin(e *spoor.Event, client netip.Addr) (account *book, inferred bool) {
	if e.Key == 0 {
		return j.account(e.Account), false
	}
	account = j.accounts[string(e.Account)]
	if account == nil {
		account = j.books[spoor.Source{Kind: spoor.KindAccount, Name: j.tracer.accountName(string(e.Account))}]
	}
	s := j.sessions.byPID[int32(e.Key)]
	without := s != nil && !s.bare && !s.unsure && s.account == nil && s.client == client && j.loginsByPID
	if account == nil {
		return nil, without
	}
	if s != nil && s.account == account && (!s.client.IsValid() || s.client == client) && e.Time.Sub(s.active) <= loginReach {
		s.active, s.client = e.Time, client
		return account, false
	}
	if l := j.logins[client]; l != nil {
		for i := range l.list {
			if l.list[i].account == account && e.Time.Sub(l.list[i].time) <= loginReach {
				return account, true
			}
		}
	}
	return nil, without
}

// loginOfProcess notes the login of a process that serves one connection, and reports
// whether the line was one of such.
func (j *Journal) loginOfProcess(client netip.Addr, b *spoor.Block, e *spoor.Event) bool {
	s := j.sessions.byPID[e.PID]
	switch {
	case e.PID < 0, s == nil && len(e.Client) > 0, s != nil && client.IsValid() && s.client != client:
		return false
	case s == nil, s.account != nil && e.Time.Sub(s.active) > loginReach: // no line told of the connection
		s = &session{opened: e.Time, pid: e.PID, bare: true}
		if len(j.sessions.byPID) >= maxByPID {
			clear(j.sessions.byPID)
		}
		j.sessions.byPID[e.PID] = s
	}
	j.loginsByPID = true
	s.account, s.place, s.active = j.account(e.Address), b.Place(e), e.Time
	s.account.loggedIn(s.client, s.place)
	j.rememberLogin(s.client, s.account, b, e)
	return true
}

// inDoubt reports whether a line may be the words of a client whose login has failed.
func (j *Journal) inDoubt(at spoor.Stamp) bool {
	age := at.Sub(j.doubted)
	return -doubtReach <= age && age <= doubtReach
}
