package report

import (
	"bytes"
	"encoding/json"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"spoor"
)

func known(c spoor.Certainty, how string) spoor.Known { return spoor.Known{Certainty: c, How: how} }

// sampleLive is half a minute on a server with two senders.
func sampleLive() *Live {
	shop := spoor.Source{Kind: spoor.KindSite, Name: "shop.example"}
	exact, likely := known(spoor.CertaintyExact, "uid 10003"), known(spoor.CertaintyLikely, "Apache says it of the request")
	return &Live{
		Head:    Head{Root: "/", Host: "mail7.example.net", Time: now, Panel: "plesk"},
		Started: now.Add(-30 * time.Second), Mechanism: "ebpf", Misses: "sees every exec of these programs",
		Refused: []string{"magic (not permitted)"}, Programs: []string{"/usr/sbin/sendmail", "/usr/sbin/postdrop"}, Pages: []string{"php-fpm pool shop"},
		Count: 1240, Own: []OwnCount{{"qmaild", 12}}, Complete: false,
		Gaps: []spoor.Gap{{File: "(ebpf)", Reason: "seen and not told: they came faster than they could be read", Count: 3}},
		Doings: []spoor.Doing{
			{
				Source: shop, Known: exact, UID: 10003, Login: "web12", Script: "/var/www/vhosts/shop.example/httpdocs/forms/mailer.php",
				ScriptKnown: known(spoor.CertaintyExact, "descriptor 5 of the process"), Client: "203.0.113.9", ClientKnown: likely, Clients: 3,
				Count: 1200, Recent: 400, First: now.Add(-30 * time.Second), Last: now.Add(-time.Second),
			},
			{
				Activity: spoor.ActivityConnection, Source: spoor.Source{Kind: spoor.KindUser, Name: "dump"}, Known: known(spoor.CertaintyExact, "uid 1001"),
				UID: 1001, Login: "dump", Script: "/tmp/.x/bot.pl", ScriptKnown: known(spoor.CertaintyClaim, "arguments of the process"),
				Count: 37, First: now.Add(-20 * time.Second), Last: now.Add(-15 * time.Second),
			},
			{Source: spoor.Source{}, UID: -1, Count: 1, First: now, Last: now},
			{
				Activity: spoor.ActivityOpenScript, Source: shop, Known: exact, UID: 10003, Login: "web12", Script: "/var/www/vhosts/shop.example/httpdocs/index.php",
				ScriptKnown: exact, Count: 2, First: now, Last: now,
			},
		},
	}
}

func sampleSighting() *spoor.Sighting {
	return &spoor.Sighting{
		Time: now, Activity: spoor.ActivitySubmission, Mechanism: "ebpf",
		Process: spoor.Process{PID: 4711, Start: 1234567 * time.Millisecond, UID: 10003, GID: 2523, Comm: "sendmail", Exe: "/usr/sbin/sendmail", Dir: "/var/www"},
		Parents: []spoor.Process{{PID: 900, UID: 10003, GID: -1, Comm: "php-fpm8.2", Exe: "/usr/sbin/php-fpm8.2"}},
		Files:   []spoor.OpenFile{{FD: 5, Path: "/var/www/a.php", Readonly: true, Current: true}},
		Claims:  []spoor.Variable{{Key: "REMOTE_ADDR", Value: "203.0.113.9"}},
		Program: "/usr/sbin/sendmail", Args: []string{"sendmail", "-t", "a@b.test"}, Recipients: []string{"a@b.test"},
		Remote: netip.MustParseAddrPort("192.0.2.1:25"),
		Source: spoor.Source{Kind: spoor.KindSite, Name: "shop.example"}, SourceKnown: known(spoor.CertaintyExact, "uid 10003"), Login: "web12", Site: "shop.example",
		Script: "/var/www/a.php", ScriptKnown: known(spoor.CertaintyExact, "descriptor 5 of the process"),
		Client: "203.0.113.9", ClientKnown: known(spoor.CertaintyClaim, "REMOTE_ADDR of the process"), Request: "POST /a.php",
	}
}

