package trace

import (
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"spoor"
)

// On Plesk's qmail, lines about logins and lines about messages share no key.
// Which session a message came from is inferred: from the order of lines, the
// time between them, and the sender. How long after its start a session hands
// over a message is learned from the log itself.

// session is one SMTP connection as the log shows it.
type session struct {
	client  netip.Addr
	account *book // nil before a login
	name    uint64
	domain  uint32 // of the account
	opened  spoor.Stamp
	active  spoor.Stamp // of its last message, or of its login, or opened
	place   spoor.LogPlace
	pid     int32
	sent    int32
	told    bool // a second line told of the connection
	unsure  bool // a line told more that may not be the server's
	bare    bool // none did, only of its login: there may be others whose PIDs nothing tells
}

// sessions are those that may still send.
type sessions struct {
	fresh   []*session // that have not sent, in the order of opening
	used    []*session // that have, in no order
	byPID   map[int32]*session
	hazards [4]hazard // fresh relay, fresh login, used relay, used login
	traits  [2]traits // relay, login
	order   order
	free    []*session
	rivals  []rival  // of the message at hand
	oldest  *session // of the rivals that have not sent
}

const (
	sessionLife  = 10 * time.Minute
	maxFresh     = 256
	maxUsed      = 24
	maxByPID     = 1 << 16
	sureInferred = 0.9 // the most that time and order can prove
)

func (s *sessions) init() {
	s.byPID = map[int32]*session{}
	for i := range s.hazards {
		s.hazards[i].init(i >= 2)
	}
	for i := range s.traits {
		s.traits[i].weigh(&prior[i], &priorChannel[i])
	}
	s.order = order{kept: 3, broken: 2}
}

// kind is the row of a session in sessions.hazards.
func (s *session) kind() int {
	k := 0
	if s.account != nil {
		k++
	}
	if s.sent > 0 {
		k += 2
	}
	return k
}

// session books a line about an SMTP connection.
func (j *Journal) session(b *spoor.Block, e *spoor.Event) {
	if e.Kind == spoor.EventDisconnect {
		return // its messages may be logged later
	}
	if e.PID >= 0 && e.Exact && j.inDoubt(e.Time) {
		if s := j.sessions.byPID[e.PID]; s != nil {
			s.unsure = true
		}
		return
	}
	client := parseClient(e.Client)
	switch e.Kind {
	case spoor.EventConnect:
		if s := j.sessions.sameConnection(client, e); s == nil {
			j.sessions.open(client, b, e)
		}
	case spoor.EventLoginFailed:
		if e.Key != 0 && j.isTwin(e.Key) {
			return
		}
		if len(e.Text) > 0 {
			j.doubted = e.Time
		}
		if len(e.Text) > 0 && len(e.Address) == 0 {
			return
		}
		j.failLogin(e)
		j.sessions.dropConnect(client, e)
	case spoor.EventLogin:
		if !j.loginOfProcess(client, b, e) {
			j.login(client, b, e)
		}
	default:
	}
}

// sameConnection finds the session that another line of the same connection has
// opened: relaylock and smtp_auth both tell of it.
func (s *sessions) sameConnection(client netip.Addr, e *spoor.Event) *session {
	if e.PID >= 0 {
		return nil
	}
	for i := len(s.fresh) - 1; i >= 0; i-- {
		one := s.fresh[i]
		if e.Time.Sub(one.opened) > 2*second {
			return nil
		}
		if one.client == client && one.account == nil && !one.told {
			one.told = true
			return one
		}
	}
	return nil
}

// open starts a session.
func (s *sessions) open(client netip.Addr, b *spoor.Block, e *spoor.Event) *session {
	one := s.take()
	*one = session{client: client, opened: e.Time, active: e.Time, place: b.Place(e), pid: -1}
	if e.PID >= 0 && e.Kind == spoor.EventConnect {
		if len(s.byPID) >= maxByPID {
			clear(s.byPID)
		}
		one.pid = e.PID
		s.byPID[e.PID] = one
		return one
	}
	s.fresh = append(s.fresh, one)
	if len(s.fresh) >= 2*maxFresh {
		s.expire(e.Time)
	}
	return one
}

