package recorder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"spoor/internal/disk"
	"spoor/internal/origin"
)

// Held is a message that waits in the store. All of it but UID, GID and the time is
// its sender's own word.
type Held struct {
	Name       string    `json:"name"`
	ID         string    `json:"id"`
	Time       time.Time `json:"time"` // UTC
	UID        int       `json:"uid"`
	GID        int       `json:"gid"`
	Args       []string  `json:"argv"` // the real sendmail's
	Script     string    `json:"script,omitempty"`
	MessageID  string    `json:"message_id,omitempty"`
	Recipients int       `json:"recipients,omitempty"`
	SizeBytes  int64     `json:"size"` // as it is stored, with the field
	Releasing  bool      `json:"-"`    // it was being released when that was cut off: it may have been sent
}

// Store keeps messages that are held, in a folder that is root's alone:
// NAME.eml has the message, NAME.json its envelope. A message is there if its
// NAME.json is, which is written last. While it is released the latter is called
// NAME.out.
type Store struct{ dir *disk.Dir }

const (
	messageEnd   = ".eml"
	envelopeEnd  = ".json"
	unfinished   = ".tmp"
	releasingEnd = ".out"
)

// OpenStore opens the store below a state folder, and makes it.
func OpenStore(state *disk.Dir) (*Store, error) {
	dir, err := state.MakeDir(origin.HeldName, 0o700)
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

// Sweep removes what a recorder left behind that was killed while a message came:
// its sender was not told that it is kept.
func (s *Store) Sweep() error {
	names, err := s.dir.Names()
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, name := range names {
		if base, end := splitName(name); end == envelopeEnd || end == releasingEnd {
			known[base] = true
		}
	}
	for _, name := range names {
		if base, end := splitName(name); end == unfinished || end == messageEnd && !known[base] {
			if err := s.dir.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
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

// commit makes the message durable, then its envelope, then the names of both.
func (i *incoming) commit(h *Held) error {
	h.Name, h.SizeBytes = i.name, i.bytes
	if err := i.file.Sync(); err != nil {
		return err
	}
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := i.store.writeDurably(i.name+unfinished, text); err != nil {
		return err
	}
	if err := i.store.dir.Rename(i.name+unfinished, i.store.dir, i.name+envelopeEnd); err != nil {
		return err
	}
	if err := i.store.dir.Sync(); err != nil {
		_ = i.store.dir.Remove(i.name + envelopeEnd) // it is not said to be kept
		return err
	}
	return i.file.Close()
}

// withdraw removes a message that was committed and that its sender was not told of.
func (i *incoming) withdraw() error {
	for _, end := range [...]string{envelopeEnd, messageEnd} {
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

// List returns what is held, the oldest first, and how many envelopes could not be
// read.
func (s *Store) List() (list []Held, damaged int, err error) {
	names, err := s.dir.Names()
	if err != nil {
		return nil, 0, err
	}
	for _, name := range names {
		base, end := splitName(name)
		if end != envelopeEnd && end != releasingEnd {
			continue
		}
		h, err := s.read(name)
		if err != nil || h.Name != base {
			damaged++
			continue
		}
		h.Releasing = end == releasingEnd
		list = append(list, h)
	}
	sortHeld(list)
	return list, damaged, nil
}

const maxEnvelope = 16 << 20

func (s *Store) read(name string) (h Held, err error) {
	f, err := s.dir.Open(name)
	if err != nil {
		return h, err
	}
	defer func() { _ = f.Close() }()
	text, err := readAll(f, maxEnvelope)
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(text, &h)
}

// ErrHeld is returned for a name that is not in the store.
var ErrHeld = errors.New("no such message is held")

// Take opens a message to release it. From then on it is not released again
// without a word: who takes it may be killed before he can say that it was sent.
func (s *Store) Take(name string, again bool) (Held, *disk.File, error) {
	end := envelopeEnd
	h, err := s.read(name + end)
	if errors.Is(err, fs.ErrNotExist) && again {
		end = releasingEnd
		h, err = s.read(name + end)
	}
	if errors.Is(err, fs.ErrNotExist) || err == nil && h.Name != name {
		return Held{}, nil, fmt.Errorf("%s: %w", name, ErrHeld)
	}
	if err != nil {
		return Held{}, nil, err
	}
	f, err := s.dir.Open(name + messageEnd)
	if err == nil && end == envelopeEnd {
		if err = s.dir.Rename(name+end, s.dir, name+releasingEnd); err == nil {
			err = s.dir.Sync()
		}
		if err != nil {
			_ = f.Close()
		}
	}
	return h, f, err
}

// Back says that a message that was taken was not sent.
func (s *Store) Back(name string) error {
	if err := s.dir.Rename(name+releasingEnd, s.dir, name+envelopeEnd); err != nil {
		return err
	}
	return s.dir.Sync()
}

// Done says that it was, and removes it.
func (s *Store) Done(name string) error {
	if err := s.dir.Remove(name + releasingEnd); err != nil {
		return err
	}
	if err := s.dir.Remove(name + messageEnd); err != nil {
		return err
	}
	return s.dir.Sync()
}
