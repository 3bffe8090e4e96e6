package postfix

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"spoor"
)

// captured is the server whose truth is known.
const captured = "../../../testdata/servers/postfix/"

// capturedFile reads a file of the captured server.
func capturedFile(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(captured + "root.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(unpacked); ; {
		head, err := files.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("the captured server has no %s", name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimPrefix(head.Name, "./") == name {
			text, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
}

// capturedEvents are the events of a captured log, each with a memory of its own.
func capturedEvents(t *testing.T, name string) (events []spoor.Event) {
	t.Helper()
	p := NewParser()
	for text := range bytes.Lines(capturedFile(t, name)) {
		l := splitLine(bytes.TrimSuffix(text, []byte{'\n'}))
		var e spoor.Event
		switch p.Parse(&l, &e) {
		case spoor.LineEvent:
			events = append(events, e)
		case spoor.LineUnknown, spoor.LineForeign, spoor.LineCut:
			t.Errorf("not understood: %s", text)
		case spoor.LineKnown:
		}
	}
	return events
}

// uids are the system users of the captured server.
func uids(t *testing.T) map[string]int32 {
	t.Helper()
	list := map[string]int32{}
	for line := range strings.Lines(string(capturedFile(t, "etc/passwd"))) {
		fields := strings.Split(line, ":")
		uid, err := strconv.ParseInt(fields[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		list[fields[0]] = int32(uid)
	}
	return list
}

// TestTheCapturedLogTellsWhoSentWhat holds the first record of each message
// against the truth of the staging.
func TestTheCapturedLogTellsWhoSentWhat(t *testing.T) {
	from, bounced := map[string]spoor.Event{}, map[string]bool{}
	for _, e := range capturedEvents(t, "var/log/mail.log") {
		switch id := string(e.ID); e.Kind {
		case spoor.EventSubmitted:
			if _, again := from[id]; again {
				t.Errorf("%s was submitted twice", id)
			}
			from[id] = e
		case spoor.EventBounced:
			bounced[string(e.Related)] = true
		}
	}
	truth, err := os.ReadFile(captured + "truth.tsv")
	if err != nil {
		t.Fatal(err)
	}
	users, judged := uids(t), 0
	for line := range strings.Lines(string(truth)) {
		fields := strings.Split(line, "\t")
		id := fields[0]
		if fields[7] == "maildrop" {
			continue // pickup has not seen it yet
		}
		for accept := range strings.SplitSeq(fields[2], ",") {
			kind, name, _ := strings.Cut(accept, ":")
			e, ok := from[id]
			switch kind {
			case "account":
				ok = ok && string(e.Account) == name && string(e.Client) == fields[8]
			case "network":
				ok = ok && e.Account == nil && string(e.Client) == name
			case "user":
				uid, known := users[name]
				ok = ok && known && e.UID == uid && e.Client == nil
			case "bounce":
				ok = bounced[id]
			default:
				continue
			}
			if judged++; !ok {
				t.Errorf("%s is of %s; the log has account %q, client %q, UID %d", id, accept, e.Account, e.Client, e.UID)
			}
		}
	}
	if judged < 100 {
		t.Errorf("%d messages were judged", judged)
	}
}

// TestTheCapturedDeliveriesAreAllCounted counts in another way.
func TestTheCapturedDeliveriesAreAllCounted(t *testing.T) {
	got := map[spoor.EventKind]int{}
	for _, e := range capturedEvents(t, "var/log/mail.log") {
		got[e.Kind]++
	}
	log := capturedFile(t, "var/log/mail.log")
	for kind, pattern := range map[spoor.EventKind]string{
		spoor.EventDelivered:   `(?m)postfix/(?:smtp|local|lmtp|virtual|pipe|error|discard)\[\d+\]: \w+: to=<.*, status=sent \(`,
		spoor.EventDeferred:    `(?m)postfix/\w+\[\d+\]: \w+: to=<.*, dsn=4[.\d]+, status=deferred \(`,
		spoor.EventFailed:      `(?m)postfix/\w+\[\d+\]: \w+: (?:to=<.*, dsn=5[.\d]+, status=bounced \(|from=<.*>, status=expired)`,
		spoor.EventQueued:      `(?m)postfix/qmgr\[\d+\]: \w+: from=<.*\(queue active\)$`,
		spoor.EventNamed:       `(?m)postfix/cleanup\[\d+\]: \w+: message-id=`,
		spoor.EventEnded:       `(?m)postfix/qmgr\[\d+\]: \w+: removed$`,
		spoor.EventBounced:     `(?m)postfix/bounce\[\d+\]: \w+: sender [\w -]+ notification: \w+$`,
		spoor.EventLoginFailed: `(?m)smtpd\[\d+\]: warning: \S+: SASL \w+ authentication failed`,
		spoor.EventSubmitted:   `(?m)(?:smtpd\[\d+\]: [0-9A-Za-z]+: client=|pickup\[\d+\]: \w+: uid=)`,
	} {
		if want := len(regexp.MustCompile(pattern).FindAll(log, -1)); got[kind] != want {
			t.Errorf("%d times %v, want %d", got[kind], kind, want)
		}
	}
	if got[spoor.EventDelivered] == 0 || got[spoor.EventDeferred] == 0 || got[spoor.EventFailed] == 0 {
		t.Errorf("got %v", got)
	}
}

func TestTheCapturedLogOfDovecotTellsWhoFailed(t *testing.T) {
	events := capturedEvents(t, "var/log/dovecot.log")
	for _, e := range events {
		if e.Kind != spoor.EventAccessFailed || string(e.Address) != "anna@example.com" || string(e.Client) != "127.0.0.2" {
			t.Errorf("%v of %s from %s", e.Kind, e.Address, e.Client)
		}
	}
	if len(events) != 8 {
		t.Errorf("%d events", len(events))
	}
}

// TestTheClockOfEveryIDIsThatOfItsLine: IDs are given when the line is logged.
func TestTheClockOfEveryIDIsThatOfItsLine(t *testing.T) {
	clocks := 0
	for _, e := range capturedEvents(t, "var/log/mail.log") {
		if e.Clock == 0 {
			continue
		}
		clocks++
		clock, line := e.Clock.Time(), e.Time.Time()
		if clock.Month() != line.Month() || clock.Day() != line.Day() || clock.Minute() != line.Minute() {
			t.Errorf("%s of %v is logged at %v", e.ID, clock, line)
		}
	}
	if clocks < 50 {
		t.Errorf("%d IDs carry a clock", clocks)
	}
}
