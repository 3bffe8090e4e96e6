package qmail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"spoor"
	"spoor/internal/disk"
)

// draft is a message that is being written beside the queue, as new/TAG.role.
type draft struct {
	tag      string
	p        *spoor.Parcel
	dir      *disk.Dir
	prepared spoor.Prepared
}

// Prepare implements mta.Controller. The content is written first, and its inode
// is the new ID. The envelope is that of a message that is preprocessed where
// qmail-send is stopped, with all that it had; else it is what qmail-queue(8)
// writes, with the recipients that are not done.
func (c *controller) Prepare(ctx context.Context, tag string, p *spoor.Parcel) (spoor.Prepared, error) {
	if err := ctx.Err(); err != nil {
		return spoor.Prepared{}, err
	}
	if !isWord(tag, "") {
		return spoor.Prepared{}, fmt.Errorf("tag %q: %w", tag, errPlan)
	}
	c.changed.Store(true)
	dir, err := c.held.dir(heldNew)
	if err != nil {
		return spoor.Prepared{}, err
	}
	d := &draft{tag: tag, p: p, dir: dir, prepared: spoor.Prepared{Tag: tag, OldID: p.ID}}
	err = c.withdraw(d.dir, tag)
	if err == nil {
		err = c.write(d)
	}
	if err != nil {
		return spoor.Prepared{}, fmt.Errorf("prepare message %s: %w", p.ID, err)
	}
	return d.prepared, nil
}

// write chooses the form.
func (c *controller) write(d *draft) error {
	switch {
	case has(d.p, roleTodo):
		return c.writeTodo(d)
	case has(d.p, roleInfo) && c.running():
		return c.writeImport(d)
	case has(d.p, roleInfo):
		return c.writeRouted(d)
	}
	if err := c.writeContent(d, heldOrphan); err != nil {
		return err
	}
	visible := d.prepared.Inode
	err := c.copyFiles(d, roleIntd)
	d.prepared.Inode = visible
	return err
}

// writeTodo writes a message that waits to be preprocessed. Nothing of it was
// delivered.
func (c *controller) writeTodo(d *draft) error {
	if err := c.writeContent(d, roleMess); err != nil {
		return err
	}
	for _, one := range d.p.Envelope {
		d.prepared.Undone += oneIf(!one.Done)
	}
	return c.copyFiles(d, roleBounce, roleTodo)
}

// writeRouted writes the files of a preprocessed message as they were.
func (c *controller) writeRouted(d *draft) error {
	if err := c.writeContent(d, roleMess); err != nil {
		return err
	}
	for _, one := range d.p.Envelope {
		d.prepared.Undone += oneIf(!one.Done && !slices.Contains(d.p.Uncertain, one.Address))
	}
	return c.copyFiles(d, roleBounce, roleLocal, roleRemote, roleInfo)
}

// writeImport writes a message as qmail-queue does. The bounce that is due is put
// in its place before qmail-send sees the message, and it appends to it.
func (c *controller) writeImport(d *draft) error {
	info, err := d.content(roleInfo)
	if err != nil {
		return err
	}
	sender, reason := parseInfo(info)
	if reason != "" {
		return fmt.Errorf("info/%s: %s", d.p.ID, reason)
	}
	var to []string
	for _, one := range d.p.Envelope {
		if one.Done || slices.Contains(d.p.Uncertain, one.Address) {
			continue
		}
		if one.Channel == spoor.ChannelLocal {
			one.Address = c.queue.LocalAddress(one.Address)
		}
		to = append(to, one.Address)
	}
	if d.prepared.Undone = len(to); len(to) == 0 {
		return nil
	}
	if err := c.writeContent(d, roleMess); err != nil {
		return err
	}
	if err := c.copyFiles(d, roleBounce); err != nil {
		return err
	}
	return c.writeEnvelope(d, sender, to)
}

// writeEnvelope writes what qmail-queue(8) leaves in todo.
func (c *controller) writeEnvelope(d *draft, sender string, to []string) error {
	mess, _ := d.p.File(roleMess)
	info, _ := d.p.File(roleInfo)
	var text bytes.Buffer
	text.WriteString(c.caller(d))
	text.WriteString("F" + sender + "\x00")
	for _, address := range to {
		text.WriteString("T" + address + "\x00")
	}
	c.births[d.tag] = info.Modified
	return d.create(roleTodo, &text, spoor.PackedFile{
		Mode: 0o644, UID: c.users.queue, GID: mess.GID, Accessed: c.now(), Modified: mess.Modified, SizeBytes: int64(text.Len()),
	})
}

