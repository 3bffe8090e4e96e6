package postfix

import (
	"bytes"

	"spoor"
	"spoor/internal/mta"
)

// Parser reads the log of a Postfix server: every daemon and command of Postfix
// under whatever syslog_name, and the mailbox servers and filters beside it. It
// implements mta.Parser.
//
// What it returns aliases the line.
type Parser struct {
	programs map[string]program
	answers  *mta.Classifier
	host     []byte // of the line before
	hostHash uint64
}

// NewParser returns a parser.
func NewParser() *Parser {
	return &Parser{programs: map[string]program{}, answers: mta.NewClassifier()}
}

// program is what a tag says.
type program struct {
	daemon   daemon
	instance uint64 // hash of syslog_name; 0 for "postfix"
}

// daemon is the part of Postfix that wrote a line.
type daemon uint8

const (
	notPostfix daemon = iota
	daemonSMTPD
	daemonPickup
	daemonCleanup
	daemonQmgr
	daemonDelivery
	daemonLocal // delivery into mailboxes
	daemonBounce
	daemonPostsuper
	daemonPostscreen
	daemonOther
	daemonCommand // sendmail(1), postdrop(1) and their like
)

// daemons are named by their programs (master(5)). relay and retry are services
// that run smtp and error under a name of their own.
var daemons = map[string]daemon{
	"smtpd": daemonSMTPD, "qmqpd": daemonSMTPD,
	"pickup": daemonPickup, "cleanup": daemonCleanup,
	"qmgr": daemonQmgr, "nqmgr": daemonQmgr, "oqmgr": daemonQmgr,
	"smtp": daemonDelivery, "relay": daemonDelivery, "error": daemonDelivery, "retry": daemonDelivery, "discard": daemonDelivery,
	"lmtp": daemonLocal, "local": daemonLocal, "virtual": daemonLocal, "pipe": daemonLocal,
	"bounce": daemonBounce, "defer": daemonBounce, "trace": daemonBounce,
	"postsuper": daemonPostsuper, "postscreen": daemonPostscreen,
	"anvil": daemonOther, "master": daemonOther, "scache": daemonOther, "tlsmgr": daemonOther, "trivial-rewrite": daemonOther,
	"proxymap": daemonOther, "proxywrite": daemonOther, "flush": daemonOther, "showq": daemonOther, "dnsblog": daemonOther, "tlsproxy": daemonOther,
	"verify": daemonOther, "spawn": daemonOther, "postlogd": daemonOther, "postlog": daemonOther, "postfix-script": daemonOther, "policy-spf": daemonOther,
	"postfix": daemonOther, "postmulti": daemonOther, "postmap": daemonOther, "postalias": daemonOther, "postqueue": daemonCommand, "postcat": daemonOther,
	"postkick": daemonOther, "postconf": daemonOther, "sendmail": daemonCommand, "postdrop": daemonCommand,
}

// Reset forgets the line before.
func (p *Parser) Reset() {}

// Parse implements mta.Parser. The program decides first.
func (p *Parser) Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	e.PID, e.UID = -1, -1
	known, ok := p.programs[string(l.Program)] // no allocation
	if !ok {
		known = programOf(l.Program)
		if len(p.programs) < maxPrograms {
			p.programs[string(l.Program)] = known
		}
	}
	if known.daemon == notPostfix {
		return p.others(l, e)
	}
	e.Time, e.PID = l.Time, int32(l.PID)
	if !bytes.Equal(l.Host, p.host) {
		p.host = append(p.host[:0], l.Host...)
		p.hostHash = spoor.IDHash(l.Host)
	}
	e.Origin = p.hostHash ^ known.instance
	b := l.Body
	switch known.daemon {
	case daemonDelivery, daemonLocal:
		return p.delivery(b, known.daemon, e)
	case daemonSMTPD:
		return smtpd(b, e)
	case daemonQmgr:
		return p.qmgr(b, e)
	case daemonCleanup:
		return cleanup(b, e)
	case daemonPickup:
		return pickup(b, e)
	case daemonBounce:
		return bounce(b, e)
	case daemonPostsuper:
		return postsuper(b, e)
	default:
		return remark(b, e)
	}
}