// take returns a session that nobody else has.
func (s *sessions) take() *session {
	if n := len(s.free); n > 0 {
		one := s.free[n-1]
		s.free = s.free[:n-1]
		return one
	}
	return &session{}
}

// expire forgets the sessions that are too old to send, and learns from them
// that they did not.
func (s *sessions) expire(now spoor.Stamp) {
	keep := s.fresh[:0]
	drop := len(s.fresh) - maxFresh
	for i, one := range s.fresh {
		if i < drop || now.Sub(one.active) > sessionLife {
			s.hazards[one.kind()].survived(min(now.Sub(one.active), sessionLife))
			s.free = append(s.free, one)
			continue
		}
		keep = append(keep, one)
	}
	clear(s.fresh[len(keep):])
	s.fresh = keep
}

// dropConnect closes a session whose login failed, if nothing but smtp_auth's
// own line told of it: the client may try again, and then logs in anew.
func (s *sessions) dropConnect(client netip.Addr, e *spoor.Event) {
	if at := s.unnamed(client, e.Time); at >= 0 {
		s.free = append(s.free, s.fresh[at])
		s.fresh = slices.Delete(s.fresh, at, at+1)
	}
}

// unnamed finds the newest connection of a client that has not logged in.
func (s *sessions) unnamed(client netip.Addr, now spoor.Stamp) int {
	for i := len(s.fresh) - 1; i >= 0 && now.Sub(s.fresh[i].opened) < sessionLife; i-- {
		if one := s.fresh[i]; one.client == client && one.account == nil {
			return i
		}
	}
	return -1
}

// sentOne moves a session to those that have sent, in place of the one that has
// been silent for longest.
func (s *sessions) sentOne(one *session) {
	one.sent++
	if one.sent > 1 {
		return
	}
	if at := slices.Index(s.fresh, one); at >= 0 {
		s.fresh = slices.Delete(s.fresh, at, at+1)
	}
	if len(s.used) < maxUsed {
		s.used = append(s.used, one)
		return
	}
	silent := 0
	for i := range s.used {
		if s.used[i].active < s.used[silent].active {
			silent = i
		}
	}
	oldest := s.used[silent]
	s.hazards[oldest.kind()].survived(max(0, one.active.Sub(oldest.active)))
	s.free = append(s.free, oldest)
	s.used[silent] = one
}

// login gives a session its account.
func (j *Journal) login(client netip.Addr, b *spoor.Block, e *spoor.Event) {
	account := j.account(e.Address)
	account.loggedIn(client, b.Place(e))
	j.rememberLogin(client, account, b, e)
	var one *session
	if at := j.sessions.unnamed(client, e.Time); at >= 0 {
		one = j.sessions.fresh[at]
	} else {
		one = j.sessions.open(client, b, e)
	}
	one.account, one.place, one.active = account, b.Place(e), e.Time
	name := []byte(account.source.Name)
	whole, domain := spoor.AddressHash(name)
	one.name = whole
	if domain != 0 {
		one.domain = j.domains.number(domain, name)
	}
}

// isTwin reports whether a line that is written twice is the second one. Whoever tries
// again in the same second gets two more.
func (j *Journal) isTwin(key uint64) bool {
	first := &j.twins[key&(maxTwins-1)]
	if *first == key {
		*first = 0
		return true
	}
	*first = key
	return false
}

// maxTwins bounds the lines that wait for their second, by the low bits of the key.
const maxTwins = 1 << 6

// failLogin counts a failed login. Attackers make up names without end, so only
// so many are told apart, and none that is no account.
func (j *Journal) failLogin(e *spoor.Event) {
	if len(e.Address) > longestAddress {
		return
	}
	n := max(1, int(e.Repeat))
	if count, ok := j.failed[string(e.Address)]; ok {
		j.failed[string(e.Address)] = count + n
		return
	}
	name := j.tracer.accountName(string(e.Address))
	if _, ok := j.failed[name]; ok || len(j.failed) < maxFailed {
		j.failed[name] += n
	}
}

