package recorder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/vault"
)

// MTA is what the vault calls the mail system of a held message: it has met none yet.
const MTA = "shim"

// The files of a held message in the vault, by role.
const (
	RoleMessage = "message" // as it came, with the field
	RoleCall    = "call"    // what is needed to hand it to sendmail, for ParseHeld
)

// containerEnd ends the name of a container of held messages, behind the day on which
// they came.
const containerEnd = "-held"

// Container is the name in the vault of those that were held on a day in UTC. It depends
// on the message alone: whoever takes it in again finds it there.
func Container(held time.Time) string { return held.UTC().Format("20060102") + containerEnd }

// IsContainer reports whether a name in the vault is that of held messages, and of no
// plan.
func IsContainer(name string) bool {
	day, ok := strings.CutSuffix(name, containerEnd)
	_, err := time.Parse("20060102", day)
	return ok && err == nil
}

// Intake moves held messages from the store into the vault. While it is open no other
// one works, in this process or another. It may be called by one goroutine at a time.
type Intake struct {
	store *Store // locked
	vault *vault.Vault
	now   func() time.Time
}

// Taken is what an Intake has done.
type Taken struct {
	Messages int   // that are in the vault now
	Failed   int   // that stay in the store: they cannot be read, or are no messages of the recorder
	Err      error // of the first of them
}

// OpenIntake locks the store below a state folder. It returns disk.ErrLocked while
// another one works, and fs.ErrNotExist where nothing was ever held. The vault stays
// the caller's.
func OpenIntake(state *disk.Dir, v *vault.Vault, now func() time.Time) (*Intake, error) {
	dir, err := state.OpenDir(heldName)
	if err != nil {
		return nil, err
	}
	if err := dir.Flock(); err != nil {
		_ = dir.Close()
		return nil, err
	}
	return &Intake{store: &Store{dir: dir}, vault: v, now: now}, nil
}

// intakePause is how long WaitIntake sleeps between two tries.
const intakePause = 20 * time.Millisecond

// WaitIntake is OpenIntake, and waits while another one works, at most so long.
func WaitIntake(ctx context.Context, state *disk.Dir, v *vault.Vault, now func() time.Time, most time.Duration) (*Intake, error) {
	for left := most; ; left -= intakePause {
		in, err := OpenIntake(state, v, now)
		if !errors.Is(err, disk.ErrLocked) || left <= 0 || ctx.Err() != nil {
			return in, err
		}
		pause(ctx, intakePause)
	}
}

// Close lets others work.
func (in *Intake) Close() error { return in.store.Close() }

// Take moves messages, the oldest first, at most so many; 0 means all. Each is in the
// store until it is durable in the vault. One that a crash has left in both is known
// by its name and time, and counted once. The error is one of the vault or of the
// store; what was not moved is where it was.
func (in *Intake) Take(ctx context.Context, most int) (Taken, error) {
	var done Taken
	list, err := in.waiting(&done)
	if err != nil {
		return done, fmt.Errorf("list the store of held messages: %w", err)
	}
	if most > 0 {
		list = list[:min(most, len(list))]
	}
	for len(list) > 0 {
		day := Container(list[0].held.Time)
		n := slices.IndexFunc(list, func(s stored) bool { return Container(s.held.Time) != day })
		if n < 0 {
			n = len(list)
		}
		n = min(n, intakeBatch)
		if err := in.move(day, list[:n], &done); err != nil {
			return done, err
		}
		if err := ctx.Err(); err != nil {
			return done, err
		}
		list = list[n:]
	}
	return done, nil
}

// intakeBatch is how many messages share the syncs.
const intakeBatch = 500

// stored is an envelope in the store.
type stored struct {
	name string // of its file
	text []byte
	held Held
}

// waiting lists what is held or in doubt; a message whose sender is being told is
// neither yet.
func (in *Intake) waiting(done *Taken) ([]stored, error) {
	names, err := in.store.dir.Names()
	if err != nil {
		return nil, err
	}
	var list []stored
	for _, name := range names {
		if _, end := splitName(name); end != envelopeEnd && end != doubtEnd {
			continue
		}
		h, text, err := in.store.read(name)
		if err != nil {
			done.fail(err)
			continue
		}
		list = append(list, stored{name: name, text: text, held: h})
	}
	slices.SortFunc(list, func(a, b stored) int { return compareHeld(&a.held, &b.held) })
	return list, nil
}