// maxPrograms bounds the tags that are remembered.
const maxPrograms = 1 << 12

// programOf reads a tag: syslog_name, maybe the name of a service, and the
// daemon, with slashes between. A daemon's name alone may be another program's.
func programOf(tag []byte) program {
	slash := bytes.LastIndexByte(tag, '/')
	d, ok := daemons[string(tag[slash+1:])]
	if !ok || slash < 0 && d != daemonOther || slash == 0 || tag[0] == '/' {
		return program{}
	}
	instance, _, _ := bytes.Cut(tag, []byte{'/'})
	p := program{daemon: d}
	if string(instance) != "postfix" && d != daemonOther && !isService(instance) {
		p.instance = spoor.IDHash(instance)
	}
	return p
}

// isService knows services that are named without "postfix/" before them, in the
// queue of the first instance.
func isService(name []byte) bool {
	switch string(name) {
	case "submission", "smtps", "submissions", "smtp", "relay", "amavis":
		return true
	}
	return false
}

// others are the programs beside Postfix.
func (p *Parser) others(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	program := l.Program
	if slash := bytes.LastIndexByte(program, '/'); slash >= 0 {
		program = program[slash+1:]
	}
	e.Time = l.Time
	if sort, ok := mta.ParseLogin(l, program, e); ok {
		return sort
	}
	return mta.ParseFilter(l, program, e)
}

// cutID takes a queue ID and ": " off the start.
func cutID(b []byte) (id, rest []byte, ok bool) {
	i := 0
	for i < len(b) && isAlnum(b[i]) {
		i++
	}
	if i < minID || i > maxID || len(b) < i+2 || b[i] != ':' || b[i+1] != ' ' {
		return nil, b, false
	}
	return b[:i], b[i+2:], true
}

// minID is the shortest queue ID: five digits and an inode.
const minID = 6

const noQueue = "NOQUEUE"

func setID(e *spoor.Event, id []byte) { e.ID, e.Key = id, spoor.IDHash(id) }

func cut(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return b, false
	}
	return b[len(prefix):], true
}

// delivery reads the end of an attempt. The recipient and the answer are of
// others' choice: status is what follows dsn, and the answer comes last.
//
//	4C30BC0100: to=<eva@bigmail.test>, orig_to=<x@shop.test>, relay=127.0.0.1[127.0.0.1]:2525, conn_use=2, delay=0.02, delays=0/0.01/0/0.01, dsn=4.2.1, status=deferred (host … said: 450 …)
func (p *Parser) delivery(b []byte, d daemon, e *spoor.Event) spoor.LineSort {
	id, rest, ok := cutID(b)
	if !ok {
		return remark(b, e)
	}
	to, ok := cut(rest, "to=")
	if !ok {
		return note(rest)
	}
	address, rest, ok := cutAddress(to)
	if !ok {
		return spoor.LineUnknown
	}
	if orig, found := cut(rest, "orig_to="); found {
		if e.Parent, rest, ok = cutAddress(orig); !ok {
			return spoor.LineUnknown
		}
	}
	relay, found := cut(rest, "relay=")
	if !found {
		return spoor.LineUnknown
	}
	end := bytes.Index(relay, []byte(", status="))
	if dsn := bytes.Index(relay, []byte(", dsn=")); dsn >= 0 && dsn < end {
		if after := bytes.Index(relay[dsn:], []byte(", status=")); after >= 0 {
			end = dsn + after
		}
	}
	if end < 0 {
		return spoor.LineUnknown
	}
	word, text, _ := bytes.Cut(relay[end+len(", status="):], []byte(" ("))
	text = bytes.TrimSuffix(text, []byte{')'})
	if comma := bytes.IndexByte(relay, ','); comma >= 0 {
		relay = relay[:comma]
	}
	setID(e, id)
	e.Address, e.Text = address, text
	e.Hash, e.Domain = spoor.AddressHash(address)
	e.Channel = spoor.ChannelRemote
	if d == daemonLocal {
		e.Channel = spoor.ChannelLocal
	}
	return p.status(word, relay, d, e)
}

