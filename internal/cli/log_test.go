package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"spoor/internal/host/hosttest"
)

// counted is what a plain reading of the log counts for one UID.
type counted struct{ messages, recipients, delivered, failed, deferrals int }

// recount reads qmail-send's lines with regular expressions, one message at a
// time: slow and simple, to hold the journal against. What came from the network
// is under its UID too.
func recount(t *testing.T, log io.Reader) map[string]counted {
	t.Helper()
	info := regexp.MustCompile(` info msg (\d+): bytes \d+ from <.*> qp \d+ uid (\d+)$`)
	start := regexp.MustCompile(` starting delivery (\d+): msg (\d+) to (?:local|remote) (.*)$`)
	end := regexp.MustCompile(` delivery (\d+): (success|failure|deferral): `)
	uids, deliveries, seen := map[string]string{}, map[string]string{}, map[string]bool{}
	counts := map[string]counted{}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		line := lines.Text()
		if m := info.FindStringSubmatch(line); m != nil {
			uids[m[1]] = m[2]
			for key := range seen {
				if strings.HasPrefix(key, m[1]+" ") {
					delete(seen, key)
				}
			}
			c := counts[m[2]]
			c.messages++
			counts[m[2]] = c
		} else if m := start.FindStringSubmatch(line); m != nil {
			uid := uids[m[2]]
			deliveries[m[1]] = uid
			if key := m[2] + " " + m[3]; !seen[key] {
				seen[key] = true
				c := counts[uid]
				c.recipients++
				counts[uid] = c
			}
		} else if m := end.FindStringSubmatch(line); m != nil {
			c := counts[deliveries[m[1]]]
			switch m[2] {
			case "success":
				c.delivered++
			case "failure":
				c.failed++
			case "deferral":
				c.deferrals++
			}
			counts[deliveries[m[1]]] = c
		}
	}
	return counts
}

// sourceFigures is what spoor --json says of a source.
type sourceFigures struct {
	Source                             string
	Kind                               string
	UID                                *int
	Queued                             int
	Sent, Delivered, Failed, Deferrals int
	Recipients                         int
}

func askJSON(t *testing.T, arguments ...string) []sourceFigures {
	t.Helper()
	var out, problems bytes.Buffer
	if status := Main(arguments, testEnvironment(&out, &problems)); status != 0 {
		t.Fatalf("status %d\n%s", status, problems.String())
	}
	var document struct{ Sources []sourceFigures }
	if err := json.Unmarshal(out.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	return document.Sources
}

// TestTheLogOfTheCapturedServerAddsUp holds every source of a captured server
// against a slow and simple count of its log: by UID, and all in all.
func TestTheLogOfTheCapturedServerAddsUp(t *testing.T) {
	for _, server := range []string{"qmail", "qmail-forged"} {
		t.Run(server, func(t *testing.T) {
			root := hosttest.Unpack(t, server)
			log, err := os.Open(filepath.Join(root, "usr/local/psa/var/log/maillog"))
			if err != nil {
				t.Skip("this capture has no log")
			}
			defer func() { _ = log.Close() }()
			want := recount(t, log)
			var all, total counted
			for _, s := range askJSON(t, "--root", root, "--json") {
				all.messages += s.Sent
				all.delivered += s.Delivered
				all.failed += s.Failed
				all.deferrals += s.Deferrals
				if s.UID == nil || s.Kind == "forward" || s.Kind == "bounce" {
					continue
				}
				w := want[fmt.Sprint(*s.UID)]
				if s.Sent != w.messages || s.Delivered != w.delivered || s.Failed != w.failed || s.Deferrals != w.deferrals {
					t.Errorf("%s: sent %d, delivered %d, failed %d, deferrals %d; the log has %+v", s.Source, s.Sent, s.Delivered, s.Failed, s.Deferrals, w)
				}
			}
			for _, w := range want {
				total.messages += w.messages
				total.delivered += w.delivered
				total.failed += w.failed
				total.deferrals += w.deferrals
			}
			if all != total {
				t.Errorf("all sources together have %+v, the log %+v", all, total)
			}
		})
	}
}

// TestTheSameLogInThreeForms: ISO stamps and multilog's tell the same as
// syslog's.
func TestTheSameLogInThreeForms(t *testing.T) {
	fixtures := "../../../shared/fixtures/qmail/"
	if _, err := os.Stat(fixtures); err != nil {
		t.Skip("the captured server is not here")
	}
	figures := func(files map[string]string) string {
		root := hosttest.Unpack(t, "qmail")
		arguments := []string{"--root", root, "--json"}
		for name, from := range files {
			unpackFile(t, fixtures+from, filepath.Join(root, name))
			arguments = append(arguments, "--log", name)
		}
		var words []string
		for _, s := range askJSON(t, arguments...) {
			words = append(words, fmt.Sprint(s.Source, s.Queued, s.Sent, s.Recipients, s.Delivered, s.Failed, s.Deferrals))
		}
		return strings.Join(words, "\n")
	}
	syslog := figures(nil)
	if iso := figures(map[string]string{"/iso": "maillog.iso.gz"}); iso != syslog {
		t.Errorf("with ISO stamps:\n%s\nwith syslog's:\n%s", iso, syslog)
	}
	if multilog := figures(map[string]string{"/send": "send.tai64n.gz", "/smtpd": "smtpd.tai64n.gz"}); multilog != syslog {
		t.Errorf("through multilog:\n%s\nthrough syslog:\n%s", multilog, syslog)
	}
}

func unpackFile(t *testing.T, from, to string) {
	t.Helper()
	f, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
