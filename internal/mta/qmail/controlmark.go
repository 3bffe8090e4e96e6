package qmail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"spoor"
	"spoor/internal/disk"
)

// channelFile is local/ID or remote/ID, open to be marked.
type channelFile struct {
	role   string
	file   *disk.File // nil where qmail-send has removed it
	inode  uint64
	watch  int        // of the watcher
	marked []recordAt // that we have marked as done
	read   int64      // how far qmail-send had read it; 0 where it did not
}

// recordAt is a recipient and where its record starts.
type recordAt struct {
	offset  int64
	address string
}

// openChannels opens the files that will be marked, and has them watched from
// before they are read.
func (c *controller) openChannels(it *liveItem, w *watcher) error {
	for _, one := range c.channelShelves() {
		if ok, err := it.has(one.role); err != nil {
			return err
		} else if !ok {
			continue
		}
		f := &channelFile{role: one.role}
		it.channels = append(it.channels, f) // even if it fails: it will be closed
		if err := f.open(one.from.of(it.id), it.name, w); err != nil {
			return err
		}
	}
	return nil
}

func (c *controller) channelShelves() [2]shelfRole {
	return [...]shelfRole{{c.shelves.local, roleLocal}, {c.shelves.remote, roleRemote}}
}

func (f *channelFile) open(d *disk.Dir, name string, w *watcher) (err error) {
	if d == nil {
		return nil
	}
	f.file, err = d.OpenWrite(name)
	if errors.Is(err, fs.ErrNotExist) {
		f.file = nil
		return nil
	}
	if err != nil {
		return err
	}
	st, err := f.file.Stat()
	if err == nil {
		f.inode = st.Inode
		f.watch, err = w.add(f.file)
	}
	return err
}

// mark leaves qmail-send nothing to do for a message: no bounce, and no recipient.
func (c *controller) mark(it *liveItem) error {
	if len(it.channels) == 0 {
		return nil // it waits for its bounce only
	}
	if err := c.dropBounce(it); err != nil {
		return err
	}
	for _, f := range it.channels {
		if err := it.markChannel(f); err != nil {
			return fmt.Errorf("mark %s/%s: %w", f.role, it.name, err)
		}
	}
	return nil
}

func (c *controller) dropBounce(it *liveItem) error {
	if d := c.shelves.bounce.of(it.id); d != nil {
		return absent(d.Remove(it.name))
	}
	return nil
}

// errOtherRecords is returned where a channel file is not the one that was copied.
var errOtherRecords = errors.New("its recipients are not those that were copied")

// markChannel marks every recipient that is to do, and brings the copy up to what
// qmail-send had done before.
func (it *liveItem) markChannel(f *channelFile) error {
	copied, err := it.held.OpenWrite(it.name + "." + f.role)
	if err != nil {
		return err
	}
	was, st, err := readOpen(copied)
	if err == nil {
		err = it.markRecords(f, copied, was)
	}
	if err == nil {
		err = copied.SetTimes(st.Accessed, st.Modified)
	}
	return errors.Join(err, copied.Close())
}

func (it *liveItem) markRecords(f *channelFile, copied *disk.File, was []byte) error {
	var is []byte
	if f.file != nil {
		var err error
		if is, _, err = readOpen(f.file); err != nil {
			return err
		}
	}
	for offset := 0; ; {
		letter, value, rest, ok := cutRecord(was[offset:])
		if !ok {
			return nil
		}
		next := len(was) - len(rest)
		if is != nil && (len(is) < next || !bytes.Equal(is[offset+1:next], was[offset+1:next])) {
			return errOtherRecords
		}
		if letter == 'T' {
			one := recordAt{offset: int64(offset), address: string(value)}
			if err := it.markRecord(f, copied, one, is != nil && is[offset] == 'T'); err != nil {
				return err
			}
		}
		offset = next
	}
}

// markRecord marks a recipient. One that is done already was done by qmail-send, or
// by an earlier run of ours: then nobody can tell.
func (it *liveItem) markRecord(f *channelFile, copied *disk.File, one recordAt, todo bool) error {
	switch {
	case todo:
		f.marked = append(f.marked, one)
		_, err := f.file.WriteAt([]byte{'D'}, one.offset)
		return err
	case it.again:
		it.doubtful = append(it.doubtful, one.address)
		return nil
	}
	_, err := copied.WriteAt([]byte{'D'}, one.offset)
	return err
}

// settleDeliveries finds the recipients whose delivery was under way when they were
// marked, and writes them down. With that a message is taken.
//
// What can be told: a process below qmail-lspawn or qmail-rspawn has the message
// open; qmail-send is reading its recipients and has come as far as it has; and it
// closes a channel file that it has written to when a report comes in, of which
// inotify(7) tells. All are looked for at once, and again after a while.
func (c *controller) settleDeliveries(ctx context.Context, items []*liveItem, out []spoor.Outcome, w *watcher) error {
	for look := range 2 {
		if look > 0 {
			if err := sleep(ctx, c.deliveries); err != nil {
				return err
			}
		}
		seen, err := c.sight(items)
		if err != nil {
			return err
		}
		for _, it := range items {
			if it != nil {
				it.doubtSeen(seen, look == 0)
			}
		}
	}
	written, err := w.drain()
	if err != nil {
		return err
	}
	c.eachLive(items, out, func(it *liveItem) error {
		it.doubtWritten(written)
		return c.finishLive(it)
	})
	return nil
}

// finishLive writes down the recipients that a restore leaves out. A bounce that
// has come up since is for one of them.
func (c *controller) finishLive(it *liveItem) error {
	if len(it.channels) > 0 {
		if err := c.dropBounce(it); err != nil {
			return err
		}
	}
	var data []byte
	for _, address := range it.doubtful {
		data = append(append(append(data, 'T'), address...), 0)
	}
	like := disk.Stat{UID: c.users.send, GID: c.users.group, Mode: 0o600, Accessed: c.now(), Modified: c.now()}
	if err := it.remove(heldPart); err != nil {
		return err
	}
	if err := it.write(heldPart, data, like); err != nil {
		return err
	}
	return it.held.Rename(it.name+"."+heldPart, it.held, it.name+"."+heldUncertain)
}

// uncertain reads them.
func (it *item) uncertain() (list []string, err error) {
	f, err := it.held.Open(it.name + "." + heldUncertain)
	if err != nil {
		return nil, err
	}
	data, _, err := readOpen(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	var to spoor.Recipients
	parseChannel(data, spoor.ChannelUndecided, &to)
	for one := range to.All() {
		list = append(list, one.Address)
	}
	return list, nil
}