func (p *Parser) status(word, relay []byte, d daemon, e *spoor.Event) spoor.LineSort {
	switch string(word) {
	case "sent":
		e.Kind = spoor.EventDelivered
		e.Related = successor(relay, e.Text, d)
		return spoor.LineEvent
	case "deferred", "SOFTBOUNCE":
		e.Kind = spoor.EventDeferred
	case "bounced", "expired":
		e.Kind = spoor.EventFailed
	case "deliverable", "undeliverable", "undeliverable-but-not-cached", "filtered":
		return spoor.LineKnown
	default:
		return spoor.LineUnknown
	}
	e.Answer, e.Shape = p.answers.Classify(e.Text)
	return spoor.LineEvent
}

// cutAddress takes an address and what separates it off: <a@b.test>, or without
// brackets, as old versions and verify(8) write it. A quoted local part may hold
// ">, ", but no field follows it there.
func cutAddress(b []byte) (address, rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, b, false
	}
	if b[0] != '<' {
		return bytes.Cut(b, []byte(", "))
	}
	for from := 1; ; {
		end := bytes.Index(b[from:], []byte(">, "))
		if end < 0 {
			return nil, b, false
		}
		rest = b[from+end+3:]
		if bytes.HasPrefix(rest, []byte("relay=")) || bytes.HasPrefix(rest, []byte("orig_to=")) || bytes.HasPrefix(rest, []byte("size=")) ||
			bytes.HasPrefix(rest, []byte("status=")) {
			return b[1 : from+end], rest, true
		}
		from += end + 3
	}
}

// successor is the queue ID under which a message goes on here: behind a filter
// on this machine, or because local(8) forwarded it.
func successor(relay, text []byte, d daemon) []byte {
	if after, ok := cut(text, "forwarded as "); ok && d == daemonLocal {
		return idAt(after)
	}
	if !here(relay) {
		return nil
	}
	at := bytes.LastIndex(text, []byte("queued as "))
	if at < 0 {
		return nil
	}
	return idAt(text[at+len("queued as "):])
}

// here reports whether a relay is on this machine.
func here(relay []byte) bool {
	open := bytes.IndexByte(relay, '[')
	if open < 0 {
		return false
	}
	in := relay[open+1:]
	return bytes.HasPrefix(in, []byte("127.")) || bytes.HasPrefix(in, []byte("::1]")) || bytes.HasPrefix(in, []byte("private/")) || bytes.HasPrefix(in, []byte("/"))
}

func idAt(b []byte) []byte {
	i := 0
	for i < len(b) && isAlnum(b[i]) {
		i++
	}
	if i < minID || i > maxID {
		return nil
	}
	return b[:i]
}

// note is a line about a message that ends nothing.
func note(b []byte) spoor.LineSort {
	for _, start := range [...]string{
		"host ", "lost connection", "conversation with ", "enabling PIX", "Cannot start TLS", "TLS is required", "breaking", "connect to ", "uses ", "skipped, ",
		"warning: ", "error: ", "fatal: ", "SMTPUTF8 ", "server ", "to_retry", "replace: ", "Server certificate", "removed", "certificate ", "mailer loop", "non-delivery",
		"pass: ", "filter: ", "discard: ", "Authentication-Results", "sender non-delivery", "message-id=", "no TLS", "TLSA ", "SASL ", "addresses ", "delivery ", "table ",
	} {
		if bytes.HasPrefix(b, []byte(start)) {
			return spoor.LineKnown
		}
	}
	return spoor.LineUnknown
}

