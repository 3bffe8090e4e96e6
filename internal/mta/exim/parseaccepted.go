package exim

import (
	"bytes"

	"spoor"
)

// reception is what a line of a reception says after the sender.
type reception struct {
	complete bool // the line is whole
	hosted   bool // it names a client

	protocol, ident, account, messageID []byte
	parent                              []byte
	size                                int64
	recipients                          int32
	step                                step
}

// step is how far the fields of a reception were read: they have an order, and
// none that matters comes twice. So nothing that a client chose can stand for a
// field, whatever it looks like: the true ones would be left over.
type step uint8

const (
	stepStart step = iota
	stepProtocol
	stepAccount
	stepSize
	stepMessageID
	stepSubject
	stepFrom
)

// accepted reads that a message was taken (receive.c).
//
//	<= tom@bank.test H=(User-PC) [127.0.0.2]:42369 P=esmtpa A=plain:anna@example.com S=735 id=1.29065@example.com T="Hi" from <tom@bank.test> for a@b.test c@d.test
//	<= <> R=1xVRQr-0007an-25 U=Debian-exim P=local S=2755
func accepted(b []byte, complete bool, e *spoor.Event) spoor.LineSort {
	sender, rest, ok := cutWord(b)
	if !ok || len(sender) == 0 {
		return spoor.LineUnknown
	}
	r := reception{complete: complete}
	if parent, found := cut(rest, " R="); found {
		if r.parent, rest, ok = cutWord(parent); !ok {
			return spoor.LineUnknown
		}
	}
	rest = bytes.TrimPrefix(rest, []byte(" DS"))
	host, hosted := cut(rest, " H=")
	if !hosted {
		if !r.read(rest) {
			return spoor.LineUnknown
		}
		r.fill(sender, nil, e)
		return spoor.LineEvent
	}
	r.hosted = true
	return r.hostedBy(host, sender, e)
}

// hostedBy reads the client, and what follows it. Where both greeting and ident
// make it possible to read the line in two ways, no client is told; and nothing
// if the account differs.
func (r *reception) hostedBy(host, sender []byte, e *spoor.Event) spoor.LineSort {
	found := false
	start := *r
	h := hostField{text: host}
	for h.next() {
		*r = start
		if !r.read(h.rest) {
			continue
		}
		if !found {
			found = true
			r.fill(sender, h.address, e)
			e.Port = h.port
			continue
		}
		e.Client, e.Port = nil, 0
		if !bytes.Equal(r.account, e.Account) {
			return spoor.LineUnknown
		}
	}
	if !found {
		return spoor.LineUnknown
	}
	return spoor.LineEvent
}

// fill makes the event.
func (r *reception) fill(sender, client []byte, e *spoor.Event) {
	e.Kind, e.Address, e.Client = spoor.EventAccepted, sender, client
	if string(sender) == "<>" {
		e.Address = sender[1:1]
	}
	e.Hash, e.Domain = spoor.AddressHash(e.Address)
	e.Clock = spoor.StampOf(idTime(e.ID))
	e.Size, e.Count, e.Text, e.Account = r.size, r.recipients, r.messageID, r.account
	if isID(r.parent) {
		e.Related = r.parent
	}
	if !r.hosted || bytes.HasPrefix(r.protocol, []byte("local")) {
		e.Login = r.ident
	}
}

// maxTries bounds how often a field with blanks is made longer, and maxGiven how often
// that one that may hold fields.
const (
	maxTries = 16
	maxGiven = 64
)

// read reads the fields after the host, to the end of the line.
func (r *reception) read(b []byte) bool {
	for {
		ident, ok := cut(b, " U=")
		if ok {
			return r.readIdent(ident)
		}
		if _, ok := cut(b, " P="); ok || len(b) == 0 {
			return r.readFields(b)
		}
		rest, ok := cutField(b)
		if !ok || r.isLate(b) {
			return r.readFields(b)
		}
		b = rest
	}
}

// isLate knows the fields that stand behind the protocol.
func (r *reception) isLate(b []byte) bool {
	for _, field := range [...]string{" A=", " S=", " id=", " T=", " P="} {
		if bytes.HasPrefix(b, []byte(field)) {
			return true
		}
	}
	return false
}

// readIdent reads a login, or what the client's ident service answered, which may
// hold blanks: it ends where the rest is in order.
func (r *reception) readIdent(b []byte) bool {
	end := 0
	for range maxTries {
		next := bytes.IndexByte(b[end:], ' ')
		if next < 0 {
			return false
		}
		end += next
		before := *r
		if end > 0 && r.readFields(b[end:]) {
			r.ident = b[:end]
			return true
		}
		*r = before
		end++
	}
	return false
}

