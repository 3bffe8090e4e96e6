package postfix

import (
	"bytes"
	"strings"
	"time"

	"spoor"
)

// attributes are the named attributes of a queue file that tell where the
// message came from (mail_proto.h). Their slices are valid for one message.
type attributes struct {
	account    []byte // sasl_username
	client     []byte // client_address
	clientName []byte // client_name
	helo       []byte // helo_name
	logClient  []byte // log_client_address: what XFORWARD said, else the same
	logHelo    []byte
	ident      []byte // log_ident: the queue ID it had before
	origin     []byte // log_message_origin: "local" where Postfix made it
}

func (a *attributes) reset() { *a = attributes{} }

// set keeps an attribute that matters. The value is copied into text, which
// nothing else writes to before the next message.
func (a *attributes) set(value []byte, text *[]byte) {
	name, value, ok := bytes.Cut(value, []byte{'='})
	if !ok {
		return
	}
	var to *[]byte
	switch string(name) {
	case "sasl_username":
		to = &a.account
	case "client_address":
		to = &a.client
	case "client_name":
		to = &a.clientName
	case "helo_name":
		to = &a.helo
	case "log_client_address":
		to = &a.logClient
	case "log_helo_name":
		to = &a.logHelo
	case "log_ident":
		to = &a.ident
	case "log_message_origin":
		to = &a.origin
	default:
		return
	}
	from := len(*text)
	*text = append(*text, value...)
	*to = (*text)[from:len(*text):len(*text)]
}

// network is the hop that the attributes tell of; ok is false where there is no
// client. XFORWARD, which only authorised clients may use, tells of the client
// behind a filter (XFORWARD_README).
func (a *attributes) network() (hop spoor.Hop, filtered, ok bool) {
	client := parseClient(string(a.client))
	hop = spoor.Hop{
		Via: spoor.ViaNetwork, UID: -1, PID: -1, Client: client, HELO: string(a.helo), ReverseName: string(a.clientName),
	}
	if len(a.account) > 0 {
		hop.Account, hop.Authenticated = string(a.account), true
	}
	if behind := parseClient(string(a.logClient)); behind.IsValid() && behind != client {
		if client.IsLoopback() || !client.IsValid() {
			hop.Client, hop.HELO, hop.ReverseName, filtered = behind, string(a.logHelo), "", true
		}
	}
	var record strings.Builder
	for _, one := range [...]struct {
		name  string
		value []byte
	}{{"sasl_username", a.account}, {"client_address", a.client}, {"log_client_address", a.logClient}} {
		if len(one.value) == 0 || one.name == "log_client_address" && !filtered {
			continue
		}
		if record.Len() > 0 {
			record.WriteString(", ")
		}
		record.WriteString(one.name)
		record.WriteByte('=')
		record.Write(one.value)
	}
	hop.Record = record.String()
	return hop, filtered, hop.Client.IsValid() || hop.Account != ""
}

// envelope reads records up to the one of kind end, or to the end of the file.
func (r *reader) envelope(end byte) (reason string) {
	m := &r.message
	for {
		kind, value, err := r.cursor.next()
		switch {
		case err != nil:
			return err.Error()
		case kind == 0:
			return gapCut
		case kind == end:
			if end == recEnd {
				r.redirected()
			}
			return ""
		}
		switch kind {
		case recTime:
			if m.Arrived.IsZero() {
				m.Arrived = arrival(value)
			}
		case recFrom:
			m.Sender, m.HasEnvelope = string(value), true
		case recAttribute:
			r.attributes.set(value, &r.text)
			r.silent = r.silent || string(value) == "notify_flags=1" // DSN_NOTIFY_NEVER (dsn_mask.h)
			r.requested = r.requested || starts(value, "dsn_orig_rcpt=")
		case recRedirect:
			r.redirect = append(r.redirect[:0], value...)
		case recRecipient, recDone:
			r.recipient(kind == recDone, value)
		case 'O':
			r.original = append(r.original[:0], value...)
		case recEnd, recExtracted, recMessage:
			return gapOrder
		}
	}
}

// redirected puts the recipient to whom a policy has redirected the message in the
// place of all others, as qmgr(8) does (qmgr_message_resolve()).
func (r *reader) redirected() {
	if len(r.redirect) == 0 || r.asWritten {
		return
	}
	m := &r.message
	done := m.Recipients.Len() > 0 && m.Recipients.Done() == m.Recipients.Len()
	m.Recipients.Reset()
	m.Inbound, m.Outbound, r.alias = false, false, ""
	r.recipient(done, r.redirect)
}

// recipient adds an envelope recipient, and notes whether an alias of this
// server made it. That of a copy (always_bcc and its like) says nothing of the message:
// cleanup(8) adds it with NOTIFY=NEVER, and without the original recipient that smtpd(8)
// records of each that a client names. What all are is no copy.
func (r *reader) recipient(done bool, address []byte) {
	m := &r.message
	channel, isCopy := spoor.ChannelRemote, r.silent && !r.requested
	r.silent, r.requested, r.named = false, false, r.named || !isCopy
	switch {
	case r.serves(address):
		channel = spoor.ChannelLocal
		m.Inbound, r.copiedIn = m.Inbound || !isCopy, r.copiedIn || isCopy
	case isCopy:
		r.copiedOut = true
	default:
		m.Outbound = true
		if len(r.original) == 0 || bytes.Equal(r.original, address) || !r.serves(r.original) || spoor.IsReturnPath(r.original) {
			r.direct = true
		} else if r.alias == "" {
			r.alias = string(r.original)
		}
	}
	r.original = r.original[:0]
	if bytes.IndexByte(address, 0) >= 0 {
		address = bytes.ReplaceAll(address, []byte{0}, []byte{'?'})
	}
	m.Recipients.Add(channel, done, address)
}

// serves asks for the domain of an address, and remembers the last answer.
func (r *reader) serves(address []byte) bool {
	at := bytes.LastIndexByte(address, '@')
	if at < 0 {
		return true // $myorigin
	}
	domain := address[at+1:]
	if !bytes.Equal(domain, r.domain) {
		r.domain = append(r.domain[:0], domain...)
		r.served = r.conf.Serves(string(domain))
	}
	return r.served
}

// arrival reads "seconds microseconds".
func arrival(value []byte) time.Time {
	first, second, _ := bytes.Cut(value, []byte{' '})
	seconds, ok := number(first)
	if !ok || seconds > 1<<40 {
		return time.Time{}
	}
	micros, _ := number(second)
	if micros >= 1e6 {
		micros = 0
	}
	return time.Unix(seconds, micros*1000).UTC()
}
