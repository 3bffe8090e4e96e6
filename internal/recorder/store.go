package recorder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode/utf8"

	"spoor/internal/disk"
	"spoor/internal/origin"
	"spoor/internal/vault"
)

// Held is a message that was kept over a limit: what is needed to hand it to
// sendmail, and what is shown of it. All but UID, GID, User, the time and the limit
// is its sender's own word.
type Held struct {
	Name       string    `json:"name"` // time and nonce of its ID
	ID         string    `json:"id"`   // of its X-Spoor-Origin field
	Time       time.Time `json:"time"` // UTC
	UID        int       `json:"uid"`
	GID        int       `json:"gid"`
	User       string    `json:"user,omitempty"` // login of UID then
	Args       []string  `json:"argv"`           // the real sendmail's
	RawArgs    [][]byte  `json:"argv_base64,omitempty"`
	Script     string    `json:"script,omitempty"`
	Limit      string    `json:"limit,omitempty"` // that it was over; "" of those that an older spoor held
	Sender     string    `json:"sender,omitempty"`
	MessageID  string    `json:"message_id,omitempty"`
	Recipients int       `json:"recipients,omitempty"`
	SizeBytes  int64     `json:"size"` // as it is stored, with the field

	// InDoubt is of a message that may have been sent already: its release was cut
	// off, or its sender was perhaps not told that it is kept.
	InDoubt bool `json:"-"`

	// Of one in the vault: the plan that was about to hand it over, where it is in doubt
	// and that is known; its place, nil for one in the store; its recipients.
	By        string       `json:"-"`
	Entry     *vault.Entry `json:"-"`
	Addresses []string     `json:"-"`
}

// encode writes what is needed of a message beside its content. JSON has no bytes
// that are no UTF-8: arguments that are not are kept a second time.
func (h *Held) encode() ([]byte, error) {
	for _, arg := range h.Args {
		if !utf8.ValidString(arg) {
			h.RawArgs = rawArgs(h.Args)
			break
		}
	}
	return json.Marshal(h)
}

func rawArgs(args []string) [][]byte {
	raw := make([][]byte, len(args))
	for i, arg := range args {
		raw[i] = []byte(arg)
	}
	return raw
}

// ParseHeld is the inverse: it reads the file of the role RoleCall.
func ParseHeld(text []byte) (Held, error) {
	var h Held
	if err := json.Unmarshal(text, &h); err != nil {
		return Held{}, err
	}
	if len(h.RawArgs) > 0 {
		h.Args = nil
		for _, arg := range h.RawArgs {
			h.Args = append(h.Args, string(arg))
		}
	}
	if !validName(h.Name) || h.UID < 0 || h.GID < 0 {
		return Held{}, errEnvelope
	}
	return h, nil
}

var errEnvelope = errors.New("it is not what the recorder writes")

// validName reports whether a name can be one of a held message. Others never become
// a file's.
func validName(name string) bool {
	return name != "" && len(name) <= 100 && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Store is where messages are kept until they are in the vault, in a folder that is
// root's alone: NAME.eml has the message, and a file with another ending its envelope,
// which is written last. The endings say what is known of the message:
//
//	NAME.kept  it is on disk, and its sender is being told so
//	NAME.json  his shim was told: it is held
//	NAME.out   it may have been sent
type Store struct{ dir *disk.Dir }

// heldName is the folder in the state folder.
const heldName = origin.HeldName

const (
	messageEnd  = ".eml"
	keptEnd     = ".kept"
	envelopeEnd = ".json"
	doubtEnd    = ".out"
	unfinished  = ".tmp"
)

// isEnvelope reports whether a file is the envelope of a message.
func isEnvelope(end string) bool { return end == keptEnd || end == envelopeEnd || end == doubtEnd }

// OpenStore opens the store below a state folder, and makes it.
func OpenStore(state *disk.Dir) (*Store, error) {
	dir, err := state.MakeDir(heldName, 0o700)
	if err == nil {
		err = state.Sync()
	}
	if err != nil {
		return nil, fmt.Errorf("open the store of held messages: %w", err)
	}
	return &Store{dir: dir}, nil
}

// Close closes the folder.
func (s *Store) Close() error { return s.dir.Close() }

// Sweep is for a recorder that begins to serve. It removes what another one left
// behind that was killed while a message came: its sender was not told that it is
// kept. Where it was killed while it told him, nobody knows whether he has sent the
// message on.
func (s *Store) Sweep() error {
	names, err := s.dir.Names()
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, name := range names {
		if base, end := splitName(name); isEnvelope(end) {
			known[base] = true
		}
	}
	for _, name := range names {
		base, end := splitName(name)
		switch {
		case end == keptEnd:
			err = s.dir.Rename(name, s.dir, base+doubtEnd)
		case end == unfinished, end == messageEnd && !known[base]:
			err = s.remove(name) // whoever takes messages in removes some of these, too
		}
		if err != nil {
			return err
		}
	}
	return s.dir.Sync()
}

func splitName(name string) (base, end string) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return name, ""
	}
	return name[:dot], name[dot:]
}