// smtpd reads the SMTP server: who hands over which message, and who failed to
// log in.
//
//	4FA8DC0101: client=client2.isp.test[198.51.100.2], sasl_method=PLAIN, sasl_username=anna@example.com
//	warning: client2.isp.test[198.51.100.2]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
func smtpd(b []byte, e *spoor.Event) spoor.LineSort {
	if rest, ok := cut(b, "warning: "); ok {
		return smtpdWarning(rest, e)
	}
	id, rest, ok := cutID(b)
	if !ok {
		return remark(b, e)
	}
	fields, ok := cut(rest, "client=")
	if !ok || string(id) == noQueue {
		return action(rest)
	}
	setID(e, id)
	e.Kind = spoor.EventSubmitted
	client := fields
	if end := bytes.Index(fields, []byte(", ")); end >= 0 {
		client = fields[:end]
		clientFields(fields[end+2:], e)
	}
	if orig := between(fields, ", orig_client=", ","); orig != nil {
		client = orig
	}
	e.Client = addressIn(client)
	return spoor.LineEvent
}

// clientFields reads what follows the client. A login may hold blanks and commas:
// it ends where one of the fields begins that may follow it (smtpd.c).
func clientFields(b []byte, e *spoor.Event) {
	if at := bytes.Index(b, []byte("sasl_username=")); at >= 0 {
		login := b[at+len("sasl_username="):]
		for _, next := range [...]string{", sasl_sender=", ", orig_queue_id=", ", orig_client="} {
			if end := bytes.LastIndex(login, []byte(next)); end >= 0 {
				login = login[:end]
			}
		}
		e.Account = login
	}
	if id := between(b, "orig_queue_id=", ","); id != nil {
		e.Related = idAt(id)
	}
}

// between returns what stands between start and the next end, or behind it to
// the end of the text; nil where there is no start.
func between(b []byte, start, end string) []byte {
	at := bytes.LastIndex(b, []byte(start))
	if at < 0 {
		return nil
	}
	b = b[at+len(start):]
	if at = bytes.Index(b, []byte(end)); at >= 0 {
		return b[:at]
	}
	return b
}

// addressIn is the address in name[address] or name[address]:port.
func addressIn(client []byte) []byte {
	open := bytes.LastIndexByte(client, '[')
	if open < 0 {
		return nil
	}
	address, _, _ := bytes.Cut(client[open+1:], []byte{']'})
	return address
}

func smtpdWarning(b []byte, e *spoor.Event) spoor.LineSort {
	at := bytes.Index(b, []byte(": SASL "))
	if at < 0 || !bytes.Contains(b[at:], []byte(" authentication failed")) {
		return warning(b)
	}
	e.Kind, e.Client = spoor.EventLoginFailed, addressIn(b[:at])
	e.Address = between(b[at:], ", sasl_username=", "\x00")
	return spoor.LineEvent
}

// action is a decision about a client or a message (smtpd(8), cleanup(8)).
func action(b []byte) spoor.LineSort {
	for _, word := range [...]string{
		"reject: ", "reject_warning: ", "milter-reject: ", "milter-discard: ", "milter-hold: ", "discard: ", "hold: ", "redirect: ", "filter: ", "prepend: ", "replace: ",
		"warn: ", "warning: ", "info: ", "proxy-accept: ", "proxy-reject: ", "permit: ", "bcc: ", "delay: ", "strip: ", "client=", "permit_sasl", "filter=", "quarantine: ", "milter-",
		"lost connection", "timeout ", "sender ", "uid=", "trigger ", "message-id=", "resent-message-id=", "too many", "END-OF-MESSAGE", "whitelisted", "discarding EHLO",
	} {
		if bytes.HasPrefix(b, []byte(word)) {
			return spoor.LineKnown
		}
	}
	return spoor.LineUnknown
}

// pickup reads who submitted a message by sendmail(1): the evidence for scripts.
//
//	CB2BBC0120: uid=33 from=<www-data>
//	4jY1nd: uid=103 from=<anna@example.com> orig_id=99961C00CB
func pickup(b []byte, e *spoor.Event) spoor.LineSort {
	id, rest, ok := cutID(b)
	if !ok {
		return remark(b, e)
	}
	digits, ok := cut(rest, "uid=")
	if !ok {
		return action(rest)
	}
	word, rest, _ := bytes.Cut(digits, []byte{' '})
	uid, ok := number(word)
	if !ok || uid >= 1<<31 {
		return spoor.LineUnknown
	}
	setID(e, id)
	e.Kind, e.UID = spoor.EventSubmitted, int32(uid)
	if at := bytes.LastIndex(rest, []byte("> orig_id=")); at >= 0 {
		e.Related = idAt(rest[at+len("> orig_id="):])
	}
	return spoor.LineEvent
}

