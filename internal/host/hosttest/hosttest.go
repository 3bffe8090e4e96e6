// Package hosttest makes roots for the tests of every room: captured servers, and
// trees of a few files.
package hosttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"spoor/internal/host"
)

// Capture is the folder of testdata/servers that holds a captured server.
func Capture(t testing.TB, name string) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("cannot find testdata")
	}
	return filepath.Join(filepath.Dir(file), "../../../testdata/servers", name)
}

// Unpack unpacks a captured server into a folder of its own and returns the
// folder. Owners are kept if the test runs as root.
func Unpack(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	archive := filepath.Join(Capture(t, name), "root.tar.gz")
	out, err := exec.CommandContext(t.Context(), "tar", "--numeric-owner", "-xpzf", archive, "-C", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("unpack %s: %v\n%s", archive, err, out)
	}
	return dir
}

// Tree makes a root from names and contents. A name that ends with a slash is a
// directory; a content that starts with "-> " is where a symbolic link leads.
func Tree(t testing.TB, files map[string]string) *host.Root {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		full := filepath.Join(dir, name)
		folder := filepath.Dir(full)
		if strings.HasSuffix(name, "/") {
			folder = full
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(content, "-> "); link {
			err = os.Symlink(target, full)
		} else if !strings.HasSuffix(name, "/") {
			err = os.WriteFile(full, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := host.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

// Truth is what is known of one message of a captured server.
type Truth struct {
	ID               string
	Queued           bool     // in the queue at the capture
	Accept           []string // the sources that are right; kind:* is any of a kind, * anything
	Label            string   // what was staged
	Sender           string
	Recipients, Done int // -1 where not known
	State            string
	Client, Note     string
}

// Accepts reports whether a source is right.
func (t Truth) Accepts(source string) bool {
	for _, want := range t.Accept {
		if want == source || want == "*" {
			return true
		}
		if kind, ok := strings.CutSuffix(want, "*"); ok && strings.HasPrefix(source, kind) {
			return true
		}
	}
	return false
}

// ReadTruth reads truth.tsv of a captured server, by message ID.
func ReadTruth(t testing.TB, name string) map[string]Truth {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Capture(t, name), "truth.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	truths := map[string]Truth{}
	for i, line := range strings.Split(strings.TrimRight(string(data), "\n"), "\n") {
		fields := strings.Split(line, "\t")
		if i == 0 || len(fields) < 10 {
			continue
		}
		recipients, errRecipients := number(fields[5])
		done, errDone := number(fields[6])
		if errRecipients != nil || errDone != nil {
			t.Fatalf("truth.tsv:%d: counts are not numbers: %q", i+1, line)
		}
		truths[fields[0]] = Truth{
			ID: fields[0], Queued: fields[1] == "1", Accept: strings.Split(fields[2], ","), Label: fields[3], Sender: fields[4],
			Recipients: recipients, Done: done, State: fields[7], Client: fields[8], Note: fields[9],
		}
	}
	if len(truths) == 0 {
		t.Fatal("truth.tsv holds no message")
	}
	return truths
}

// number reads a count; an empty field is not known.
func number(field string) (int, error) {
	if field == "" {
		return -1, nil
	}
	return strconv.Atoi(field)
}
