package origin

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"spoor"
	"spoor/internal/host"
)

// maxKept bounds how many rotated logs are read.
const maxKept = 64

// Book answers what is known of an ID. The logs are read when it is first asked,
// so that a server without a shim pays nothing. It is safe for concurrent use.
type Book struct {
	root  *host.Root
	state string // of spoor, below the root
	load  func() *index
	asked atomic.Bool
}

// index is where the line of each signed ID is.
type index struct {
	key    Key
	hasKey bool
	at     map[Nonce]linePlace
	files  []string
	notes  map[string]linePlace // of what shims wrote alone
	gaps   spoor.Gaps
}

type linePlace struct {
	file   int32
	line   int32
	offset int64
	length int32
}

// Open returns the book of a server whose state folder is at a path below its
// root.
func Open(root *host.Root, state string) *Book {
	b := &Book{root: root, state: state}
	b.load = sync.OnceValue(b.read)
	return b
}

// Gaps lists what could not be read, if anything was asked for.
func (b *Book) Gaps() []spoor.Gap {
	if !b.asked.Load() {
		return nil
	}
	return b.load().gaps.List()
}

func (b *Book) read() *index {
	x := &index{at: map[Nonce]linePlace{}, notes: map[string]linePlace{}}
	name := b.state + "/" + KeyName
	text, err := b.root.ReadFile(name, 1<<10)
	if err == nil {
		x.key, err = ParseKey(text)
	}
	switch x.hasKey = err == nil; {
	case errors.Is(err, fs.ErrNotExist): // no shim here
	case err != nil:
		x.gaps.Add(name, "cannot be read ("+reason(err)+"): no "+fieldName+" field is checked")
	}
	for i := range maxKept {
		name := LogPath
		if i > 0 {
			name += "." + strconv.Itoa(i)
		}
		switch err := x.readLog(b.root, name); {
		case errors.Is(err, fs.ErrNotExist) && i > 0:
			return x
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			x.gaps.Add(name, "cannot be read ("+reason(err)+"): what the shim recorded there is not known")
		}
	}
	return x
}

const fieldName = "X-Spoor-Origin"

func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

// readLog notes where each line begins, and reads of it no more than its ID.
func (x *index) readLog(root *host.Root, name string) error {
	f, err := root.OpenFile(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	file := int32(len(x.files))
	x.files = append(x.files, name)
	in := bufio.NewReaderSize(f, MaxLine)
	at := linePlace{file: file, line: 1}
	for {
		line, err := in.ReadSlice('\n')
		at.length = int32(len(line))
		if errors.Is(err, bufio.ErrBufferFull) {
			x.gaps.Add(name, "has a line that is too long for one of the recorder")
		} else if err == nil {
			x.note(line, at)
		}
		switch {
		case err == nil:
			at.line++
		case errors.Is(err, io.EOF):
			return nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
		at.offset += int64(len(line))
	}
}

func (x *index) note(line []byte, at linePlace) {
	rest, ok := bytes.CutPrefix(line, []byte(idHead))
	text, _, whole := bytes.Cut(rest, []byte{'"'})
	if !ok || !whole {
		x.gaps.Add(x.files[at.file], "has lines that are none of the recorder's")
		return
	}
	id, _, _, err := Parse(string(text))
	switch {
	case err == nil:
		if _, known := x.at[id.Nonce]; !known {
			x.at[id.Nonce] = at
		}
	case errors.Is(err, ErrUnsigned):
		x.notes[string(text)] = at
	}
}

// Lookup tells what is known of the value of an X-Spoor-Origin field.
func (b *Book) Lookup(value string) spoor.Origin {
	b.asked.Store(true)
	x := b.load()
	value = strings.TrimSpace(value)
	o := spoor.Origin{ID: value, UID: -1, ScriptUID: -1}
	if !x.hasKey {
		return o
	}
	id, err := x.key.Verify(value)
	o.UID, o.Issued = id.UID, id.Issued
	place, known := x.at[id.Nonce]
	switch {
	case errors.Is(err, ErrUnsigned):
		o.Proof = spoor.OriginUnsigned
		place, known = x.notes[value]
	case err != nil:
		o.Proof = spoor.OriginForged
		return o
	default:
		o.Proof = spoor.OriginSigned
	}
	if known {
		b.describe(&o, x, place)
	}
	return o
}

// describe adds what the line says. One that is not this ID's tells nothing.
func (b *Book) describe(o *spoor.Origin, x *index, at linePlace) {
	f, err := b.root.OpenFile(x.files[at.file])
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	line := make([]byte, at.length)
	if _, err := f.ReadAt(line, at.offset); err != nil && !errors.Is(err, io.EOF) {
		return
	}
	r, err := ParseRecord(line)
	if err != nil || r.ID != o.ID || o.Proof == spoor.OriginSigned && r.Facts.UID != o.UID {
		return
	}
	o.Recorded = true
	o.Place = spoor.Evidence{What: "shim", File: x.files[at.file], Line: int(at.line), Text: r.Text()}
	o.UID = r.Facts.UID
	o.Dir, o.Script, o.Program, o.ByShim = r.Facts.Dir, r.Facts.Script, r.Facts.Exe, r.Facts.Shim
	if r.Facts.ScriptUID != nil {
		o.ScriptUID = *r.Facts.ScriptUID
	}
	o.Claimed = r.Claims.Script
	if o.Proof == spoor.OriginUnsigned {
		o.Issued = r.Time
	}
}

// Text is the record in words, to be quoted: what is a fact first, then what is
// claimed.
func (r *Record) Text() string {
	var b strings.Builder
	b.WriteString("uid " + strconv.Itoa(r.Facts.UID))
	for _, part := range []struct{ name, value string }{
		{" ran ", r.Facts.Exe},
		{" in ", r.Facts.Dir},
		{", script open: ", r.Facts.Script},
		{", below ", parent(r.Facts.Parents)},
		{"; claims: script ", r.Claims.Script},
		{", request ", r.Claims.Host + r.Claims.URI},
		{", client ", r.Claims.Remote},
	} {
		if part.value != "" {
			b.WriteString(part.name + part.value)
		}
	}
	return b.String()
}

func parent(list []Process) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].Exe + " (process " + strconv.Itoa(list[0].PID) + ")"
}