// cleanup reads that a message was written, and what a policy did to it.
//
//	4FA8DC0101: message-id=<1795428397315.23137.4@example.com>
//	4FA8DC0101: milter-reject: END-OF-MESSAGE from client2.isp.test[198.51.100.2]: 5.7.1 Limit exceeded; from=<…> to=<…> proto=ESMTP helo=<x>
func cleanup(b []byte, e *spoor.Event) spoor.LineSort {
	id, rest, ok := cutID(b)
	if !ok {
		if rest, ok := cut(b, "warning: "); ok {
			return warning(rest)
		}
		return remark(b, e)
	}
	setID(e, id)
	switch {
	case bytes.HasPrefix(rest, []byte("message-id=")):
		e.Kind, e.Text = spoor.EventNamed, rest[len("message-id="):]
		return spoor.LineEvent
	case bytes.HasPrefix(rest, []byte("milter-reject: END-OF-MESSAGE")), bytes.HasPrefix(rest, []byte("milter-discard: ")),
		bytes.HasPrefix(rest, []byte("discard: ")), bytes.HasPrefix(rest, []byte("reject: ")):
		e.Kind, e.Text = spoor.EventRemoved, rest
		return spoor.LineEvent
	}
	return action(rest)
}

// qmgr reads the queue manager. It repeats the envelope each time it tries a
// message again.
//
//	4FA8DC0101: from=<pedro@parcel.test>, size=907, nrcpt=4 (queue active)
//	4FA8DC0101: from=<pedro@parcel.test>, status=expired, returned to sender
//	4FA8DC0101: removed
func (p *Parser) qmgr(b []byte, e *spoor.Event) spoor.LineSort {
	id, rest, ok := cutID(b)
	if !ok {
		return remark(b, e)
	}
	setID(e, id)
	if string(rest) == "removed" {
		e.Kind = spoor.EventEnded
		return spoor.LineEvent
	}
	from, ok := cut(rest, "from=")
	if !ok {
		if bytes.HasPrefix(rest, []byte("to=")) { // a transport that is down
			return p.delivery(b, daemonDelivery, e)
		}
		return note(rest)
	}
	address, rest, ok := cutAddress(from)
	if !ok {
		return spoor.LineUnknown
	}
	e.Address = address
	if status, ok := cut(rest, "status="); ok {
		if bytes.HasPrefix(status, []byte("expired")) || bytes.HasPrefix(status, []byte("force-expired")) {
			e.Kind, e.Answer, e.Text = spoor.EventFailed, spoor.AnswerTooOld, status
			e.Address = nil
			return spoor.LineEvent
		}
		return spoor.LineKnown
	}
	size, ok := cut(rest, "size=")
	if !ok {
		return spoor.LineUnknown
	}
	e.Hash, e.Domain = spoor.AddressHash(address)
	e.Size, rest = digits(size)
	if count, ok := cut(rest, ", nrcpt="); ok {
		n, _ := digits(count)
		e.Count = int32(min(n, 1<<30))
	}
	e.Kind = spoor.EventQueued
	return spoor.LineEvent
}

// digits reads decimal digits.
func digits(b []byte) (n int64, rest []byte) {
	i := 0
	for i < len(b) && i < 18 && '0' <= b[i] && b[i] <= '9' {
		n = n*10 + int64(b[i]-'0')
		i++
	}
	return n, b[i:]
}

// bounce reads which notification was queued for a message.
//
//	4FA8DC0101: sender non-delivery notification: 554ACC0104
func bounce(b []byte, e *spoor.Event) spoor.LineSort {
	id, rest, ok := cutID(b)
	if !ok {
		return remark(b, e)
	}
	at := bytes.Index(rest, []byte(" notification: "))
	if at < 0 {
		return note(rest)
	}
	setID(e, id)
	if e.Related = idAt(rest[at+len(" notification: "):]); e.Related == nil {
		return spoor.LineUnknown
	}
	e.Kind = spoor.EventBounced
	return spoor.LineEvent
}