// incoming is a message that is being stored.
type incoming struct {
	store *Store
	name  string
	file  *disk.File
	bytes int64
}

// begin makes the file of a message.
func (s *Store) begin(name string) (*incoming, error) {
	f, err := s.dir.Create(name+messageEnd, 0o600)
	if err != nil {
		return nil, err
	}
	return &incoming{store: s, name: name, file: f}, nil
}

func (i *incoming) Write(data []byte) (int, error) {
	n, err := i.file.Write(data)
	i.bytes += int64(n)
	return n, err
}

// abandon removes what has come so far.
func (i *incoming) abandon() {
	_ = i.file.Close()
	_ = i.store.dir.Remove(i.name + messageEnd)
}

// commit makes the message durable, then its envelope, then the names of both. It is
// held when told is called.
func (i *incoming) commit(h *Held) error {
	h.Name, h.SizeBytes = i.name, i.bytes
	if err := i.file.Sync(); err != nil {
		return err
	}
	text, err := h.encode()
	if err != nil {
		return err
	}
	if err := i.store.writeDurably(i.name+unfinished, text); err != nil {
		return err
	}
	if err := i.store.dir.Rename(i.name+unfinished, i.store.dir, i.name+keptEnd); err != nil {
		return err
	}
	if err := i.store.dir.Sync(); err != nil {
		_ = i.store.dir.Remove(i.name + keptEnd) // it is not said to be kept
		return err
	}
	return i.file.Close()
}

// told says that the sender knows that his message is kept: from now on it may go into
// the vault. A crash that makes this undone leaves it in doubt.
func (i *incoming) told() error {
	return i.store.dir.Rename(i.name+keptEnd, i.store.dir, i.name+envelopeEnd)
}

// withdraw removes a message that was committed and that its sender was not told of.
func (i *incoming) withdraw() error {
	for _, end := range [...]string{keptEnd, messageEnd} {
		if err := i.store.dir.Remove(i.name + end); err != nil {
			return err
		}
	}
	return i.store.dir.Sync()
}

func (s *Store) writeDurably(name string, text []byte) error {
	f, err := s.dir.Create(name, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = s.dir.Remove(name)
	}
	return err
}

// List returns what is in the store, the oldest first, and how many envelopes could
// not be read.
func (s *Store) List() (list []Held, damaged int, err error) {
	names, err := s.dir.Names()
	if err != nil {
		return nil, 0, err
	}
	for _, name := range names {
		if _, end := splitName(name); !isEnvelope(end) {
			continue
		}
		h, _, err := s.read(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it is on its way into the vault
		case err != nil:
			damaged++
		default:
			list = append(list, h)
		}
	}
	sortHeld(list)
	return list, damaged, nil
}

// maxEnvelope is how large an envelope may be, in bytes: the arguments twice, with
// what JSON adds to them.
const maxEnvelope = 64 << 20

// read reads an envelope, and returns its text too.
func (s *Store) read(name string) (h Held, text []byte, err error) {
	text, err = s.dir.Get(name, maxEnvelope)
	if err != nil {
		return h, nil, err
	}
	base, end := splitName(name)
	if h, err = ParseHeld(text); err == nil && h.Name != base {
		err = errEnvelope
	}
	if err != nil {
		return h, nil, fmt.Errorf("%s/%s: %w", s.dir.Name(), name, err)
	}
	h.InDoubt = end != envelopeEnd
	return h, text, nil
}
