package postfix

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"spoor"
)

// sample is a line with what is to be found in it: the annotation above it, as
// fail2ban writes those.
type sample struct {
	Time  string `json:"time"`
	Match bool   `json:"match"`
	Host  string `json:"host"`
	User  string `json:"user"`
	line  spoor.Line
	text  string
}

func samples(t *testing.T, text []byte) (list []sample) {
	t.Helper()
	var next *sample
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\n")
		if note, ok := bytes.CutPrefix(line, []byte("# failJSON: ")); ok {
			next = &sample{}
			if err := json.Unmarshal(note, next); err != nil {
				t.Fatalf("%s: %v", note, err)
			}
			continue
		}
		if next != nil && len(line) > 0 && line[0] != '#' {
			next.line, next.text = splitLine(line), string(line)
			list, next = append(list, *next), nil
		}
	}
	return list
}

// isAuthFailure tells the samples of failed logins from those of other offences.
func isAuthFailure(text string) bool {
	for _, words := range []string{"authentication failed:", "LOGIN FAILED", "authentication failure", "auth failed", "pam_authenticate() failed"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// TestFail2bansSamplesOfFailedLogins takes what that project knows of its samples
// for the truth. Lines that only some of its modes count are left to both sides.
func TestFail2bansSamplesOfFailedLogins(t *testing.T) {
	found := 0
	for _, name := range []string{"postfix.log", "courier-auth.log", "sieve.log"} {
		text, err := os.ReadFile(corpus + "fail2ban/" + name)
		if err != nil {
			t.Skip("the public samples are not here")
		}
		list := samples(t, text)
		for _, s := range list {
			inDoubt := slices.ContainsFunc(list, func(other sample) bool { return other.text == s.text && other.Match != s.Match })
			if !inDoubt {
				found += checkSample(t, s)
			}
		}
	}
	if found < 20 {
		t.Errorf("%d samples of failed logins", found)
	}
}

// checkSample returns 1 for a failed login.
func checkSample(t *testing.T, s sample) int {
	t.Helper()
	var e spoor.Event
	sort := NewParser().Parse(&s.line, &e)
	failed := sort == spoor.LineEvent && (e.Kind == spoor.EventLoginFailed || e.Kind == spoor.EventAccessFailed)
	if want := s.Match && isAuthFailure(s.text); failed != want {
		t.Errorf("a failed login is %v, want %v: %s", failed, want, s.text)
		return 0
	}
	if !failed {
		return 0
	}
	if string(e.Client) != s.Host || s.User != "" && string(e.Address) != s.User {
		t.Errorf("%s failed from %s, want %s from %s: %s", e.Address, e.Client, s.User, s.Host, s.text)
	}
	at, err := time.Parse("2006-01-2T15:04:05", s.Time)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Time.Time(); got.Month() != at.Month() || got.Day() != at.Day() || got.Format(time.TimeOnly) != at.Format(time.TimeOnly) {
		t.Errorf("at %v, want %v: %s", got, at, s.text)
	}
	return 1
}

// TestFail2bansSamplesOfRefusals holds the clients of refusals against the same.
func TestFail2bansSamplesOfRefusals(t *testing.T) {
	text, err := os.ReadFile(corpus + "fail2ban/postfix.log")
	if err != nil {
		t.Skip("the public samples are not here")
	}
	found := 0
	for _, s := range samples(t, text) {
		if !s.Match || !strings.Contains(s.text, "reject: ") {
			continue
		}
		var e spoor.Event
		sort := NewParser().Parse(&s.line, &e)
		if sort != spoor.LineEvent || e.Kind != spoor.EventRejected && e.Kind != spoor.EventRemoved || string(e.Client) != s.Host {
			t.Errorf("%v, %v of %s, want %s: %s", sort, e.Kind, e.Client, s.Host, s.text)
		}
		found++
	}
	if found < 20 {
		t.Errorf("%d samples of refusals", found)
	}
}