// maxFailed bounds the names of failed logins.
const maxFailed = 1 << 16

// attributeSession joins a message that came by SMTP to the session it most
// likely came from. Where nothing tells yet whether it goes out, that waits for
// its first delivery: what comes from outside is for users here.
func (j *Journal) attributeSession(f *flight) {
	v, found := j.takeEnvelope(f)
	if found {
		f.submitted = v.time
	}
	if j.receipts == nil { // else a line tells that is lost: many processes between have taken PIDs
		if one := j.sessionByPID(f); one != nil {
			j.join(f, one, sureInferred)
			return
		}
	}
	if v.addressed {
		j.resolve(f, mail{flight: f, name: f.senderHash, addressed: true, remote: v.remote})
	}
}

// resolve looks for the session of a message.
func (j *Journal) resolve(f *flight, m mail) {
	best, share, rivals := j.sessions.choose(&m)
	f.ambig = uint8(min(rivals, math.MaxUint8))
	if best == nil {
		f.book = j.book(spoor.Source{Kind: spoor.KindUnknown}, -1)
		f.inferred = true
	} else {
		j.sessions.learn(best, &m, share)
		j.join(f, best, sureInferred*share)
	}
	f.sourceFound()
}

// sourceFound books the sender of a message that has waited for its source.
func (f *flight) sourceFound() {
	if f.waits && !f.goesOn { // else it counts as what it was before
		f.book.sender(f, f.pending)
	}
	f.waits = false
}

// sessionByPID finds the connection whose process is the parent of qmail-queue:
// tcpserver tells its number. Programs in between take some.
func (j *Journal) sessionByPID(f *flight) *session {
	for d := int32(1); d <= pidReach; d++ {
		if s, ok := j.sessions.byPID[f.qp-d]; ok && !s.bare && s.opened <= f.submitted {
			return s
		}
	}
	return nil
}

func (j *Journal) join(f *flight, s *session, sure float64) {
	if s.pid < 0 {
		j.sessions.sentOne(s)
	}
	s.active = f.submitted
	f.client, f.account, f.opened, f.login, f.inferred = s.client, s.account, s.opened, s.place, true
	f.sure = uint8(100*sure + 0.5)
	if s.account != nil {
		f.book = s.account
		return
	}
	if !s.client.IsValid() {
		f.book = j.book(spoor.Source{Kind: spoor.KindUnknown}, -1)
		return
	}
	f.book = j.networks.of(s.client)
}

// mail is what is known of a message when its session is looked for.
type mail struct {
	*flight
	name      uint64 // hash of the sender, as logged
	addressed bool   // remote is known
	remote    bool
}

// rival is a session that a message could have come from.
type rival struct {
	*session
	hazard float64
	rate   float64
}

// choose returns the session that a message most likely came from, the
// probability of that among all that are open, and how many of these are not
// far less likely.
func (s *sessions) choose(m *mail) (best *session, share float64, rivals int) {
	s.rivals = s.rivals[:0]
	hottest, named := s.weigh(s.fresh, m)
	if !named {
		s.weigh(s.used, m)
	}
	s.oldest = nil
	var top, sum float64
	for i := range s.rivals {
		r := &s.rivals[i]
		if s.oldest == nil && r.sent == 0 && r.hazard >= hottest/100 {
			s.oldest = r.session // servers take turns
			r.rate *= s.order.odds()
		}
		sum += r.rate
		if r.rate > top {
			best, top = r.session, r.rate
		}
	}
	for i := range s.rivals {
		if s.rivals[i].rate > top/10 {
			rivals++
		}
	}
	if best == nil {
		return nil, 0, 0
	}
	return best, top / sum, rivals
}

// weigh adds sessions to the rivals. It returns the highest hazard among them,
// and whether one that is likely to send has the sender's own account: then no
// other needs to be looked at.
func (s *sessions) weigh(list []*session, m *mail) (hottest float64, named bool) {
	own := 0.0
	for _, one := range list {
		age := m.submitted.Sub(one.active)
		if age < -second || age > sessionLife {
			continue
		}
		h := s.hazards[one.kind()].rate(max(age, 0))
		hottest = max(hottest, h)
		if one.account != nil && one.name == m.name {
			own = max(own, h)
		}
		s.rivals = append(s.rivals, rival{one, h, h * s.traits[loggedIn(one)].likelihood(one, m)})
	}
	return hottest, own > 0 && own >= hottest/10
}

