package qmail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// Pack implements mta.Controller.
func (c *controller) Pack(t *spoor.Target) (*spoor.Parcel, error) {
	it, err := c.item(t, -1)
	if err != nil {
		return nil, err
	}
	live, err := c.held.exists(heldLive)
	if err != nil {
		return nil, err
	}
	if live {
		p, err := c.packLive(it)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	p, err := c.pack(it)
	if err != nil {
		return nil, fmt.Errorf("pack message %s: %w", t.ID, err)
	}
	return p, nil
}

// pack reads the files of a message in its holding place.
func (c *controller) pack(it *item) (*spoor.Parcel, error) {
	p := &spoor.Parcel{Target: *it.t, MTA: c.queue.MTA(), CallerUID: -1}
	var k known
	if !it.copies {
		k, _ = c.recall(it)
	}
	if err := c.packContent(p, it, k); err != nil {
		return nil, err
	}
	s := c.shelves
	for _, one := range []shelfRole{
		{s.todo, roleTodo},
		{s.info, roleInfo},
		{s.local, roleLocal},
		{s.remote, roleRemote},
		{s.bounce, roleBounce},
		{s.intd, roleIntd},
		{s.info, roleStray},
	} {
		if k.absent(one.role) {
			continue
		}
		if one.role == roleInfo && has(p, roleTodo) {
			continue // info is then called stray
		}
		if err := c.packEnvelope(p, it, one); absent(err) != nil {
			return nil, err
		}
	}
	return p, nil
}

func has(p *spoor.Parcel, role string) bool {
	_, ok := p.File(role)
	return ok
}

// packContent adds mess.
func (c *controller) packContent(p *spoor.Parcel, it *item, k known) error {
	name, err := it.contentName(k)
	if err != nil {
		return err
	}
	file, _, err := mta.PackFile(it.held, name, nil)
	if err != nil {
		return err
	}
	folder := it.t.Folder
	if c.shelves.mess.number(folder) < 0 {
		folder = c.shelves.mess.path(c.shelves.mess.index(it.id))
	}
	file.Role, file.Name = roleMess, folder+"/"+it.name
	p.Files = append(p.Files, file)
	return nil
}

// contentName is the name of the content in the holding place. What an earlier run
// has put there is looked at once more.
func (it *item) contentName(k known) (string, error) {
	name, orphan := it.name+"."+roleMess, it.name+"."+heldOrphan
	switch {
	case k.roles&bitOf(heldOrphan) != 0:
		return orphan, nil
	case k.roles&bitOf(roleMess) != 0:
		return name, nil
	}
	st, err := it.held.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		name = orphan
		st, err = it.held.Stat(name)
	}
	if err != nil {
		return "", err
	}
	if !st.Regular || (it.t.Inode != 0 && st.Inode != it.t.Inode) {
		return "", fmt.Errorf("%s/%s: %w", it.held.Name(), name, disk.ErrNotRegular)
	}
	return name, nil
}

// packEnvelope adds a file of the envelope, and what it tells of recipients.
func (c *controller) packEnvelope(p *spoor.Parcel, it *item, one shelfRole) error {
	name := it.name + "." + one.role
	file, data, err := mta.PackFile(it.held, name, nil)
	if err != nil {
		return err
	}
	if data == nil {
		if data, err = readEnvelope(it.held, name); err != nil {
			return err
		}
	}
	addEnvelope(p, one.role, data)
	file.Role, file.Name = one.role, one.from.path(one.from.index(it.id))+"/"+it.name
	p.Files = append(p.Files, file)
	return nil
}

// readEnvelope reads a large file.
func readEnvelope(d *disk.Dir, name string) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	data, _, err := readOpen(f)
	return data, errors.Join(err, f.Close())
}

// readOpen reads an envelope file whole.
func readOpen(f *disk.File) (data []byte, st disk.Stat, err error) {
	if st, err = f.Stat(); err != nil {
		return nil, st, err
	}
	if st.SizeBytes > envelopeBytes {
		return nil, st, fmt.Errorf("%s: %w", f.Name(), errEnvelopeSize)
	}
	data = make([]byte, st.SizeBytes)
	n, err := f.ReadAt(data, 0)
	if errors.Is(err, io.EOF) || len(data) == 0 {
		err = nil
	}
	return data[:n], st, err
}

// addEnvelope adds the recipients of a file.
func addEnvelope(p *spoor.Parcel, role string, data []byte) {
	var to spoor.Recipients
	switch role {
	case roleTodo:
		record, _ := parseTodo(data, &to, func([]byte) {})
		p.CallerUID = record.uid
	case roleLocal, roleRemote:
		if has(p, roleTodo) {
			return // left from a crash: qmail-send writes them anew
		}
		channel := spoor.ChannelLocal
		if role == roleRemote {
			channel = spoor.ChannelRemote
		}
		parseChannel(data, channel, &to)
	}
	for one := range to.All() {
		if one.Address != "" {
			p.Envelope = append(p.Envelope, one)
		}
	}
}
