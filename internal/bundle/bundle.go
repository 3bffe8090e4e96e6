// Package bundle writes what spoor reads of a server into an archive that spoor
// can read again, for somebody who is to help. Paths enter that were met during
// an examination; a tar file leaves in which every name is another one, every
// secret is gone, and every number is as it was.
package bundle

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/redact"
)

// Part is where something is in a queue file that may name somebody.
type Part struct {
	Start, End int
	Header     bool // a line of a header
	Body       bool // a line of a body
}

// Source is the server, and what is known of its files. Names are relative to the
// root.
type Source struct {
	Root  *host.Root
	Names *redact.Names // nil leaves everything as it is, secrets excepted
	// Parts yields the parts of a file of the queue, in their order.
	Parts   func(name string, file []byte) iter.Seq[Part]
	Queue   []string // folders of queues
	Private []string // folders of customers: names in them are kept, contents are not
	Logs    []string // files of logs, and folders of the journal
	OpenLog func(name string) (io.ReadCloser, error)
}

// Manifest is the first file of an archive, Name.
type Manifest struct {
	Schema   string    `json:"schema"` // Schema
	Time     time.Time `json:"time"`
	Host     string    `json:"host"`
	MTA      string    `json:"mta"`
	Panel    string    `json:"panel"`
	Redacted bool      `json:"redacted"`
}

// Schema is the contract of Manifest, and ManifestName where it lies.
const (
	Schema       = "spoor.bundle/1"
	ManifestName = "spoor-bundle.json"
)

// Writer writes an archive.
type Writer struct {
	Files int // regular files that were written, without the manifest
	Bytes int64
	Gaps  spoor.Gaps // what was left out, and why

	source *Source
	out    *tar.Writer
	added  map[string]bool
}

// NewWriter begins an archive, in the form of POSIX tar (PAX).
func NewWriter(out io.Writer, source *Source, m Manifest) (*Writer, error) {
	w := &Writer{source: source, out: tar.NewWriter(out), added: map[string]bool{}}
	m.Schema, m.Redacted, m.Host = Schema, source.Names != nil, w.named(m.Host)
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	text = append(text, '\n')
	head := &tar.Header{Typeflag: tar.TypeReg, Name: ManifestName, Mode: 0o644, Size: int64(len(text)), ModTime: m.Time, Format: tar.FormatPAX}
	if err := w.out.WriteHeader(head); err != nil {
		return nil, err
	}
	_, err = w.out.Write(text)
	return w, err
}

// Extra adds a file that the server does not have: what was asked of it. Its names must
// be replaced already. What the server has in its place is left out.
func (w *Writer) Extra(name string, made time.Time, text []byte) error {
	name = path.Clean(strings.TrimLeft(name, "/"))
	w.added[name] = true
	head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(text)), ModTime: made, Format: tar.FormatPAX}
	if err := w.out.WriteHeader(head); err != nil {
		return err
	}
	w.Files, w.Bytes = w.Files+1, w.Bytes+head.Size
	_, err := w.out.Write(text)
	return err
}

// Close ends the archive. It does not close what it is written to.
func (w *Writer) Close() error { return w.out.Close() }

// named is a path or word with its names replaced.
func (w *Writer) named(word string) string {
	if w.source.Names == nil {
		return word
	}
	b := []byte(word)
	w.source.Names.Text(b)
	return string(b)
}

// skipped are folders of the machine and not of the mail, and spoor's own vault.
var skipped = []string{"proc", "sys", "dev", "run", "tmp", "boot", "var/lib/spoor"}

func below(name string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") })
}

// Add adds one path, with the folders above it. What cannot be read is a gap; an
// error is one of the archive.
func (w *Writer) Add(name string) error {
	name = path.Clean(strings.TrimLeft(name, "/"))
	if name == "." || w.added[name] || below(name, skipped) {
		return nil
	}
	w.added[name] = true
	if err := w.Add(path.Dir(name)); err != nil {
		return err
	}
	info, err := w.source.Root.Stat("/" + name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) { // it has gone meanwhile
			w.Gaps.Add("/"+name, "was left out: "+err.Error())
		}
		return nil
	}
	switch {
	case info.IsDir():
		return w.out.WriteHeader(w.head(name, info, tar.TypeDir))
	case info.Mode()&fs.ModeNamedPipe != 0:
		return w.out.WriteHeader(w.head(name, info, tar.TypeFifo))
	case info.Mode().IsRegular():
		return w.addFile(name, info)
	}
	return nil
}

