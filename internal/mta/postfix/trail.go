package postfix

import (
	"bytes"
	"strings"

	"spoor"
	"spoor/internal/mta"
)

const (
	brokenNoReceived = "the header does not begin with a line of this Postfix, and the envelope names no client"
	brokenNoOriginal = "the bounced message is not in the part that was read"
	brokenForward    = "the forwarded message does not begin with a line of this Postfix"
)

// walker follows a header from the top. What the queue file itself records
// comes first: header lines can be forged or removed, attributes cannot.
type walker struct {
	reader  *reader
	message *spoor.Message
	block   []byte // the header
	text    string // the same
	lines   []traced

	contentType string
	redirected  string // X-Sieve-Redirected-From below the top line and above the next
	from        string // the value of the first From
	replied     bool   // Auto-Submitted says so, below the top line and above the next
}

// sieveField is what Dovecot's Sieve adds to what a script sends on.
const sieveField = "X-Sieve-Redirected-From"

// isField reports whether a field has a name, in whatever case.
func isField(field *mta.Field, name string) bool {
	return len(field.Name) == len(name) && bytes.EqualFold(field.Name, []byte(name))
}

// traced is a field of the trail.
type traced struct {
	name  mta.FieldName
	value string
	line  int
}

// walk fills in trail and description.
func (w *walker) walk() {
	for field := range mta.Fields(w.block) {
		known := mta.KnownField(field.Name)
		value := w.text[field.At:][:len(field.Value)]
		if known == mta.FieldReceived || known == mta.FieldDeliveredTo {
			w.lines = append(w.lines, traced{known, value, field.Line})
			continue
		}
		if known == mta.FieldContentType {
			w.contentType = value
		}
		if len(w.lines) == 1 {
			w.ofScript(&field, value)
		}
		mta.Describe(w.message, known, value, field.Line)
	}
	used := w.hops()
	for _, line := range w.lines[min(used, len(w.lines)):] {
		if line.name == mta.FieldReceived {
			mta.Forgeable(w.message, line.value, line.line)
		}
	}
}

// ofScript notes what the script of a mailbox adds above the line of the first passage.
func (w *walker) ofScript(field *mta.Field, value string) {
	switch {
	case w.redirected == "" && isField(field, sieveField):
		w.redirected = strings.TrimSpace(value)
	case w.from == "" && isField(field, "From"):
		w.from = value
	case isField(field, "Auto-Submitted"): // RFC 3834 §5
		w.replied = strings.HasPrefix(strings.ToLower(strings.TrimSpace(value)), "auto-replied")
	}
}

// top is the first line of the trail that is not used yet, if it is a Received
// field as this Postfix writes them.
func (w *walker) top(used int) (received, bool) {
	if used >= len(w.lines) || w.lines[used].name != mta.FieldReceived {
		return received{}, false
	}
	r, ok := parseReceived(w.lines[used].value)
	r.hop.Line = w.lines[used].line
	return r, ok && (w.ours(r.host) || w.isID(r.id))
}

// isID reports whether a line has the ID of this message, now or before: nobody
// could know that who wrote the message, whatever name the line gives the host.
func (w *walker) isID(id string) bool {
	return id != "" && (id == string(w.message.ID) || id == string(w.reader.attributes.ident))
}

func (w *walker) ours(host string) bool {
	return w.reader.conf.Hostname == "" || strings.EqualFold(host, w.reader.conf.Hostname)
}

func (w *walker) add(hop spoor.Hop) { w.message.Trail.Hops = append(w.message.Trail.Hops, hop) }

// hops decides how the message entered, newest hop first, and returns how many
// lines of the trail belong to that.
func (w *walker) hops() (used int) {
	m, a := w.message, &w.reader.attributes
	if m.State == spoor.StateMaildrop && !w.requeuedFile() {
		w.add(spoor.Hop{Via: spoor.ViaUID, UID: m.CallerUID, PID: -1, Record: "the file in maildrop belongs to the user who submitted it"})
		return 0
	}
	top, ok := w.top(0)
	requeued := false
	for ok && top.hop.Via == spoor.ViaUID && top.hop.UID == w.reader.conf.OwnerUID { // postsuper -r: the line below is the one it had before
		requeued = true
		m.Earlier = spoor.QueueID(a.ident)
		used++
		top, ok = w.top(used)
	}
	byUser := ok && top.hop.Via == spoor.ViaUID
	if ok && top.internal || string(a.origin) == "local" && m.Sender == "" && !byUser {
		return w.internal(top, ok, used)
	}
	if hop, filtered, found := a.network(); found {
		if ok && top.hop.Via == spoor.ViaNetwork {
			hop.Text, hop.Line = top.hop.Text, top.hop.Line
			used++
		} else {
			hop.Text = "(no Received line of this server)"
		}
		if ident := spoor.QueueID(a.ident); (filtered || requeued) && ident != m.ID {
			m.Earlier = ident
			w.accountBehind(&hop, used)
		} else if filtered {
			used = w.beforeFilter(hop, used)
		}
		w.forward(hop)
		w.add(hop)
		return used
	}
	if byUser || ok && w.reader.outside {
		w.add(top.hop)
		return w.filteredBy(top.hop.UID, used+1)
	}
	if len(m.Trail.Hops) == 0 {
		m.Trail.Broken = brokenNoReceived
	}
	return used
}

