package exim

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"spoor"
	"spoor/internal/mta"
)

// Pack implements mta.Controller. Its parcels hold the files that Exim had, as they
// are; roles H, D, J and msglog. H is always there.
func (c *Controller) Pack(t *spoor.Target) (*spoor.Parcel, error) {
	if err := valid(t.ID); err != nil {
		return nil, err
	}
	known, fresh := c.known.of(t.ID)
	at, ok, err := known.at, fresh, error(nil)
	if !fresh {
		at, ok, err = c.taken(t)
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s is not in the holding place: %w", t.ID, mta.ErrGone)
	}
	s, err := c.shelfSide(t.ID, at.shelf(), "")
	if err != nil {
		return nil, err
	}
	p := &spoor.Parcel{Target: *t, MTA: "exim", CallerUID: -1, StoredTime: c.now().UTC()}
	p.Folder, p.Suffix = c.folder(at, "input"), "-H"
	var text []byte // of the header
	for _, r := range [...]role{header, data, journal, msglog} {
		if fresh && !known.has[r] {
			continue
		}
		packed, content, err := mta.PackFile(s[r].dir, s[r].name, nil)
		if errors.Is(err, fs.ErrNotExist) && r != header {
			continue
		}
		if err != nil {
			return nil, err
		}
		packed.Role, packed.Name = r.String(), c.path(t.ID, at, r)
		p.Files = append(p.Files, packed)
		if r == header {
			text = content
		}
	}
	return p, c.describe(p, &s, text)
}

// folder is the path of a spot below the root.
func (c *Controller) folder(at spot, parent string) string {
	return path.Join("/", c.conf.Spool, at.within(parent))
}

// path is where a file of a message is in the spool.
func (c *Controller) path(id spoor.QueueID, at spot, r role) string {
	if r == msglog {
		return path.Join(c.folder(at, "msglog"), string(id))
	}
	return path.Join(c.folder(at, "input"), string(id)+"-"+r.String())
}

// describe fills in what the -H and -J files say of envelope and caller.
// text is the -H file, nil for one that is large.
func (c *Controller) describe(p *spoor.Parcel, s *side, text []byte) (err error) {
	if text == nil {
		if text, err = readHeader(s[header], nil); err != nil {
			return err
		}
	}
	var h spoolHeader
	_ = h.parse(text, string(p.ID)) // of a damaged one, what could be read
	if h.received.IsZero() {
		return nil
	}
	p.Sender, p.Held, p.State = string(h.sender), h.frozen, h.state()
	if h.local || len(h.hostAddress) == 0 && !h.localError {
		p.CallerUID = h.uid
	}
	finished := map[string]bool{}
	for _, address := range h.done {
		finished[string(address)] = true
	}
	if _, ok := p.File(journal.String()); ok {
		if err := c.journal(s[journal], finished); err != nil {
			return err
		}
	}
	p.Recipients, p.Done = len(h.recipients), 0
	for _, address := range h.recipients {
		one := spoor.Recipient{Address: string(address), Done: finished[string(address)], Channel: c.channel(address)}
		if one.Done {
			p.Done++
		}
		p.Envelope = append(p.Envelope, one)
	}
	return nil
}

// journal adds the addresses of a -J file, whose last line may be half written.
// Deliveries end before the lock is free: of none it is uncertain what became of
// it.
func (c *Controller) journal(f file, finished map[string]bool) error {
	text, err := readHeader(f, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for line := range bytes.Lines(text) {
		if address, whole := bytes.CutSuffix(line, []byte{'\n'}); whole {
			finished[string(address)] = true
		}
	}
	return err
}

func (c *Controller) channel(address []byte) spoor.Channel {
	at := bytes.LastIndexByte(address, '@')
	if at < 0 || c.conf.Serves(string(address[at+1:])) {
		return spoor.ChannelLocal
	}
	return spoor.ChannelRemote
}

// openMessage turns a parcel into the message that it holds (RFC 5322), with lines
// that end in LF: the header lines of H that were not replaced, an empty line,
// and the body of D, of which there may be none.
func openMessage(p *spoor.Parcel) (io.ReadCloser, error) {
	packed, ok := p.File(header.String())
	if !ok {
		return nil, fmt.Errorf("%s: the parcel has no file %s", p.ID, header)
	}
	if packed.SizeBytes > headerBytes {
		return nil, fmt.Errorf("%s: header of %d bytes", p.ID, packed.SizeBytes)
	}
	text, err := readPacked(packed)
	if err != nil {
		return nil, fmt.Errorf("read the header of %s: %w", p.ID, err)
	}
	var h spoolHeader
	_ = h.parse(text, string(p.ID))
	lines, _ := h.appendHeader(nil) // of a damaged one, what could be read
	lines = append(lines, '\n')
	body, ok := p.File(data.String())
	if !ok {
		return io.NopCloser(bytes.NewReader(lines)), nil
	}
	content, err := openBody(body, len(p.ID), h.wireFormat)
	if err != nil {
		return nil, fmt.Errorf("read the body of %s: %w", p.ID, err)
	}
	content.Reader = io.MultiReader(bytes.NewReader(lines), content.Reader)
	return content, nil
}

type contentReader struct {
	io.Reader
	io.Closer
}

// openBody opens a -D file behind its first line.
func openBody(packed *spoor.PackedFile, idLen int, wireFormat bool) (*contentReader, error) {
	open, err := packed.Open()
	if err != nil {
		return nil, err
	}
	text := bufio.NewReaderSize(open, 1<<16)
	if _, err := text.Discard(idLen + len("-D\n")); err != nil && !errors.Is(err, io.EOF) {
		_ = open.Close()
		return nil, err
	}
	if wireFormat {
		return &contentReader{wireReader{text}, open}, nil
	}
	return &contentReader{text, open}, nil
}

func readPacked(packed *spoor.PackedFile) ([]byte, error) {
	open, err := packed.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = open.Close() }()
	return io.ReadAll(open)
}