// Link adds a symbolic link. It is written for a file system that has the same
// root.
func (w *Writer) Link(name, target string) error {
	if w.added[name] || below(name, skipped) {
		return nil
	}
	if err := w.Add(path.Dir(name)); err != nil {
		return err
	}
	w.added[name] = true
	return w.out.WriteHeader(&tar.Header{
		Typeflag: tar.TypeSymlink, Name: w.named(name), Linkname: w.named(target), Mode: 0o777, Format: tar.FormatPAX,
	})
}

func (w *Writer) head(name string, info fs.FileInfo, kind byte) *tar.Header {
	h := &tar.Header{Typeflag: kind, Name: w.named(name), Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX}
	for bit, value := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if info.Mode()&bit != 0 {
			h.Mode |= value
		}
	}
	if kind == tar.TypeDir {
		h.Name += "/"
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		h.Uid, h.Gid = int(st.Uid), int(st.Gid)
	}
	return h
}

// addFile adds a regular file in the way that suits what it holds.
func (w *Writer) addFile(name string, info fs.FileInfo) error {
	switch {
	case isSecret(name):
		return w.write(name, info, nil)
	case slices.Contains(w.source.Logs, name):
		return w.addLog(name, info)
	case below(name, w.source.Private) && !below(name, w.source.Queue), info.Mode()&0o111 != 0 && !below(name, w.source.Queue):
		return w.write(name, info, nil)
	case info.Size() > maxFile:
		w.Gaps.Add("/"+name, fmt.Sprintf("was left out: it is larger than %d MB", maxFile>>20))
		return w.write(name, info, nil)
	}
	text, err := w.source.Root.ReadFile("/"+name, maxFile)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.Gaps.Add("/"+name, "was left out: "+err.Error())
		}
		return nil
	}
	if below(name, w.source.Queue) {
		w.message(name, text)
	} else {
		text = w.setting(name, text)
	}
	return w.write(name, info, text)
}

// maxFile bounds what is read at once, in bytes.
const maxFile = 64 << 20

func (w *Writer) write(name string, info fs.FileInfo, text []byte) error {
	h := w.head(name, info, tar.TypeReg)
	h.Size = int64(len(text))
	if err := w.out.WriteHeader(h); err != nil {
		return err
	}
	w.Files, w.Bytes = w.Files+1, w.Bytes+h.Size
	_, err := w.out.Write(text)
	return err
}

// addLog writes a log as text: a packed one is unpacked, and its name with it.
func (w *Writer) addLog(name string, info fs.FileInfo) error {
	if now, err := w.source.Root.Resolve("/" + name); err == nil && now != name {
		w.Gaps.Add("/"+name, "was left out: a link stands in its place")
		return nil
	}
	in, err := w.source.OpenLog("/" + name)
	if err != nil {
		w.Gaps.Add("/"+name, "was left out: "+err.Error())
		return nil
	}
	defer func() { _ = in.Close() }()
	spool, err := os.CreateTemp("", "spoor-bundle-")
	if err != nil {
		return err
	}
	defer func() { _ = spool.Close() }()
	if err := os.Remove(spool.Name()); err != nil {
		return err
	}
	if err := w.lines(spool, in); err != nil {
		w.Gaps.Add("/"+name, "was read in part: "+err.Error())
	}
	size, err := spool.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	h := w.head(unpacked(name), info, tar.TypeReg)
	h.Size, h.Mode = size, h.Mode&0o666
	if err := w.out.WriteHeader(h); err != nil {
		return err
	}
	w.Files, w.Bytes = w.Files+1, w.Bytes+size
	_, err = io.Copy(w.out, io.NewSectionReader(spool, 0, size))
	return err
}

// unpacked is the name of a log without the ending of a compression.
func unpacked(name string) string {
	for _, ending := range [...]string{".gz", ".bz2", ".xz", ".zst"} {
		if short, ok := strings.CutSuffix(name, ending); ok {
			return short
		}
	}
	return name
}

// logBlock is how much of a log is replaced at once, in bytes.
const logBlock = 1 << 20

// lines copies a log with its names replaced, in blocks that end with a line.
func (w *Writer) lines(out io.Writer, in io.Reader) error {
	block, held := make([]byte, logBlock), 0
	for {
		n, err := in.Read(block[held:])
		held += n
		end := bytes.LastIndexByte(block[:held], '\n') + 1
		if end == 0 && held == len(block) || err != nil {
			end = held
		}
		hideInLog(block[:end])
		if w.source.Names != nil {
			w.source.Names.Log(block[:end])
		}
		if _, err := out.Write(block[:end]); err != nil {
			return err
		}
		held = copy(block, block[end:held])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
