package exim

import (
	"bytes"
	"path"
	"strings"

	"spoor"
	"spoor/internal/mta"
)

// walk reads the header: first what the -H file records of the origin, then the
// lines that go with it.
func (r *reader) walk(s slot) {
	m, h := &r.message, &r.header
	if h.received.IsZero() {
		m.Trail.Broken = brokenDamaged
		return
	}
	var err error
	r.text, err = h.appendHeader(r.text)
	r.badHeader = r.badHeader || err != nil && r.damaged == nil
	m.SizeBytes += int64(len(r.text)) + 1 // the empty line
	text := string(r.text)
	hop := r.origin()
	contentType, reply := "", autoReply{}
	first := true
	line := bytes.Count(r.file[:h.headerStart], []byte{'\n'})
	for field := range mta.Fields(r.text) {
		known := mta.KnownField(field.Name)
		value := text[field.At:][:len(field.Value)]
		switch known {
		case mta.FieldReceived:
			if got, ok := parseReceived(value); first && ok && got.id == s.id {
				hop.Text, hop.Line = got.hop.Text, line+field.Line
			} else {
				mta.Forgeable(m, value, line+field.Line)
			}
			first = false
		case mta.FieldContentType:
			contentType = value
			mta.Describe(m, known, value, line+field.Line)
		default:
			if h.localError {
				reply.see(field.Name, value)
			}
			mta.Describe(m, known, value, line+field.Line)
		}
	}
	if hop.Via == spoor.ViaNetwork && !hop.Authenticated && m.Inbound && !m.Outbound {
		r.forwarded(s)
	}
	m.Trail.Hops = append(m.Trail.Hops, hop)
	answers := h.localError && r.answers(&reply, contentType)
	switch {
	case answers && hop.Via == spoor.ViaUID: // a transport that runs as a user of its own, or somebody says so
		m.Trail.Hops = append(m.Trail.Hops, spoor.Hop{Via: spoor.ViaReply, UID: -1, PID: -1, Address: reply.from, Record: "-localerror: an automatic reply, or exim -E"})
	case answers && hop.Via == spoor.ViaBounce:
		entry := m.Trail.Entry()
		entry.Via, entry.Address, entry.Record = spoor.ViaReply, reply.from, automaticReply
	case hop.Via == spoor.ViaBounce:
		r.followBounce(contentType)
	}
}

const automaticReply = "-localerror: Exim made this message, an automatic reply"

// autoReply is what tells an automatic reply from a bounce.
type autoReply struct {
	from      string
	automatic bool
}

// see looks at a field of a message that Exim made.
func (a *autoReply) see(name []byte, value string) {
	switch {
	case a.from == "" && bytes.EqualFold(name, []byte("From")):
		a.from = strings.TrimSpace(value)
		if at := strings.LastIndexByte(a.from, '<'); at >= 0 {
			a.from = strings.TrimSuffix(a.from[at+1:], ">")
		}
	case bytes.EqualFold(name, []byte("Auto-Submitted")):
		a.automatic = strings.HasPrefix(strings.TrimSpace(value), "auto-replied")
	}
}

// answers reports whether it is an automatic reply of a mailbox here, made by an
// autoreply transport (autoreply.c). Bounces are automatic too: they are of
// Mailer-Daemon, and reports.
func (r *reader) answers(a *autoReply, contentType string) bool {
	local, domain, ok := strings.Cut(a.from, "@")
	return ok && a.automatic && !strings.EqualFold(local, "mailer-daemon") && r.conf.Serves(domain) && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(contentType)), "multipart/report")
}

// origin is the hop that the -H file itself records. For a message from the
// network the UID is Exim's own and tells nothing; -auth_id of a local message
// is the login of the submitter, of one with -host_auth it is the SMTP login.
// Whoever calls exim -E may have -localerror written: it counts of Exim's user alone.
func (r *reader) origin() spoor.Hop {
	h, m := &r.header, &r.message
	hop := spoor.Hop{UID: -1, PID: -1}
	switch {
	case h.localError && r.conf.makesBounces(h.uid):
		hop.Via, hop.Record = spoor.ViaBounce, "-localerror: Exim made this message"
	case h.local || len(h.hostAddress) == 0:
		hop.Via, hop.UID, hop.Login = spoor.ViaUID, h.uid, string(h.login)
		hop.Record = "submitted by " + string(h.login) + ", uid " + uidText(h.uid)
		if h.localError {
			hop.Record += "; -localerror is not of Exim's user: an automatic reply, or exim -E"
		}
		m.CallerUID = h.uid
	default:
		hop.Via, hop.Client = spoor.ViaNetwork, hostAddress(string(h.hostAddress))
		hop.HELO, hop.ReverseName = string(h.helo), string(h.hostName)
		hop.Record = "-host_address " + string(h.hostAddress)
		if len(h.hostAuth) > 0 {
			hop.Account, hop.Authenticated = string(printed(h.authID)), true
			hop.Record = "-host_auth " + string(h.hostAuth) + ", -auth_id " + string(h.authID) + ", " + hop.Record
		}
	}
	return hop
}