// postsuper reads what an operator did.
//
//	4FA8DC0101: removed
//	Deleted: 2 messages
func postsuper(b []byte, e *spoor.Event) spoor.LineSort {
	id, rest, ok := cutID(b)
	if !ok {
		for _, word := range [...]string{"Deleted: ", "Requeued: ", "Placed on hold: ", "Released from hold: ", "Expired: ", "Renamed "} {
			if bytes.HasPrefix(b, []byte(word)) {
				return spoor.LineKnown
			}
		}
		return remark(b, e)
	}
	switch string(rest) {
	case "removed":
		setID(e, id)
		e.Kind, e.Text = spoor.EventRemoved, rest
		return spoor.LineEvent
	case "requeued", "placed on hold", "released from hold", "expired", "force-expired", "renamed":
		return spoor.LineKnown
	}
	return spoor.LineUnknown
}

// remark is a line that is about no message: nearly all of Postfix' other lines.
// Trouble is told; of the rest, what is not known here is counted.
func remark(b []byte, e *spoor.Event) spoor.LineSort {
	for _, level := range [...]string{"fatal: ", "error: ", "panic: "} {
		if bytes.HasPrefix(b, []byte(level)) {
			e.Kind, e.Text, e.Shape = spoor.EventTrouble, b, mta.Shape(b)
			return spoor.LineEvent
		}
	}
	if rest, ok := cut(b, "warning: "); ok {
		return warning(rest)
	}
	for _, start := range remarks {
		if bytes.HasPrefix(b, []byte(start)) {
			return spoor.LineKnown
		}
	}
	if _, rest, ok := cutID(b); ok {
		return min(action(rest), note(rest))
	}
	return spoor.LineUnknown
}

// warning is any warning: its words are Postfix' own.
func warning([]byte) spoor.LineSort { return spoor.LineKnown }

// remarks are the beginnings of lines about no message.
var remarks = [...]string{
	"connect from ", "disconnect from ", "lost connection ", "timeout after ", "too many errors ", "improper command ", "NOQUEUE: ", "CONNECT from ", "DISCONNECT ", "PASS ", "PREGREET ",
	"HANGUP ", "DNSBL ", "WHITELISTED ", "BLACKLISTED ", "WHITELIST ", "DENYLISTED ", "ALLOWLISTED ", "ALLOWLIST ", "DENYLIST ", "BLACKLIST ", "BARE NEWLINE ", "COMMAND ", "NON-SMTP ", "WHITELIST VETO ", "ALLOWLIST VETO ", "CACHE ", "cache ",
	"statistics: ", "SSL_accept ", "SSL_connect ", "Anonymous TLS ", "Trusted TLS ", "Untrusted TLS ", "Verified TLS ", "setting up TLS ", "connect to ", "initializing ", "certificate ", "Peer ", "subject_CN",
	"daemon started ", "reload ", "terminating on ", "starting the ", "stopping the ", "refreshing the ", "table ", "using ", "premature end", "private/", "public/", "subsystem ", "postfix ",
	"reload configuration", "to=<", "setting ", "TLS ", "Compiled ", "Run-time ", "dict_", "milter", "Untrusted ", "Server certificate", "Host ", "host ", "open ", "unknown ", "watchdog ", "not set-gid ",
	"addr ", "ccert", "rewrite", "match_", "smtp_", "send ", "name_", "attr_", "input ", "private ", "event_", "input_", "report ", "maps_", "been_here", "vstream", "xsasl", "> ", "< ", "generic_", "watchdog", "auto_clnt", "inet_addr", "mynetworks", "relay_domains", "permit_", "fingerprint",
	"discarding ", "Receiving ", "Message ", "Read ", "closing ", "opened ", "-- ", "idle ", "Issuing ", "SASL ", "issuing ", "rate limit", "cleanup ", "uid=", "the ", "No ", "Postfix ", "expired", "flush", "skipping", "end of ", "new ", "bad ", "mail ", "postscreen", "tls_", "no ", "verify ",
}
