package recorder

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"strconv"
	"sync"
	"time"

	"spoor/internal/shim"
)

// A sender who is told to try later does so with the same message. The proof that it is
// the same is that nothing differs: user, group, arguments and every byte, among them
// the Message-ID that he gave it, which no other message has (RFC 5322 §3.6.4). One
// without a Message-ID, or with a new one, may be another message that says the same.

// fingerprint is a SHA-256 of all that.
type fingerprint [sha256.Size]byte

// printer makes the fingerprint of a message that comes in pieces. The field that the
// shim has put in is another each time, and is left out.
type printer struct {
	hash  hash.Hash
	field []byte // as it stands in the message, without the end of its line
	top   []byte // the beginning, as long as the field may be in it
	begun bool   // top was hashed
}

// topPrinted is how much is kept until the field is looked for: the shim puts it into
// what it reads first.
const topPrinted = 128 << 10

func newPrinter(id string) *printer {
	return &printer{hash: sha256.New(), field: []byte(shim.Field + ": " + id)}
}

func (p *printer) write(data []byte) {
	if p.begun {
		_, _ = p.hash.Write(data)
		return
	}
	if p.top = append(p.top, data...); len(p.top) >= topPrinted {
		p.begin()
	}
}

// begin hashes the beginning without the field.
func (p *printer) begin() {
	p.begun = true
	top := p.top
	for rest := top; len(rest) > 0; {
		at := len(top) - len(rest)
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		if bytes.Equal(bytes.TrimSuffix(line, []byte{'\r'}), p.field) {
			_, _ = p.hash.Write(top[:at])
			top = rest
			break
		}
	}
	_, _ = p.hash.Write(top)
	p.top = nil
}

// sum is the fingerprint of the whole message, sent by a user in this way.
func (p *printer) sum(h *Held) (f fingerprint) {
	if !p.begun {
		p.begin()
	}
	content := p.hash.Sum(nil)
	whole := sha256.New()
	_, _ = whole.Write([]byte(strconv.Itoa(h.UID) + " " + strconv.Itoa(h.GID) + " " + strconv.Itoa(len(h.Args)) + "\x00"))
	for _, arg := range h.Args { // none has a NUL
		_, _ = whole.Write([]byte(arg + "\x00"))
	}
	_, _ = whole.Write(content)
	whole.Sum(f[:0])
	return f
}

// retries remembers which messages were held whose senders were told to try later. It
// is kept in memory alone: a recorder that starts anew may keep one twice.
type retries struct {
	now func() time.Time

	mu   sync.Mutex
	kept map[fingerprint]keptAs
}

type keptAs struct {
	name string
	at   time.Time
}

const (
	retryAge   = 24 * time.Hour
	maxRetries = 100_000 // some 10 MB
)

// of returns the name under which the same message is held, or was.
func (r *retries) of(f fingerprint) (name string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.kept[f]
	age := r.now().Sub(k.at)
	return k.name, ok && age >= 0 && age < retryAge
}

func (r *retries) add(f fingerprint, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if len(r.kept) >= maxRetries {
		for old, k := range r.kept {
			if age := now.Sub(k.at); age < 0 || age >= retryAge {
				delete(r.kept, old)
			}
		}
	}
	if r.kept == nil {
		r.kept = map[fingerprint]keptAs{}
	}
	if len(r.kept) < maxRetries {
		r.kept[f] = keptAs{name: name, at: now}
	}
}
