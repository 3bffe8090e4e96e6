package recorder

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/shim"
)

// parcel makes of a message in the store what the vault keeps.
func (s *Store) parcel(of *stored, now time.Time) (*spoor.Parcel, error) {
	h := &of.held
	top, st, err := s.top(h.Name + messageEnd)
	if err != nil {
		return nil, fmt.Errorf("read held message %s: %w", h.Name, err)
	}
	callStat, err := s.dir.Stat(of.name)
	if err != nil {
		return nil, fmt.Errorf("read held message %s: %w", h.Name, err)
	}
	p := &spoor.Parcel{MTA: MTA, CallerUID: h.UID, StoredTime: now, Envelope: envelopeOf(h, top)}
	p.Target = spoor.Target{
		ID: spoor.QueueID(h.Name), Folder: heldName, Suffix: messageEnd, Arrived: h.Time, SizeBytes: st.SizeBytes, Inode: st.Inode,
		UID: h.UID, State: spoor.StateHold, Held: true, Sender: senderOf(h), Recipients: cmp.Or(len(p.Envelope), h.Recipients),
		Subject: field(top, "subject"), Source: SourceOf(h),
	}
	message := packed(RoleMessage, h.Name+messageEnd, &st)
	message.Open = func() (spoor.Content, error) { return s.dir.Open(h.Name + messageEnd) }
	call := packed(RoleCall, of.name, &callStat)
	call.SizeBytes = int64(len(of.text))
	call.Open = func() (spoor.Content, error) { return io.NopCloser(bytes.NewReader(of.text)), nil }
	p.Files = []spoor.PackedFile{message, call}
	return p, nil
}

func packed(role, name string, st *disk.Stat) spoor.PackedFile {
	return spoor.PackedFile{
		Role: role, Name: heldName + "/" + name, Mode: st.Mode, UID: st.UID, GID: st.GID,
		Accessed: st.Accessed, Modified: st.Modified, SizeBytes: st.SizeBytes,
	}
}

// topBytes is how much of a message is looked at for its subject and recipients.
const topBytes = 64 << 10

// top reads the header of a message, as far as it is in its first bytes.
func (s *Store) top(name string) ([]byte, disk.Stat, error) {
	f, st, err := s.dir.OpenStat(name)
	if err != nil {
		return nil, st, err
	}
	defer func() { _ = f.Close() }()
	buf := make([]byte, topBytes)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, st, err
	}
	top := bytes.ReplaceAll(buf[:n], []byte("\r\n"), []byte("\n"))
	head, _, _ := bytes.Cut(top, []byte("\n\n"))
	return head, st, nil
}

// field returns the values of the fields of a name, of several with commas between,
// unfolded and undecoded.
func field(head []byte, name string) string {
	var values []string
	in := false
	for line := range strings.Lines(string(head)) {
		line = strings.TrimRight(line, "\n")
		if line != "" && (line[0] == ' ' || line[0] == '\t') {
			if in {
				values[len(values)-1] += line
			}
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if in = ok && strings.EqualFold(strings.TrimRight(key, " \t"), name); in {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return strings.Join(values, ", ")
}

// envelopeOf are the recipients, as the command line and, with -t, the header name
// them. sendmail reads both again when the message is released.
func envelopeOf(h *Held, head []byte) []spoor.Recipient {
	var list []spoor.Recipient
	add := func(address string) {
		if address != "" && !strings.ContainsRune(address, 0) {
			list = append(list, spoor.Recipient{Address: address})
		}
	}
	e := shim.ReadEnvelope(h.Args)
	for _, word := range e.Recipients {
		add(word)
	}
	if !e.FromTop {
		return list
	}
	for _, name := range [...]string{"to", "cc", "bcc"} {
		addresses, err := mail.ParseAddressList(field(head, name))
		if err != nil {
			continue // the number is known all the same
		}
		for _, address := range addresses {
			add(address.Address)
		}
	}
	return list
}

// senderOf is the sender of the envelope; "" where sendmail makes it of the login.
func senderOf(h *Held) string {
	sender := cmp.Or(h.Sender, shim.ReadEnvelope(h.Args).Sender)
	return strings.TrimSuffix(strings.TrimPrefix(sender, "<"), ">")
}

// SourceOf is what can be said of a held message without asking a panel: the script
// that the recorder saw, or else the user.
func SourceOf(h *Held) spoor.Source {
	if h.Script != "" {
		return spoor.Source{Kind: spoor.KindScript, Name: h.Script}
	}
	return spoor.Source{Kind: spoor.KindUser, Name: cmp.Or(h.User, strconv.Itoa(h.UID))}
}