// order counts how often the sessions that are known by their sender sent in the
// order in which they were opened.
type order struct{ kept, broken float64 }

func (o *order) odds() float64 { return o.kept / o.broken }

func loggedIn(s *session) int {
	if s.account != nil {
		return 1
	}
	return 0
}

// learn takes note of a choice. To learn from clear cases only would teach that
// mail without a clear sign is rare.
func (s *sessions) learn(best *session, m *mail, share float64) {
	if share > 0.8 && best.sent == 0 && best.account != nil && best.name == m.name && s.severalFresh() {
		if best == s.oldest {
			s.order.kept++
		} else {
			s.order.broken++
		}
	}
	s.hazards[best.kind()].events[ageClass(max(m.submitted.Sub(best.active), 0))]++
	s.traits[loggedIn(best)].learn(best, m)
	s.traits[loggedIn(best)].weigh(&prior[loggedIn(best)], &priorChannel[loggedIn(best)])
	s.hazards[best.kind()].survived(max(m.submitted.Sub(best.active), 0))
}

// severalFresh reports whether the order of sessions could have been broken: two
// of them had not sent, and were likely to.
func (s *sessions) severalFresh() bool {
	hottest, n := 0.0, 0
	for i := range s.rivals {
		if s.rivals[i].sent == 0 {
			hottest = max(hottest, s.rivals[i].hazard)
		}
	}
	for i := range s.rivals {
		if s.rivals[i].sent == 0 && s.rivals[i].hazard >= hottest/100 {
			n++
		}
	}
	return n > 1
}

// hazard tells how often sessions of one kind send, by the time since they were
// last heard of.
type hazard struct {
	events  [ageClasses]float64
	exposed [ageClasses]float64 // seconds that sessions have spent in the class
}

// ageClasses are two for each doubling of the age, from 1 ms to 10 minutes.
const ageClasses = 42

func ageClass(age time.Duration) int {
	ms := uint64(age / time.Millisecond)
	if ms == 0 {
		return 0
	}
	octave := bits.Len64(ms) - 1
	half := 0
	if octave > 0 && ms>>(octave-1)&1 == 1 {
		half = 1
	}
	return min(1+2*octave+half, ageClasses-1)
}

// classStart is the age at which a class begins, in seconds.
func classStart(class int) float64 {
	if class == 0 {
		return 0
	}
	octave, half := (class-1)/2, (class-1)%2
	return float64(uint64(1)<<octave) * (1 + 0.5*float64(half)) / 1000
}

// init starts with what is usual: a session hands over its first message within
// a few seconds; few send more than one.
func (h *hazard) init(used bool) {
	for class := range ageClasses {
		start, end := classStart(class), classStart(class+1)
		share := 1 / float64(ageClasses)
		if used {
			share /= 4
		}
		h.events[class] = share
		h.exposed[class] = (end - start) * (1 - float64(class)/(2*ageClasses))
	}
}

func (h *hazard) rate(age time.Duration) float64 {
	class := ageClass(age)
	return h.events[class] / h.exposed[class]
}

// survived notes that a session was silent up to an age.
func (h *hazard) survived(age time.Duration) {
	last := ageClass(age)
	for class := range last {
		h.exposed[class] += classStart(class+1) - classStart(class)
	}
	h.exposed[last] += max(0, age.Seconds()-classStart(last))
}

// traits are how the mail of sessions with or without a login usually looks.
type traits struct {
	relation, byRelation [4]float64
	channel, byChannel   [2]float64
}

// relationOf tells how the sender relates to the session.
func relationOf(s *session, m *mail) int {
	switch {
	case s.account != nil && s.name == m.name:
		return 0
	case s.account != nil && s.domain == m.domain && m.domain != 0:
		return 1
	case !m.foreign && !m.nullSender:
		return 2
	}
	return 3
}

