package vault

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"spoor"
)

// Mend makes the checksums of a container right, so that what is behind them is
// reached.
func Mend(data []byte) {
	if len(data) < headSize {
		return
	}
	m := marker(data[16:24])
	binary.LittleEndian.PutUint64(data[24:], xxhash.Sum64(data[:24]))
	for at := headSize; at+frameSize <= len(data); {
		if marker(data[at:][:8]) != m {
			at++
			continue
		}
		head := data[at : at+frameSize]
		payload := data[at+frameSize:]
		payload = payload[:min(uint32(len(payload)), binary.LittleEndian.Uint32(head[12:]))]
		binary.LittleEndian.PutUint64(head[32:], xxhash.Sum64(payload))
		binary.LittleEndian.PutUint64(head[40:], xxhash.Sum64(head[:40]))
		at += frameSize
	}
}

func FuzzRecord(f *testing.F) {
	full := record{
		Entry: Entry{
			Target: spoor.Target{
				ID: "1x", Folder: "var/spool", Suffix: "-H", Arrived: time.Unix(1, 2).UTC(), State: spoor.StateHold, Held: true,
				Sender: "a@x", Subject: " \n\\", Source: spoor.Source{Kind: spoor.KindSite, Name: "a b"}, Class: spoor.Spam, Confidence: 0.5,
			},
			MTA: "exim", CallerUID: 33, Stored: time.Unix(-1, 999999999).UTC(),
		},
		parts: 1, contentBytes: 900, envelopeBytes: 7,
		files: []storedFile{{PackedFile: spoor.PackedFile{Role: "H", Name: "var/x", Mode: 0o4640, SizeBytes: 12}}},
	}
	f.Add(appendRecord(nil, &full))
	f.Add([]byte("id x\nunknown word\ncaller -1\n"))
	f.Add([]byte("id x\nfile 1 2 3\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRecord(text)
		if err != nil {
			return
		}
		r.Subject = r.Subject[:min(len(r.Subject), maxSubject)]
		again, err := parseRecord(appendRecord(nil, r))
		if err != nil {
			t.Fatalf("what %q says cannot be read again: %v", text, err)
		}
		if !reflect.DeepEqual(again, r) {
			t.Errorf("%q is first\n%+v\nthen\n%+v", text, r, again)
		}
	})
}

func FuzzMark(f *testing.F) {
	f.Add([]byte("fate restoring\ntime 1.000000000\ntag 1\nold a\nnew b\nfolder x\ninode 3\nundone 4\n"))
	f.Add([]byte("fate restored\ntime -\nnew b\\s\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseMark(text)
		if err != nil {
			return
		}
		once := appendMark(nil, &m)
		again, err := parseMark(once)
		if err != nil || !bytes.Equal(appendMark(nil, &again), once) {
			t.Errorf("%q becomes %q: %v", text, once, err)
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("r- a@x\nld b\\sc@x\nu- d\n?? e\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p, q spoor.Parcel
		if parseEnvelope(text, &p) != nil {
			return
		}
		if err := parseEnvelope(appendEnvelope(nil, &p), &q); err != nil || !reflect.DeepEqual(p, q) {
			t.Errorf("%q is first\n%+v\nthen\n%+v: %v", text, p, q, err)
		}
	})
}

// TestPlainFramesAreZstd holds what appendPlain writes against the library.
func TestPlainFramesAreZstd(t *testing.T) {
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	for _, size := range []int{0, 1, 255, 256, 257, 4096, maxPlain} {
		text := bytes.Repeat([]byte{'x'}, size)
		got, err := decoder.DecodeAll(appendPlain(nil, text), nil)
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%d bytes become %d: %v", size, len(got), err)
		}
	}
}

func TestANewerFormatIsToldApart(t *testing.T) {
	head := encodeHead(newMarker())
	head[12] = 2
	binary.LittleEndian.PutUint64(head[24:], xxhash.Sum64(head[:24]))
	if _, err := decodeHead(head); err == nil || bytes.Contains([]byte(err.Error()), []byte("damaged")) {
		t.Errorf("version 2 gives %v", err)
	}
}
