package recorder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/vault"
)

// Waiting lists what is held below a state folder, the oldest first: in the vault, and
// in the store what is not there yet. damaged is how many messages cannot be read. v is
// nil where there is no vault.
func Waiting(state *disk.Dir, v *vault.Vault) (list []Held, damaged int, err error) {
	outside, damaged, err := outside(state)
	if err != nil {
		return nil, damaged, fmt.Errorf("list the store of held messages: %w", err)
	}
	inside := map[string]bool{}
	if v != nil {
		plans, err := v.Plans()
		if err != nil {
			return nil, damaged, err
		}
		for _, plan := range plans {
			if !IsContainer(plan) {
				continue
			}
			for entry, err := range v.Entries(plan) {
				var h Held
				if err == nil {
					inside[string(entry.ID)] = true
					if fate := entry.Mark.Fate; fate != vault.FateStored && fate != vault.FateRestoring {
						continue
					}
					h, err = HeldOf(v, &entry)
				}
				if err != nil {
					damaged++
					continue
				}
				list = append(list, h)
			}
		}
	}
	for i := range outside { // listed before: what moved meanwhile is in both
		if !inside[outside[i].Name] {
			list = append(list, outside[i])
		}
	}
	sortHeld(list)
	return list, damaged, nil
}

func outside(state *disk.Dir) (list []Held, damaged int, err error) {
	dir, err := state.OpenDir(heldName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = dir.Close() }()
	return (&Store{dir: dir}).List()
}

// HeldOf reads what is needed of a message of the vault to hand it to sendmail.
func HeldOf(v *vault.Vault, e *vault.Entry) (Held, error) {
	p, err := v.Parcel(*e)
	if err != nil {
		return Held{}, err
	}
	h, err := Call(p)
	if err != nil {
		return Held{}, err
	}
	h.InDoubt, h.By, h.Entry = e.Mark.Fate == vault.FateRestoring, e.Mark.By, e
	for i := range p.Envelope {
		h.Addresses = append(h.Addresses, p.Envelope[i].Address)
	}
	return h, nil
}

// Call reads the same of a parcel. It returns an error for a parcel that is none of the
// recorder's.
func Call(p *spoor.Parcel) (Held, error) {
	f, ok := p.File(RoleCall)
	if !ok || p.MTA != MTA || f.SizeBytes > maxEnvelope {
		return Held{}, fmt.Errorf("message %s: %w", p.ID, errEnvelope)
	}
	in, err := f.Open()
	if err != nil {
		return Held{}, err
	}
	text, err := io.ReadAll(in)
	if err := errors.Join(err, in.Close()); err != nil {
		return Held{}, err
	}
	h, err := ParseHeld(text)
	if err == nil && h.Name != string(p.ID) {
		err = errEnvelope
	}
	if err != nil {
		return Held{}, fmt.Errorf("message %s: %w", p.ID, err)
	}
	return h, nil
}

// Message opens the content of a held message in a parcel.
func Message(p *spoor.Parcel) (io.ReadCloser, error) {
	f, ok := p.File(RoleMessage)
	if !ok {
		return nil, fmt.Errorf("message %s has no content: %w", p.ID, errEnvelope)
	}
	return f.Open()
}