func TestLivePages(t *testing.T) {
	quiet := &Live{Head: Head{Root: "/", Time: now}, Started: now, Mechanism: "proc", Misses: "sees little", Complete: true}
	screen := func(columns, rows int) func(io.Writer) error {
		return func(w io.Writer) error {
			style := colourStyle
			style.Columns = columns
			_, err := w.Write(sampleLive().Screen(style, rows))
			return err
		}
	}
	f := func(name string, write func(io.Writer) error) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); golden(t, name, write) })
	}
	f("live", func(w io.Writer) error { return sampleLive().Text(w, plainStyle) })
	f("live-colour", func(w io.Writer) error { return sampleLive().Text(w, colourStyle) })
	f("live-quiet", func(w io.Writer) error { return quiet.Text(w, pipeStyle) })
	f("live-screen", screen(120, 24))
	f("live-screen-80", screen(80, 24))
	f("live-screen-small", screen(30, 3))
	f("live-start-json", sampleLive().StartJSON)
	f("live-sighting-json", func(w io.Writer) error { return SightingJSON(w, sampleSighting()) })
	f("live-summary-json", sampleLive().SummaryJSON)
}

// Whatever the size of the terminal, no line is longer than it and none is
// scrolled away.
func TestAScreenFitsItsTerminal(t *testing.T) {
	for columns := 1; columns < 200; columns++ {
		for _, rows := range []int{1, 2, 5, 24} {
			for _, live := range []*Live{sampleLive(), poisoned(sampleLive())} {
				screen := string(live.Screen(Style{Columns: columns, Now: now}, rows))
				screen = strings.TrimSuffix(strings.TrimPrefix(screen, screenHome), screenEnd)
				lines := strings.Split(screen, screenLine)
				if len(lines) > rows {
					t.Fatalf("%d lines on %d rows", len(lines), rows)
				}
				for _, line := range lines {
					checkSafe(t, line)
					if shown := displayed(line); shown > columns {
						t.Fatalf("%d columns on a terminal of %d: %q", shown, columns, line)
					}
				}
			}
		}
	}
}

// displayed is how many columns a line takes that is escaped already.
func displayed(line string) int {
	total := 0
	for _, r := range line {
		total += runeColumns(r)
	}
	return total
}

func TestHostileSightingsStayText(t *testing.T) {
	f := func(name string, write func(io.Writer) error) {
		t.Helper()
		t.Run(name, func(t *testing.T) { checkLines(t, written(t, write)) })
	}
	live := poisoned(sampleLive())
	for _, style := range []Style{plainStyle, pipeStyle, {Columns: 1}} {
		f("text", func(w io.Writer) error { return live.Text(w, style) })
	}
	f("start", live.StartJSON)
	f("summary", live.SummaryJSON)
	f("sighting", func(w io.Writer) error { return SightingJSON(w, poisoned(sampleSighting())) })
	if text := written(t, func(w io.Writer) error { return live.Text(w, plainStyle) }); strings.Contains(text, "spoor stop") {
		t.Errorf("a name that cannot be typed is in a command:\n%s", text)
	}
}

type contractKnown struct{ Certainty, How *string }

type contractProcess struct {
	PID   *int
	Start *float64
	UID   *int `optional:"yes"`
	Comm  *string
	Exe   *string
	Dir   *string `optional:"yes"`
}

// contractSighting is a line of spoor.live/1, as docs/live.md has it.
type contractSighting struct {
	Event, Time, Activity, Mechanism *string
	Source, Kind, Name               *string
	SourceKnown                      *contractKnown `json:"source_known"`
	Site, Script                     *string
	ScriptKnown                      *contractKnown `json:"script_known"`
	Client                           *string
	ClientKnown                      *contractKnown `json:"client_known"`
	Request                          *string
	UID, GID                         *int
	User                             *string
	Process                          *contractProcess
	Parents                          []contractProcess
	Files                            []struct {
		FD                *int
		Path              *string
		Readonly, Current *bool
	}
	Claims           []struct{ Key, Value *string }
	Program          *string
	Args, Recipients []string
	Remote           *string
}

func TestTheContractOfLive(t *testing.T) {
	decoder := json.NewDecoder(strings.NewReader(written(t, func(w io.Writer) error { return SightingJSON(w, sampleSighting()) })))
	decoder.DisallowUnknownFields()
	var got contractSighting
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(got)
	for i := range v.NumField() {
		if v.Field(i).IsNil() {
			t.Errorf("%s is missing", v.Type().Field(i).Name)
		}
	}
	var lines bytes.Buffer
	for _, write := range []func(io.Writer) error{sampleLive().StartJSON, sampleLive().SummaryJSON} {
		if err := write(&lines); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Count(lines.String(), "\n") != 2 {
		t.Errorf("an object takes more than a line:\n%s", lines.String())
	}
}