// filterLines is how many lines of a content filter may stand above that of the
// first passage.
const filterLines = 4

// accountBehind takes the login from the line that this Postfix wrote before a
// content filter had the message. The line has the ID that the filter handed on,
// which nobody could know who wrote the message.
func (w *walker) accountBehind(hop *spoor.Hop, used int) {
	for i := used; i < min(used+filterLines, len(w.lines)) && !hop.Authenticated; i++ {
		if r, ok := w.top(i); ok && spoor.QueueID(r.id) == w.message.Earlier && r.hop.Authenticated {
			hop.Account, hop.Authenticated = r.hop.Account, true
		}
	}
}

// beforeFilter passes over the line that this Postfix wrote before a filter in front
// of the queue had the message (smtpd_proxy_filter): it has no ID yet, and names the
// client that the filter has forwarded. It may be the client's work, where a filter
// removes the server's, so nothing is taken from it.
//
//	from client.example (unknown [10.9.0.6])\n\tby mx.shop.example (Postfix) with ESMTPA\n\tfor <m002@slow.example>; …
func (w *walker) beforeFilter(hop spoor.Hop, used int) int {
	for i := used; i < min(used+filterLines, len(w.lines)); i++ {
		if r, ok := w.top(i); ok {
			if r.id == "" && r.hop.Via == spoor.ViaNetwork && r.hop.Client == hop.Client {
				return i + 1
			}
			break
		}
	}
	return used
}

// filteredBy goes on below the line of a content filter that hands messages back
// by sendmail(1) under a user of the mail system.
func (w *walker) filteredBy(uid, used int) int {
	if w.reader.conf.MailSystem == nil || uid < 0 || !w.reader.conf.MailSystem(uid) {
		return used
	}
	if used == 1 && w.reply() {
		return used
	}
	mailbox, past := w.mailbox(used)
	below, ok := w.top(past)
	ok = ok && below.hop.Via == spoor.ViaNetwork
	if mailbox != "" && (!ok || !below.hop.Authenticated) {
		w.add(spoor.Hop{Via: spoor.ViaForward, UID: -1, PID: -1, Address: mailbox, Record: "what the mail system handed over was in the hands of " + mailbox})
		used = past
	}
	if !ok {
		return used
	}
	w.message.Earlier = spoor.QueueID(below.id)
	w.add(below.hop)
	return past + 1
}

// reply adds the mailbox here that answers by itself, in what the mail system handed
// over: a user may choose the words of such a message, not that it has the form of one.
//
//	Message-ID: <dovecot-sieve-1795767857-554541-0@mx1.example.com>
//	From: <jane@example.com>
//	Auto-Submitted: auto-replied (vacation)
func (w *walker) reply() bool {
	if !w.replied || !strings.HasPrefix(w.message.MessageID, "<dovecot-") {
		return false
	}
	address := w.message.Sender
	if at := strings.LastIndexByte(w.from, '<'); address == "" && at >= 0 {
		address, _, _ = strings.Cut(w.from[at+1:], ">")
	}
	if !strings.Contains(address, "@") || !w.reader.serves([]byte(address)) {
		address = ""
	}
	w.add(spoor.Hop{Via: spoor.ViaReply, UID: -1, PID: -1, Address: address, Record: "the mail system made this as an automatic reply"})
	return true
}

// rejected reads the notification of a script that rejects (RFC 5429): whose it is,
// since the sender is the postmaster, and the header of what was rejected.
//
//	From: Postmaster <postmaster@example.com>
//	Auto-Submitted: auto-replied (rejected)
//
//	Final-Recipient: rfc822; boss@example.com
//	Original-Message-ID: <77@far.example>
func (w *walker) rejected(body []byte) {
	n := mta.ReadNotification(w.contentType, body)
	if n.Recipient == "" || !w.reader.serves([]byte(n.Recipient)) {
		return
	}
	w.message.Trail.Entry().Address = n.Recipient
	for field := range mta.Fields(n.Original) {
		if mta.KnownField(field.Name) != mta.FieldReceived {
			continue
		}
		if r, ok := parseReceived(string(field.Value)); ok && w.ours(r.host) && r.hop.Via == spoor.ViaNetwork {
			w.message.Earlier = spoor.QueueID(r.id)
			w.add(r.hop)
			return
		}
	}
}