// caller writes the u and p records from the line that qmail-queue put on top of
// the message (received.c), or none:
//
//	Received: (qmail 24352 invoked by uid 48); 23 Nov 2026 11:32:18 -0000
func (c *controller) caller(d *draft) string {
	head := make([]byte, 128)
	f, err := d.dir.Open(d.tag + "." + roleMess)
	if err != nil {
		return ""
	}
	n, _ := f.ReadAt(head, 0)
	_ = f.Close()
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	rest, ok := strings.CutPrefix(line, "Received: (qmail ")
	pid, rest, found := strings.Cut(rest, " invoked ")
	how, _, closed := strings.Cut(rest, ");")
	if !ok || !found || !closed || number([]byte(pid)) < 0 {
		return ""
	}
	uid := -1
	switch how {
	case "from network":
		uid = c.users.network
	case "for bounce":
		uid = c.users.send
	case "by alias":
		uid = c.users.alias
	default:
		if digits, ok := strings.CutPrefix(how, "by uid "); ok {
			uid = number([]byte(digits))
		}
	}
	if uid < 0 {
		return ""
	}
	return "u" + strconv.Itoa(uid) + "\x00p" + pid + "\x00"
}

// writeContent writes mess, under a number that no file of the queue has: in a
// queue whose names are not its inodes some old message may have it.
func (c *controller) writeContent(d *draft, role string) error {
	from, ok := d.p.File(roleMess)
	if !ok {
		return errNoContent
	}
	taken := 0
	for ; ; taken++ {
		free, err := c.reserve(d, role)
		if err != nil {
			return err
		}
		if free {
			break
		}
		if err := d.dir.Rename(d.tag+"."+role, d.dir, d.tag+".taken"+strconv.Itoa(taken)); err != nil {
			return err
		}
	}
	for n := range taken {
		if err := d.dir.Remove(d.tag + ".taken" + strconv.Itoa(n)); err != nil {
			return err
		}
	}
	content, err := from.Open()
	if err != nil {
		return err
	}
	file := *from
	file.UID, file.Mode = c.users.queue, file.Mode&0o777
	if c.running() {
		file.Accessed = c.now() // qmail-clean removes what is old by that, and has no envelope yet
	}
	return errors.Join(d.fill(role, content, file), content.Close())
}

// reserve makes the empty file, and reports whether its number is free.
func (c *controller) reserve(d *draft, role string) (bool, error) {
	f, err := d.dir.Create(d.tag+"."+role, 0o600)
	if err != nil {
		return false, err
	}
	st, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	m := msg{id: st.Inode, name: strconv.FormatUint(st.Inode, 10)}
	s := c.shelves
	used, err := c.hasAny(m, s.mess, s.info, s.local, s.remote, s.todo, s.intd, s.bounce)
	d.prepared.NewID = spoor.QueueID(m.name)
	d.prepared.Folder = s.mess.path(s.mess.index(m.id))
	d.prepared.Inode = st.Inode
	return !used, err
}

// copyFiles writes files of the parcel, those that it has. The last one is what
// will make the message visible.
func (c *controller) copyFiles(d *draft, roles ...string) error {
	for _, role := range roles {
		from, ok := d.p.File(role)
		if !ok {
			continue
		}
		data, err := d.content(role)
		if err != nil {
			return err
		}
		file := *from
		file.Mode &= 0o777
		if role == roleTodo || role == roleIntd {
			file.UID = c.users.queue
		} else {
			file.UID, file.GID = c.users.send, c.users.group
		}
		if role == roleLocal || role == roleRemote {
			markUncertain(data, d.p.Uncertain)
		}
		if err := d.create(role, bytes.NewReader(data), file); err != nil {
			return err
		}
	}
	return nil
}

// markUncertain makes done records of recipients that may have got the message.
func markUncertain(records []byte, addresses []string) {
	for len(records) > 0 && len(addresses) > 0 {
		letter, value, rest, ok := cutRecord(records)
		if !ok {
			return
		}
		if letter == 'T' && slices.Contains(addresses, string(value)) {
			records[0] = 'D'
		}
		records = rest
	}
}

// content reads a file of the envelope.
func (d *draft) content(role string) ([]byte, error) {
	file, ok := d.p.File(role)
	if !ok {
		return nil, fmt.Errorf("%s/%s: %w", role, d.p.ID, fs.ErrNotExist)
	}
	from, err := file.Open()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(from, envelopeBytes))
	return data, errors.Join(err, from.Close())
}

// create writes one file beside the queue.
func (d *draft) create(role string, from io.Reader, as spoor.PackedFile) error {
	f, err := d.dir.Create(d.tag+"."+role, 0o600)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	d.prepared.Inode = st.Inode
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return d.fill(role, from, as)
}

// errShort is returned for a file of a parcel that is not as long as it says.
var errShort = errors.New("is not as long as its parcel says")

// fill writes the content of a file and gives it its owner, mode and times.
func (d *draft) fill(role string, from io.Reader, as spoor.PackedFile) error {
	f, err := d.dir.OpenWrite(d.tag + "." + role)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, from)
	if err == nil && n != as.SizeBytes {
		err = fmt.Errorf("%s/%s: %d bytes of %d: %w", role, d.p.ID, n, as.SizeBytes, errShort)
	}
	if err == nil {
		err = f.Chown(as.UID, as.GID)
	}
	if err == nil {
		err = f.Chmod(as.Mode)
	}
	if err == nil {
		err = f.SetTimes(as.Accessed, as.Modified)
	}
	return errors.Join(err, f.Close())
}

// sleep waits, or returns the error of the context.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func oneIf(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