// forwarded adds the alias that sends on what came from outside: of several the first
// whose mail still waits. The spool keeps the address that was written; where it went
// to stands in the message's log:
//
//	2026-11-23 10:38:03 owner@bigmail.test <admin@shop.example.com> R=rest T=to_defer defer (-44) …
func (r *reader) forwarded(s slot) {
	for _, name := range [...]string{"msglog/" + s.id, "msglog/" + s.id[secondLen-1:secondLen] + "/" + s.id} {
		data, err := r.queue.root.ReadFile(path.Join(r.queue.spool, s.folder.queue, name), msglogBytes)
		if err != nil && len(data) == 0 {
			continue
		}
		alias, record := "", ""
		for line := range strings.Lines(string(data)) {
			from, ok := r.forwarder(line)
			waits := ok && !r.done[from]
			if waits || ok && alias == "" {
				alias, record = from, strings.TrimSpace(line)
			}
			if waits {
				break
			}
		}
		if alias != "" {
			r.message.Trail.Hops = append(r.message.Trail.Hops, spoor.Hop{
				Via: spoor.ViaForward, UID: -1, PID: -1, Address: r.conf.nameOf(alias), Record: record[:min(len(record), mta.MaxReason)],
			})
		}
		return
	}
}

// forwarder finds in a line an address elsewhere with the address here that it
// was made from.
func (r *reader) forwarder(line string) (from string, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return "", false
	}
	fields = fields[2:]
	if zone := fields[0]; len(zone) == 5 && (zone[0] == '+' || zone[0] == '-') && allDigits([]byte(zone[1:])) { // log_timezone
		fields = fields[1:]
	}
	switch fields[0] {
	case "=>", "->", "**", "==":
		fields = fields[1:]
	}
	to, parent := fields[0], fields[1]
	if !strings.Contains(to, "@") || !strings.HasPrefix(parent, "<") || !strings.HasSuffix(parent, ">") {
		return "", false
	}
	parent = strings.Trim(parent, "<>")
	return parent, !r.serves([]byte(to)) && r.serves([]byte(parent)) && r.receives(parent)
}

// receives reports whether an address is on the envelope.
func (r *reader) receives(address string) bool {
	for _, one := range r.header.recipients {
		if strings.EqualFold(string(one), address) {
			return true
		}
	}
	return false
}

// followBounce reads which recipient failed, why, and the header of the message
// behind it.
func (r *reader) followBounce(contentType string) {
	m := &r.message
	hop := m.Trail.Entry()
	n := mta.ReadNotification(contentType, r.body)
	hop.Address, hop.Reason, hop.Action = n.Recipient, n.Reason, n.Action
	if n.Original == nil {
		n.Original = refusedCopy(r.body)
	}
	if n.Original == nil {
		m.Trail.Broken = brokenNoCopy
		return
	}
	text := string(n.Original)
	for field := range mta.Fields(n.Original) {
		known := mta.KnownField(field.Name)
		value := text[field.At:][:len(field.Value)]
		if known != mta.FieldReceived {
			mta.Claim(m, known, value, 0)
			continue
		}
		got, ok := parseReceived(value)
		if len(m.Trail.Hops) == 1 && ok && got.id != "" && (r.conf.Hostname == "" || strings.EqualFold(got.host, r.conf.Hostname)) {
			m.Earlier = spoor.QueueID(got.id)
			if got.hop.Via == spoor.ViaUID {
				got.hop.UID = r.conf.uidOf(loginOf(value))
			}
			m.Trail.Hops = append(m.Trail.Hops, got.hop)
			continue
		}
		mta.Forgeable(m, value, 0)
	}
}

// loginOf is the login in "from LOGIN by …".
func loginOf(value string) string {
	login, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(value), "from "), " ")
	return login
}

// refusedCopy is the copy in a notification that Exim writes when it refuses a message
// that a user of this machine hands over (moan.c), or nil. The notification is plain
// text. Of those for other errors the copy has no line of Exim's own on top.
func refusedCopy(body []byte) []byte {
	if !bytes.HasPrefix(body, []byte("A message that you sent was rejected by the local scanning code that\n")) {
		return nil
	}
	_, after, ok := bytes.Cut(body, []byte("\n------ This is a copy of "))
	_, original, found := bytes.Cut(after, []byte("------\n\n"))
	if !ok || !found {
		return nil
	}
	return original
}