// mailbox is the one here whose script has sent the message on, or "", with the line
// of the trail behind those of the delivery: what the mail system hands over with the
// line of a delivery on top was in that mailbox's hands. Dovecot's LMTP adds a line of
// its own, and no Delivered-To to what has several recipients; Sieve names the mailbox
// in both.
//
//	X-Sieve-Redirected-From: jane@example.com
//	Delivered-To: jane@example.com
//	Received: from mx1.example.com\n\tby mx1.example.com with LMTP\n\tid CIM4LWsyCWsZAQAAMzN6MA …
func (w *walker) mailbox(used int) (address string, past int) {
	past = used
	if used == 1 {
		address = w.redirected
	}
	if past < len(w.lines) && w.lines[past].name == mta.FieldDeliveredTo {
		if address == "" {
			address = strings.TrimSpace(w.lines[past].value)
		}
		past++
	}
	if !strings.Contains(address, "@") || !w.reader.serves([]byte(address)) {
		return "", used
	}
	if past < len(w.lines) && w.lines[past].name == mta.FieldReceived && strings.Contains(w.lines[past].value, " with LMTP") {
		past++
	}
	return address, past
}

// requeuedFile reports whether a file in maildrop was put there by postsuper(1):
// sendmail(1) and postdrop(1) leave theirs to the user who called them, and a file
// of Postfix' own was in the queue before. It begins with the line that it got
// there.
func (w *walker) requeuedFile() bool {
	m := w.message
	if m.CallerUID != w.reader.conf.OwnerUID {
		return false
	}
	m.CallerUID = -1
	m.Earlier = spoor.QueueID(w.reader.attributes.ident)
	return true
}

// internal is for what Postfix made itself: bounces, and what local(8) forwards.
func (w *walker) internal(top received, ok bool, used int) int {
	hop := spoor.Hop{Via: spoor.ViaBounce, UID: -1, PID: -1, Text: "(made by Postfix)"}
	if ok {
		hop.Text, hop.Line = top.hop.Text, top.hop.Line
		used++
	}
	if w.message.Sender == "" && string(w.reader.attributes.origin) == "local" {
		w.add(hop)
		return used
	}
	switch {
	case used < len(w.lines) && w.lines[used].name == mta.FieldDeliveredTo:
		hop.Via, hop.Address = spoor.ViaForward, strings.TrimSpace(w.lines[used].value)
		used++
		w.add(hop)
	case w.message.Sender == "" || isOwnSender(w.message.Sender):
		w.add(hop)
		return used
	}
	below, ok := w.top(used)
	if !ok {
		w.message.Trail.Broken = brokenForward
		return used
	}
	if account := string(w.reader.attributes.account); account != "" && below.hop.Via == spoor.ViaNetwork {
		below.hop.Account, below.hop.Authenticated = account, true
	}
	w.message.Earlier = spoor.QueueID(below.id)
	w.add(below.hop)
	return used + 1
}

// isOwnSender knows the sender of what Postfix tells the postmaster, and of its
// probes of addresses (double_bounce_sender, address_verify_sender).
func isOwnSender(sender string) bool { return strings.HasPrefix(sender, "double-bounce@") }

// forward adds the alias that sends on what came from outside: every recipient
// elsewhere stands for an address here.
func (w *walker) forward(hop spoor.Hop) {
	r := w.reader
	if r.alias == "" || r.direct || hop.Authenticated {
		return
	}
	w.add(spoor.Hop{Via: spoor.ViaForward, UID: -1, PID: -1, Address: r.nameOf(r.alias), Record: "an alias here replaced the recipient " + r.alias})
}

// followBounce reads the notification that bounce(8) wrote: which recipient
// failed, why, and the header of the message behind it, which it copied as it
// was.
//
//	--554ACC0104.1795428405/mx1.example.com
//	Content-Type: message/delivery-status
//
//	X-Postfix-Queue-ID: 4FA8DC0101
//	Final-Recipient: rfc822; chen5938@nouser.test
//	Diagnostic-Code: smtp; 550 5.1.1 User unknown; rejecting
func (w *walker) followBounce(body []byte) {
	m := w.message
	hop := m.Trail.Entry()
	n := mta.ReadNotification(w.contentType, body)
	hop.Address, hop.Reason, hop.Action = n.Recipient, n.Reason, n.Action
	if isQueueID([]byte(n.Parent)) {
		m.Earlier = spoor.QueueID(n.Parent)
	}
	if n.Original == nil {
		m.Trail.Broken = brokenNoOriginal
		return
	}
	text := string(n.Original)
	for field := range mta.Fields(n.Original) {
		known := mta.KnownField(field.Name)
		if known != mta.FieldReceived {
			mta.Claim(m, known, text[field.At:][:len(field.Value)], 0)
			continue
		}
		r, ok := parseReceived(text[field.At:][:len(field.Value)])
		ours := ok && (w.ours(r.host) || r.id != "" && r.id == string(m.Earlier))
		if len(m.Trail.Hops) == 1 && ours && !r.internal {
			w.add(r.hop)
			continue
		}
		mta.Forgeable(m, text[field.At:][:len(field.Value)], 0)
	}
}