// readFields reads the fields from the protocol on.
func (r *reception) readFields(b []byte) bool {
	for len(b) > 0 {
		if account, ok := cut(b, " A="); ok && r.step < stepAccount {
			r.step = stepAccount
			return r.readAccount(account)
		}
		rest, ok := r.readField(b)
		if !ok {
			return false
		}
		b = rest
	}
	return r.step >= stepSize
}

// readAccount reads an authenticator and the login, which may hold blanks, but no
// field after one. Of a client's certificate it is a name with fields of its own.
// Behind the login may stand what the client gave as AUTH= (+smtp_mailauth), which
// may hold anything but a client, which another reading of the line would have
// (hostField): it ends where the rest is in order.
//
//	A=dovecot_login:anna@example.com S=735
//	A=plain:anna@example.com:boss@example.com S=735
//	A=plain:anna@example.com:x S=1 id=foo@y.test S=287
//	A=tlsauth:O=Widgets\, Ltd,CN=client.example S=433
func (r *reception) readAccount(b []byte) bool {
	word, _, _ := bytes.Cut(b, []byte{' '})
	given := bytes.Count(word, []byte{':'}) > 1
	end, tries, client := 0, maxTries, -1
	if given {
		tries, client = maxGiven, bytes.Index(b, []byte(") ["))
	}
	for tries > 0 {
		next := bytes.IndexByte(b[end:], ' ')
		switch {
		case next < 0,
			end > 0 && client >= 0 && end+next > client+1,
			end > 0 && !given && isField(b[end:end+next]):
			return false
		}
		end += next
		if _, ok := cutField(b[end:]); !ok { // no field begins here
			end++
			continue
		}
		before := *r
		if r.readFields(b[end:]) {
			_, login, _ := bytes.Cut(b[:end], []byte{':'})
			login, _, _ = bytes.Cut(login, []byte{':'})
			r.account = printed(login)
			return true
		}
		*r = before
		end, tries = end+1, tries-1
	}
	return false
}

// isField reports whether a word begins as a field does: NAME=.
func isField(word []byte) bool {
	name := bytes.IndexByte(word, '=')
	for _, c := range word[:max(name, 0)] {
		if !isNameByte(c) {
			return false
		}
	}
	return name >= 0
}

// readField reads the field at the start of b and returns what follows it.
func (r *reception) readField(b []byte) (rest []byte, ok bool) {
	switch {
	case bytes.HasPrefix(b, []byte(" P=")) && r.step < stepProtocol:
		r.step = stepProtocol
		r.protocol, _, _ = bytes.Cut(b[3:], []byte{' '})
		return b[3+len(r.protocol):], true
	case bytes.HasPrefix(b, []byte(" S=")) && r.step < stepSize:
		r.step = stepSize
		if rest, ok = cut(b[3:], "sss"); !ok { // Exim's test suite writes it for every size
			r.size, rest = digits(b[3:])
		}
		return rest, len(rest) < len(b)-3 && (len(rest) == 0 || rest[0] == ' ')
	case r.step < stepSize:
		if r.isLate(b) {
			return b, false
		}
		return cutField(b)
	}
	return r.readLate(b)
}

// readLate reads what may follow the size.
func (r *reception) readLate(b []byte) (rest []byte, ok bool) {
	if id, found := cutEither(b, " id=", " id*="); found && r.step < stepMessageID {
		r.step = stepMessageID
		r.messageID, rest, ok = cutWord(id)
		return rest, ok || !r.complete
	}
	if subject, found := cut(b, ` T="`); found && r.step < stepSubject {
		r.step = stepSubject
		_, rest, ok = cutQuoted(subject)
		return rest, ok || !r.complete
	}
	if from, found := cut(b, " from <"); found && r.step < stepFrom {
		r.step = stepFrom
		_, rest, ok = cutAngle(from)
		return rest, ok || !r.complete
	}
	if recipients, found := cut(b, " for"); found {
		return nil, r.readRecipients(recipients)
	}
	if r.step > stepSize || r.isLate(b) {
		return b, false
	}
	return cutField(b)
}

func cutEither(b []byte, one, other string) ([]byte, bool) {
	if rest, ok := cut(b, one); ok {
		return rest, true
	}
	return cut(b, other)
}

// readRecipients counts recipients. Those of a client have a domain
// (smtp_in.c), which no field has.
func (r *reception) readRecipients(b []byte) bool {
	n := int32(0)
	for len(b) > 0 {
		if b[0] != ' ' {
			return false
		}
		word, rest, ok := cutWord(b[1:])
		if !ok && r.complete || r.hosted && r.complete && bytes.IndexByte(word, '@') < 0 && string(word) != "<trunc>" {
			return false
		}
		n, b = n+1, rest
	}
	if r.complete {
		r.recipients = n
	}
	return n > 0
}
