package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"spoor/internal/mta"
)

func TestTheServiceOfATimerHasItsWordsQuoted(t *testing.T) {
	units := func(program, state string) (string, error) {
		o := &options{env: testEnvironment(&bytes.Buffer{}, &bytes.Buffer{}), state: state}
		e, err := o.expiryUnits(&server{adapter: mta.Adapter{Name: "postfix"}}, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), program)
		if err != nil {
			return "", err
		}
		if !strings.Contains(e.timerUnit(), "\nOnCalendar=2026-11-24 12:00:00 UTC\n") {
			t.Errorf("the timer is\n%s", e.timerUnit())
		}
		return e.serviceUnit(), nil
	}
	const rest = ` "--mta" "postfix" "unstop" "--expired" "--yes" "--reason" "the time of a stop is over"` + "\n"
	for want, words := range map[string][2]string{
		`ExecStart="/usr/bin/spoor"` + rest:                         {"/usr/bin/spoor", ""},
		`ExecStart="/opt/a b 1%%/$x/spoor"` + rest:                  {"/opt/a b 1%/$x/spoor", ""},
		`ExecStart="/s" "--state" "/a \"b\" \\c $$HOME 5%%"` + rest: {"/s", `/a "b" \c $HOME 5%`},
		"RequiresMountsFor=\"/a \\\"b\\\" \\\\c $HOME 5%%\"\n":      {"/s", `/a "b" \c $HOME 5%`},
		"RequiresMountsFor=\"/var/lib/spoor\"\n":                    {"/s", ""},
	} {
		if text, err := units(words[0], words[1]); err != nil || !strings.Contains(text, want) {
			t.Errorf("%q: %v, want %q in\n%s", words, err, want, text)
		}
	}
	for _, words := range [][2]string{{`/opt/"new"/spoor`, ""}, {`/opt/it's`, ""}, {`/opt/a\b`, ""}, {"/opt/a\nb", ""}, {"/s", "/a\nExecStartPre=/bin/sh"}, {"/s", "/a\xff"}} {
		if text, err := units(words[0], words[1]); err == nil {
			t.Errorf("%q becomes\n%s", words, text)
		}
	}
}

func TestForIsAMinuteToAYear(t *testing.T) {
	o := &options{env: testEnvironment(&bytes.Buffer{}, &bytes.Buffer{})}
	for text, good := range map[string]bool{
		"": true, "1m": true, "24h": true, "7d": true, "366d": true,
		"59s": false, "367d": false, "213505d": false, "-1d": false, "d": false, "1x": false, "9999999h": false,
	} {
		if _, err := o.expiry(text); (err == nil) != good {
			t.Errorf("--for %q: %v", text, err)
		}
	}
}
