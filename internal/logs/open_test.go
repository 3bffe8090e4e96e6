package logs

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"spoor"
	"spoor/internal/host/hosttest"
)

// compressed writes a text in every form.
func compressed(t *testing.T, kind Compression, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch kind {
	case Gzip:
		w = gzip.NewWriter(&b)
	case XZ:
		w, err = xz.NewWriter(&b)
	case Zstd:
		w, err = zstd.NewWriter(&b)
	default:
		return []byte(text)
	}
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bzipped is "Nov 23 11:00:00 mx1 note: a\nNov 23 11:00:01 mx1 note: b\n", by
// bzip2(1): Go cannot write it.
const bzipped = "BZ\x68\x39\x31\x41\x59\x26\x53\x59\xb1\x06\x5d\x45\x00\x00\x12\x5d\x80\x00\x10\x40\x00\x78\x10\x00\x01\x32\x03\x85\x40\x20\x00\x50\xa1\xa6\x98\x00\x0a\xa9\xa8\xc9\xa7\xa8\x1b\x52\x67\x2d\x25\x9e\x6d\x1b\x11\x6a\x4a\xe8\x74\xf1\x8b\xa3\xb6\x14\x83\x4f\x94\x53\xf1\x77\x24\x53\x85\x09\x0b\x10\x65\xd4\x50"

func TestTrap19CompressedFiles(t *testing.T) {
	const first, second = "Nov 23 11:00:00 mx1 note: a\n", "Nov 23 11:00:01 mx1 note: b\n"
	for _, kind := range []Compression{Plain, Gzip, Bzip2, XZ, Zstd} {
		content := append(compressed(t, kind, first), compressed(t, kind, second)...) // members one after another
		if kind == Bzip2 {
			content = []byte(bzipped)
		}
		root := hosttest.Tree(t, map[string]string{"log": string(content)})
		touch(t, root, "log", testNow)
		streams := named(t, root, "log")
		if got := streams[0].Files[0].Compression; got != kind {
			t.Errorf("%s is taken for %s", kind, got)
		}
		r := scanStreams(t, root, streams, Options{})
		wantTimes(t, r, "2026-11-23T11:00:00", "2026-11-23T11:00:01")
		if !r.coverage.Files[0].Complete || len(r.coverage.NotRead) != 0 {
			t.Errorf("%s: not complete: %v", kind, r.coverage.NotRead)
		}
		quotes := Quote(root, r.coverage.Files, []spoor.LogPlace{r.events[1].place, r.events[0].place, {}, {File: 7, Line: 1}})
		if !slices.Equal(quotes, []string{strings.TrimSpace(second), strings.TrimSpace(first), "", ""}) {
			t.Errorf("%s: quoted %q", kind, quotes)
		}
	}
}

func TestDamagedCompressionCountsWhatCouldBeRead(t *testing.T) {
	var text strings.Builder
	for i := range 200000 {
		fmt.Fprintf(&text, "Nov 23 11:00:00 mx1 note: %d\n", i*7919)
	}
	for _, kind := range []Compression{Gzip, XZ, Zstd} {
		content := compressed(t, kind, text.String())
		root := hosttest.Tree(t, map[string]string{"log": string(content[:len(content)/2]), "broken": string(content[:8])})
		r := scanStreams(t, root, named(t, root, "broken", "log"), Options{})
		if n := len(r.events); n == 0 || n >= 200000 {
			t.Errorf("%s: %d events", kind, n)
		}
		if r.coverage.Files[1].Complete || len(r.coverage.NotRead) != 2 || r.coverage.NotRead[1].File != "/log" && r.coverage.NotRead[0].File != "/log" {
			t.Errorf("%s: half a file is said to be complete: %v", kind, r.coverage.NotRead)
		}
	}
}

func TestTrap20FileGrowsOrShrinksWhileRead(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"log": "Nov 23 11:00:00 mx1 note: a\nNov 23 11:00:01 mx1 note: half"})
	src, err := openSource(t.Context(), root, "log")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	f, err := os.OpenFile(filepath.Join(root.Dir(), "log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(" a line\n"); err != nil {
		t.Fatal(err)
	}
	cut, c := cutter{r: src, chop: src.grew}, newChunk(1024)
	if !cut.next(c, 1024) || string(c.buf[c.start:]) != "Nov 23 11:00:00 mx1 note: a\n" || cut.next(c, 1024) {
		t.Errorf("half a line of a growing file was read: %q", c.buf)
	}
	if err := f.Truncate(10); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	s := &scan{root: root, options: Options{NewParser: newTestParser}, coverage: &spoor.Coverage{Files: make([]spoor.LogFile, 1)}}
	s.finishFile(&fileScan{File: File{Path: "/log"}, short: true})
	if s.coverage.Files[0].Complete || len(s.coverage.NotRead) != 1 {
		t.Errorf("a file that shrank is complete: %+v", s.coverage)
	}
	again, err := openSource(t.Context(), root, "log")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	again.size = 1000 // as if it had been longer when it was opened
	if _, err := io.ReadAll(again); err != nil || !again.shrank() {
		t.Errorf("nobody notices that the file became shorter: %v", err)
	}
}

func TestCompressionsHaveNames(t *testing.T) {
	for _, c := range Compressions() {
		if strings.Contains(c.String(), "(") {
			t.Errorf("%d has no name", c)
		}
	}
}