// prior is how the mail of sessions looks before any was seen: who logs in
// writes under that name or domain.
var prior = [2][4]float64{{0, 0, 1, 3}, {8, 3, 1, 2}}

// priorChannel is the same for local and remote recipients: most of what comes
// without a login is for users here.
var priorChannel = [2][2]float64{{3, 1}, {1, 2}}

// likelihood is how well a message goes with a session.
func (t *traits) likelihood(s *session, m *mail) float64 {
	likelihood := t.ofAccount(s, relationOf(s, m))
	if m.addressed {
		likelihood *= t.byChannel[channelOf(m)]
	}
	return likelihood
}

// habit is how many messages an account must have sent for its own habits to
// count as much as those of all.
const habit = 4

// ofAccount is the share of mail with such a sender: of all sessions of the kind,
// and of the account itself, as far as it has sent. Few accounts ever write under
// a stranger's address; one that was stolen does so all the time.
func (t *traits) ofAccount(s *session, relation int) float64 {
	share := t.byRelation[relation]
	if s.account == nil {
		return share
	}
	own := s.account.relations()
	share = (float64(own[relation]) + habit*share) / (float64(own[0]+own[1]+own[2]+own[3]) + habit)
	if relation == 0 {
		share *= ownSender
	}
	return share
}

// ownSender is how much more a sender tells that is the account's own address:
// of all senders it is this one's.
const ownSender = 50

// weigh works out the shares of what was seen so far.
func (t *traits) weigh(p *[4]float64, usual *[2]float64) {
	total := 0.0
	for i := range p {
		total += t.relation[i] + p[i]
	}
	for i := range p {
		t.byRelation[i] = (t.relation[i] + p[i]) / total
	}
	for i := range t.channel {
		t.byChannel[i] = (t.channel[i] + usual[i]) / (t.channel[0] + t.channel[1] + usual[0] + usual[1])
	}
}

func channelOf(m *mail) int {
	if m.remote {
		return 1
	}
	return 0
}

func (t *traits) learn(s *session, m *mail) {
	relation := relationOf(s, m)
	t.relation[relation]++
	if s.account != nil {
		s.account.relations()[relation]++
	}
	if m.addressed {
		t.channel[channelOf(m)]++
	}
}

// logins are the last logins from one address.
type logins struct {
	list []login // oldest first
}

type login struct {
	time    spoor.Stamp
	account *book
	place   spoor.LogPlace
}

const (
	maxLoginsOfClient = 64
	maxLoginClients   = 1 << 18
)

// rememberLogin keeps the logins by address: a queued message has its client's
// address, and the pair of address and time is a better key than order.
func (j *Journal) rememberLogin(client netip.Addr, account *book, b *spoor.Block, e *spoor.Event) {
	l, ok := j.logins[client]
	if !ok {
		if len(j.logins) >= maxLoginClients || !client.IsValid() {
			return
		}
		l = &logins{}
		j.logins[client] = l
	}
	if len(l.list) == maxLoginsOfClient {
		copy(l.list, l.list[1:])
		l.list = l.list[:maxLoginsOfClient-1]
	}
	l.list = append(l.list, login{time: e.Time, account: account, place: b.Place(e)})
}

// loginBefore finds who had logged in from an address before a message came.
// sole is false if several accounts did within loginReach.
func (j *Journal) loginBefore(client netip.Addr, at spoor.Stamp) (found login, sole bool) {
	if j == nil {
		return login{}, false
	}
	l, ok := j.logins[client]
	if !ok {
		return login{}, false
	}
	sole = true
	for i := len(l.list) - 1; i >= 0; i-- {
		one := l.list[i]
		age := at.Sub(one.time)
		if age < -2*second { // headers have whole seconds
			continue
		}
		if age > loginReach {
			break
		}
		if found.account == nil {
			found = one
		} else if one.account != found.account {
			sole = false
		}
	}
	return found, sole && found.account != nil
}

// loginReach is how long after a login a message may still be of its session.
const loginReach = 30 * time.Minute