func (t *Taken) fail(err error) {
	if t.Failed++; t.Err == nil {
		t.Err = err
	}
}

// move moves messages of one day: into the container, and only when they are durable
// there, out of the store.
func (in *Intake) move(day string, list []stored, done *Taken) error {
	w, err := in.vault.Append(day)
	if err != nil {
		return fmt.Errorf("open the vault: %w", err)
	}
	there, err := in.add(w, list, done)
	if err == nil {
		err = w.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the vault: %w", err), w.Abandon())
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := in.drop(there); err != nil {
		return fmt.Errorf("take out of the store what is in the vault: %w", err)
	}
	done.Messages += len(there)
	return nil
}

// add stores messages in a container, and returns those that are there.
func (in *Intake) add(w *vault.Writer, list []stored, done *Taken) (there []stored, err error) {
	for i := range list {
		s := &list[i]
		if entry, ok := w.Find(spoor.QueueID(s.held.Name), s.held.Time); ok { // an earlier run was cut off
			if s.held.InDoubt && entry.Mark.Fate == vault.FateStored {
				if err := w.Mark(entry.Ref, DoubtMark(s.held.Name, "", in.now())); err != nil {
					return nil, err
				}
			}
			there = append(there, *s)
			continue
		}
		p, err := in.store.parcel(s, in.now().UTC())
		if err != nil {
			done.fail(err)
			continue
		}
		ref, err := w.Add(p)
		switch {
		case errors.Is(err, vault.ErrSource):
			done.fail(err)
			continue
		case err == nil && s.held.InDoubt:
			err = w.Mark(ref, DoubtMark(s.held.Name, "", in.now()))
		}
		if err != nil {
			return nil, err
		}
		there = append(there, *s)
	}
	return there, nil
}

// DoubtMark is the note in the vault that a message may have been sent: by a plan that
// was about to hand it over, or before there were such plans.
func DoubtMark(name, plan string, now time.Time) vault.Mark {
	return vault.Mark{
		Fate: vault.FateRestoring, Time: now.UTC(), By: plan,
		Prepared: spoor.Prepared{Tag: "sendmail", OldID: spoor.QueueID(name)},
	}
}

// drop removes messages from the store. The envelope goes first, durably: an envelope
// without a message would be one that cannot be read.
func (in *Intake) drop(list []stored) error {
	if len(list) == 0 {
		return nil
	}
	for i := range list {
		if err := in.store.remove(list[i].name); err != nil {
			return err
		}
	}
	if err := in.store.dir.Sync(); err != nil {
		return err
	}
	for i := range list {
		if err := in.store.remove(list[i].held.Name + messageEnd); err != nil {
			return err
		}
	}
	return in.store.dir.Sync()
}

// Forget makes sure that the store has nothing of a message that is in the vault: a
// copy that came back after it was sent would be sent again.
func (in *Intake) Forget(name string) error {
	if !validName(name) {
		return fmt.Errorf("%q: %w", name, errEnvelope)
	}
	found := false
	for _, end := range [...]string{envelopeEnd, doubtEnd, messageEnd} {
		_, err := in.store.dir.Stat(name + end)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = in.store.remove(name + end)
		}
		if err != nil {
			return err
		}
		found = true
	}
	if !found {
		return nil
	}
	return in.store.dir.Sync()
}

// Scratch makes a file that has no name, so that nothing of it is left when it is
// closed, by this process or by the last that it was given to.
func (in *Intake) Scratch() (*disk.File, error) {
	const name = "release" + unfinished
	if err := in.store.remove(name); err != nil {
		return nil, err
	}
	f, err := in.store.dir.Create(name, 0o600)
	if err != nil {
		return nil, err
	}
	if err := in.store.remove(name); err != nil { // or a recorder that begins has
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s *Store) remove(name string) error {
	if err := s.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
