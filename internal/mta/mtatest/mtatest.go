// Package mtatest is what every MTA adapter must do, as tests: Run takes a
// captured server through Detect, Open, Scan, Find and the rest, then spoils
// copies of it.
package mtatest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/mta"
)

// Case is an adapter with a captured server.
type Case struct {
	Adapter mta.Adapter
	Server  string        // folder of testdata/servers
	Unknown spoor.QueueID // of the right form, and not in the queue

	// Counted reads from the folder of the capture how many messages the MTA's own
	// tool counted.
	Counted func(t *testing.T, capture string) (messages, unprocessed int)
	// Compare orders queue IDs; nil means byte by byte.
	Compare func(a, b spoor.QueueID) int
	// Copy adds to the queue below dir a copy of a message, number n of many.
	Copy func(t *testing.T, dir string, m *spoor.Message, n int)
	// Damage spoils one message so that Scan has to tell; nil means that the file
	// of the message is overwritten.
	Damage func(t *testing.T, dir string, m *spoor.Message)
}

// Run runs the suite.
func Run(t *testing.T, c Case) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	if c.Compare == nil {
		c.Compare = func(a, b spoor.QueueID) int { return strings.Compare(string(a), string(b)) }
	}
	tests := []struct {
		name string
		test func(t *testing.T, c Case)
	}{
		{"a server without a queue has none", testNone},
		{"the queue is found and named", testFound},
		{"two scans give the same", testScanTwice},
		{"Count is what the MTA's own tool counted", testCount},
		{"IDs are unique and in order", testOrder},
		{"parts may be ranged by several goroutines", testParts},
		{"Find gives what the scan gave", testFind},
		{"Content begins with the header, and Head is its start", testContent},
		{"a scan ends with its context", testCancel},
		{"what is not in the queue is gone", testUnknown},
		{"what vanishes between listing and reading is gone", testVanish},
		{"a damaged message is one gap and the rest is read", testDamage},
		{"a folder that cannot be read makes the scan incomplete", testFolder},
		{"symbolic links in place of messages are not followed", testLink},
		{"Close may be called twice", testClose},
		{"a server with a log and no queue has a host and no message", testLogOnly},
		{"no line of arbitrary bytes is an event", testParser},
		{"the number of a line's author changes nothing", testAuthor},
	}
	for _, one := range tests {
		t.Run(one.name, func(t *testing.T) { one.test(t, c) })
	}
}

// server opens the server below dir.
func server(t *testing.T, dir string) *mta.Server {
	t.Helper()
	root, err := host.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	gaps := &spoor.Gaps{}
	passwd, err := root.Passwd(gaps)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if passwd == nil {
		passwd = &host.Passwd{}
	}
	return &mta.Server{Root: root, Passwd: passwd, MailSystem: func(int) bool { return false }, Gaps: gaps}
}

// open opens the queue below dir.
func open(t *testing.T, c Case, dir string) mta.Queue {
	t.Helper()
	q, err := c.Adapter.Open(server(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

// scan lists a queue.
func scan(t *testing.T, q mta.Queue) *mta.Scan {
	t.Helper()
	s, err := q.Scan(t.Context(), mta.Want{Addresses: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read ranges over all parts and returns copies of the messages.
func read(t *testing.T, s *mta.Scan) (list []*spoor.Message) {
	t.Helper()
	for _, part := range s.Parts {
		for m, err := range part {
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, m.Clone())
		}
	}
	return list
}

// sound is an unpacked server, its queue and the messages that can be read
// without a gap.
func sound(t *testing.T, c Case) (dir string, q mta.Queue, list []*spoor.Message) {
	t.Helper()
	dir = hosttest.Unpack(t, c.Server)
	q = open(t, c, dir)
	s := scan(t, q)
	damaged := map[string]bool{}
	all := read(t, s)
	for _, gap := range s.Gaps.List() {
		damaged[gap.File] = true
	}
	for _, m := range all {
		if m.HasEnvelope && !damaged[m.Path()] {
			list = append(list, m)
		}
	}
	if len(list) < 10 {
		t.Fatalf("%s holds %d sound messages: too few for a test", c.Server, len(list))
	}
	return dir, q, list
}

// file is the path of a message's header on this machine.
func file(dir string, m *spoor.Message) string { return filepath.Join(dir, m.Path()) }

// remove removes all files of a message, as its delivery does.
func remove(t *testing.T, dir string, id spoor.QueueID) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		base := filepath.Base(name)
		if err != nil || entry.IsDir() || base != string(id) && !strings.HasPrefix(base, string(id)+"-") {
			return err
		}
		return os.Remove(name)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// gapsAbout counts the gaps that name a message.
func gapsAbout(gaps *spoor.Gaps, id spoor.QueueID) (n int) {
	for _, gap := range gaps.List() {
		if strings.Contains(gap.File, string(id)) {
			n += max(1, gap.Count)
		}
	}
	return n
}

// total counts all gaps.
func total(gaps *spoor.Gaps) (n int) {
	for _, gap := range gaps.List() {
		n += max(1, gap.Count)
	}
	return n
}

// beginsWithField reports whether a content begins with a header field.
func beginsWithField(content []byte) bool {
	colon := bytes.IndexByte(content, ':')
	return colon > 0 && bytes.IndexFunc(content[:colon], func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
