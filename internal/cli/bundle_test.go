package cli

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"spoor/internal/host/hosttest"
)

// unpackBundle unpacks an archive as tar does, and returns all that is in it as
// one text.
func unpackBundle(t *testing.T, file, to string) []byte {
	t.Helper()
	packed, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packed.Close() }()
	plain, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	in := tar.NewReader(plain)
	for {
		head, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all.Bytes()
		}
		if err != nil {
			t.Fatal(err)
		}
		if !filepath.IsLocal(head.Name) {
			t.Fatalf("%q leads out of the archive", head.Name)
		}
		fmt.Fprintln(&all, head.Name, head.Linkname)
		unpackEntry(t, filepath.Join(to, head.Name), head, io.TeeReader(in, &all))
	}
}

func unpackEntry(t *testing.T, name string, head *tar.Header, in io.Reader) {
	t.Helper()
	var err error
	switch head.Typeflag {
	case tar.TypeDir:
		err = os.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		err = os.Symlink(head.Linkname, name)
	case tar.TypeReg:
		var text []byte
		if text, err = io.ReadAll(in); err == nil {
			err = os.WriteFile(name, text, os.FileMode(head.Mode&0o777)|0o400)
		}
		if err == nil {
			err = os.Chtimes(name, head.ModTime, head.ModTime)
		}
		if err == nil && os.Geteuid() == 0 {
			err = os.Chown(name, head.Uid, head.Gid)
		}
		if err == nil {
			err = os.Chmod(name, os.FileMode(head.Mode&0o777))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// judgement is what must be the same of a server and of its archive.
type judgement struct {
	Queue   map[string]any
	Sources []judgedSource
}

type judgedSource struct {
	Kind       string
	UID        int
	Queued     int
	Sent       int
	Recipients int
	Verdict    string
	Confidence float64
	Reasons    []judgedReason
}

type judgedReason struct {
	Symbol string
	Count  int
}

// order is that of sources, so that each stands beside its own.
func (s *judgedSource) order(other *judgedSource) int {
	return cmp.Or(
		cmp.Compare(s.Kind, other.Kind), cmp.Compare(s.UID, other.UID), cmp.Compare(s.Queued, other.Queued), cmp.Compare(s.Sent, other.Sent),
		cmp.Compare(s.Recipients, other.Recipients), cmp.Compare(s.Verdict, other.Verdict), cmp.Compare(s.Confidence, other.Confidence),
	)
}

// like reports whether two sources are judged alike. How many messages say nearly the
// same is read from their words, and names are words: other names may make it one more
// or less.
func (s *judgedSource) like(other *judgedSource) bool {
	if math.Abs(s.Confidence-other.Confidence) > 0.02 || len(s.Reasons) != len(other.Reasons) {
		return false
	}
	a, b := *s, *other
	a.Confidence, b.Confidence = 0, 0
	a.Reasons, b.Reasons = inOrderOfNames(s.Reasons), inOrderOfNames(other.Reasons)
	for i := range a.Reasons {
		if r, of := &a.Reasons[i], &b.Reasons[i]; r.Symbol == "NEAR_IDENTICAL" && r.Count-of.Count <= 1 && of.Count-r.Count <= 1 {
			r.Count = of.Count
		}
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}

func inOrderOfNames(reasons []judgedReason) []judgedReason {
	return slices.SortedFunc(slices.Values(reasons), func(a, b judgedReason) int { return cmp.Compare(a.Symbol, b.Symbol) })
}

func judged(t *testing.T, root string) judgement {
	t.Helper()
	var j judgement
	if err := json.Unmarshal([]byte(spoorPrints(t, "--root", root, "--json")), &j); err != nil {
		t.Fatal(err)
	}
	return j
}

// spoorPrints runs spoor and returns what it prints.
func spoorPrints(t *testing.T, args ...string) string {
	t.Helper()
	var out, problems bytes.Buffer
	env := testEnvironment(&out, &problems)
	if status := Main(args, env); status != 0 && status != exitPartial {
		t.Fatalf("spoor %s: status %d\n%s", strings.Join(args, " "), status, problems.String())
	}
	return out.String()
}

func TestABundleGivesTheSameAnswerAndNoNames(t *testing.T) {
	for _, name := range []string{"qmail", "postfix", "exim", "exim499"} {
		t.Run(name, func(t *testing.T) {
			root := hosttest.Unpack(t, name)
			file := filepath.Join(t.TempDir(), "server.tar.gz")
			spoorPrints(t, "--root", root, "bundle", "--to", file)
			copied := t.TempDir()
			archive := unpackBundle(t, file, copied)
			want, got := judged(t, root), judged(t, copied)
			compareJudgements(t, got, want)
			checkNoNames(t, archive, spoorPrints(t, "--root", root, "queue", "ls", "-o", "ndjson"))
			if info, err := os.Stat(file + ".names"); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the list of names: %v, %v", info, err)
			}
		})
	}
}

func compareJudgements(t *testing.T, got, want judgement) {
	t.Helper()
	delete(got.Queue, "oldest")
	delete(want.Queue, "oldest")
	if a, b := fmt.Sprint(got.Queue), fmt.Sprint(want.Queue); a != b {
		t.Errorf("queue %s, want %s", a, b)
	}
	if len(got.Sources) != len(want.Sources) {
		t.Fatalf("%d sources, want %d", len(got.Sources), len(want.Sources))
	}
	for _, list := range [][]judgedSource{got.Sources, want.Sources} {
		slices.SortFunc(list, func(a, b judgedSource) int { return a.order(&b) })
	}
	for i := range want.Sources {
		if !got.Sources[i].like(&want.Sources[i]) {
			t.Errorf("got  %+v\nwant %+v", got.Sources[i], want.Sources[i])
		}
	}
}

// checkNoNames looks for the addresses of the queue and the subjects in an archive.
func checkNoNames(t *testing.T, archive []byte, listing string) {
	t.Helper()
	checked := 0
	for _, address := range regexp.MustCompile(`"(?:sender|address)":"([^"@]+)@([^".]+)`).FindAllStringSubmatch(listing, -1) {
		if whole := address[1] + "@" + address[2]; len(address[1]) > 4 && !strings.ContainsAny(whole, `\`) {
			checked++
			if bytes.Contains(archive, []byte(whole)) && address[1] != "www-data" && address[1] != "apache" {
				t.Errorf("%s is in the archive", whole)
			}
		}
	}
	for _, subject := range regexp.MustCompile(`"subject":"([A-Za-z ]{12,})"`).FindAllStringSubmatch(listing, -1) {
		checked++
		if bytes.Contains(archive, []byte(subject[1])) {
			t.Errorf("subject %q is in the archive", subject[1])
		}
	}
	if checked < 20 {
		t.Errorf("only %d names were looked for", checked)
	}
}
