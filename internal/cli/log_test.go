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
	FailedLogins                       int `json:"failed_logins"`
	ClientAddresses                    int `json:"client_addresses"`
}

func askJSON(t *testing.T, arguments ...string) []sourceFigures {
	t.Helper()
	return ask(t, exitDone, arguments...)
}

// askPartial is for servers of which a part is missing.
func askPartial(t *testing.T, arguments ...string) []sourceFigures {
	t.Helper()
	return ask(t, exitPartial, arguments...)
}

func ask(t *testing.T, want int, arguments ...string) []sourceFigures {
	t.Helper()
	var out, problems bytes.Buffer
	if status := Main(arguments, testEnvironment(&out, &problems)); status != want {
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

// TestALoginInTheLogNamesTheAccount: on Plesk's qmail the header has the client's
// address alone, and smtp_auth's lines have the account.
func TestALoginInTheLogNamesTheAccount(t *testing.T) {
	root := hosttest.Unpack(t, "qmail")
	// A second log, as syslog writes it where auth lines go elsewhere; and a NUL
	// byte, for which grep skips the whole file.
	const lines = "\x00\x00Nov 23 11:32:17 plesk01 smtp_auth: SMTP connect from unknown@ [203.0.113.77]\n" +
		"Nov 23 11:32:17 plesk01 smtp_auth: smtp_auth: FAILED: info - password incorrect  from unknown@ [203.0.113.45]\n" +
		"Nov 23 11:32:17 plesk01 smtp_auth: smtp_auth: SMTP user sales : /var/qmail/mailnames/shop.example/sales logged in from unknown@ [203.0.113.77]\n"
	if err := os.WriteFile(filepath.Join(root, "auth.log"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	figures := map[string]sourceFigures{}
	for _, s := range askJSON(t, "--root", root, "--json", "--log", "/usr/local/psa/var/log/maillog", "--log", "/auth.log") {
		figures[s.Source] = s
	}
	if got := figures["account:sales@shop.example"].Queued; got != 3+3 {
		t.Errorf("%d messages of the account, want its 3 with AUTH and the 3 of its address", got)
	}
	if _, ok := figures["network:203.0.113.77"]; ok {
		t.Error("the address is still blamed")
	}
	if got := figures["network:203.0.113.45"].Queued; got != 10 {
		t.Errorf("%d messages of the address whose login failed, want 10", got)
	}
}

// TestALogOfNothingKnownIsTold: no silent zero.
func TestALogOfNothingKnownIsTold(t *testing.T) {
	root := hosttest.Unpack(t, "qmail")
	if err := os.WriteFile(filepath.Join(root, "foreign.log"), []byte("nothing\nthat anybody knows\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"who", "logs check"} {
		var out, problems bytes.Buffer
		arguments := append([]string{"--root", root, "--log", "/foreign.log"}, strings.Fields(command)...)
		if status := Main(arguments, testEnvironment(&out, &problems)); status != exitPartial || !strings.Contains(problems.String(), "none of the 2 lines") {
			t.Errorf("%s: status %d\n%s%s", command, status, out.String(), problems.String())
		}
	}
}

// TestALogWithoutAQueueIsAnswered: a log that was sent by mail, say.
func TestALogWithoutAQueueIsAnswered(t *testing.T) {
	captured := hosttest.Unpack(t, "qmail")
	root := t.TempDir()
	if err := os.Rename(filepath.Join(captured, "usr/local/psa/var/log/maillog"), filepath.Join(root, "maillog")); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	status := Main([]string{"--root", root, "--log", "/maillog", "--json"}, testEnvironment(&out, &problems))
	if status != exitPartial || !strings.Contains(out.String(), `"sent":28,`) {
		t.Errorf("status %d, %s\n%.300s", status, problems.String(), out.String())
	}
	problems.Reset()
	status = Main([]string{"--root", root, "--log", "/maillog", "queue", "ls"}, testEnvironment(&out, &problems))
	if status != exitPartial || !strings.Contains(problems.String(), "there is no queue") {
		t.Errorf("queue ls: status %d, %s", status, problems.String())
	}
}
