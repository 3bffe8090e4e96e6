package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"spoor"
)

// received writes the line of a message that got its ID at a time and was logged
// some time later, in a log whose zone is some hours east of UTC.
func received(at time.Time, late time.Duration, east time.Duration) string {
	return fmt.Sprintf("%s mx1 id: %d.%06d message\n", at.Add(late+east).Format(time.Stamp), at.Unix(), at.Nanosecond()/1000)
}

func noted(at time.Time, east time.Duration) string {
	return fmt.Sprintf("%s mx1 note: %s\n", at.Add(east).Format(time.Stamp), at.Format(time.DateTime))
}

// wantNoted checks that each noted line has the time that it tells.
func wantNoted(t *testing.T, r result) {
	t.Helper()
	notes := 0
	for _, e := range r.events {
		if at, err := time.Parse(time.DateTime, e.text); err == nil {
			notes++
			if e.when != at.Format("2006-01-02T15:04:05.000000") {
				t.Errorf("a line of %s is set to %s", e.text, e.when)
			}
		}
	}
	if notes == 0 {
		t.Error("no line has a time to be compared")
	}
}

func wantClock(t *testing.T, r result, proved bool, words string) {
	t.Helper()
	f := r.coverage.Files[0]
	if f.Clock != words || f.Proved != proved || len(r.coverage.Assumed) == 0 != proved {
		t.Errorf("clock %q, proved %t, assumed %v, want %q", f.Clock, f.Proved, r.coverage.Assumed, words)
	}
}

func TestALogWithoutStampsProvesNoClock(t *testing.T) {
	f := scanText(t, "hello\nworld\n", Options{}).coverage
	if one := f.Files[0]; one.Clock != "no line has a stamp" || one.Proved || len(f.Assumed) > 0 {
		t.Errorf("clock %q, proved %t, assumed %v", one.Clock, one.Proved, f.Assumed)
	}
}

func TestTrap05YearAndZoneAreProvedByQueueIDs(t *testing.T) {
	at := time.Date(2023, 2, 20, 13, 50, 44, 573_445_000, time.UTC) // three years before the file was copied
	india := 5*time.Hour + 30*time.Minute
	r := scanText(t, noted(at.Add(-time.Minute), india)+received(at, 145*time.Microsecond, india)+noted(at.Add(time.Second).Truncate(time.Second), india)+
		received(at.Add(time.Hour), 0, india), Options{})
	wantNoted(t, r)
	wantClock(t, r, true, "year and zone proved by queue IDs (UTC+05:30)")
	if got := r.events[1].when; got != "2023-02-20T13:50:44.000000" {
		t.Errorf("the line with the ID is at %s: the stamp of the ID is not its time", got)
	}
}

func TestTrap05YearTurnsBetweenQueueIDs(t *testing.T) {
	var text strings.Builder
	east := -7 * time.Hour
	for at := time.Date(2021, 12, 30, 0, 0, 0, 0, time.UTC); at.Year() < 2022 || at.Month() < 2; at = at.Add(7 * time.Hour) {
		text.WriteString(noted(at, east) + received(at.Add(time.Second), 2*time.Second, east))
	}
	r := scanText(t, text.String(), Options{})
	wantNoted(t, r)
	wantClock(t, r, true, "year and zone proved by queue IDs (UTC-07:00)")
}

func TestZoneOfStampsWithYearIsProvedByQueueIDs(t *testing.T) {
	r := scanText(t, "2026-11-23 12:00:00 id: Info: 1795431599.000000 a\n2026-11-23 12:10:00 id: Info: 1795432100.000000 slow\n", Options{NewParser: func() Parser { return levelParser{} }})
	wantTimes(t, r, "2026-11-23T11:00:00", "2026-11-23T11:10:00")
	wantClock(t, r, true, "zone proved by queue IDs (UTC+01:00)")
}

// levelParser reads what follows a level of Dovecot's as testParser does.
type levelParser struct{}

func (levelParser) Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	l.Body = []byte(strings.TrimPrefix(string(l.Body), "Info: "))
	return new(testParser).Parse(l, e)
}

func TestOneQueueIDProvesNoZone(t *testing.T) {
	at := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	r := scanText(t, received(at, time.Second, time.Hour), Options{})
	wantClock(t, r, false, "year proved by a queue ID, zone by that of one message only (UTC+01:00)")
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	r = scanText(t, received(at, time.Second, time.Hour), Options{Zone: berlin})
	wantClock(t, r, true, "year and zone proved by queue IDs (UTC+01:00)")
}

func TestSlowMessagesDoNotMoveTheClock(t *testing.T) {
	at := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	hour := func(h int) time.Time { return at.Add(time.Duration(h) * time.Hour) }
	late := []time.Duration{ // the first of all, some for an hour, some for what is no difference between zones
		time.Hour + time.Second, 0, 3 * time.Second, 40 * time.Second, 4 * time.Minute, 9 * time.Minute, 15*time.Minute + time.Second, time.Hour, 0, 15 * time.Minute, time.Hour, 2 * time.Second,
	}
	var text strings.Builder
	for i, d := range late {
		text.WriteString(received(hour(i).Add(-d), d, 0) + noted(hour(i), 0))
	}
	r := scanText(t, text.String(), Options{})
	wantNoted(t, r)
	wantClock(t, r, true, "year and zone proved by queue IDs (UTC+00:00)")
}

func TestTrap06SummerTimeEndsBetweenQueueIDs(t *testing.T) {
	end := time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)
	before := noted(end.Add(-4*time.Second), 2*time.Hour) + strings.Repeat(received(end.Add(-3*time.Second), 0, 2*time.Hour), 2) + received(end.Add(-2*time.Second), 0, 2*time.Hour) + noted(end.Add(-time.Second), 2*time.Hour)
	for name, after := range map[string]string{ // with as many messages before as after, those before could also be slow ones
		"a note first": noted(end.Add(time.Second), time.Hour) + received(end.Add(2*time.Second), 0, time.Hour) + noted(end.Add(3*time.Second), time.Hour),
		"an ID first":  received(end.Add(time.Second), 0, time.Hour) + noted(end.Add(2*time.Second), time.Hour) + received(end.Add(3*time.Second), 0, time.Hour),
		"hours later":  noted(end.Add(5*time.Second), time.Hour) + noted(end.Add(5*time.Hour), time.Hour) + received(end.Add(6*time.Hour), time.Second, time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			r := scanText(t, before+after, Options{})
			wantNoted(t, r)
			if f := r.coverage.Files[0]; !strings.HasSuffix(f.Clock, "(UTC+01:00)") {
				t.Errorf("clock %q", f.Clock)
			}
		})
	}
}

func TestTrap06SummerTimeBeginsBetweenQueueIDs(t *testing.T) {
	begin := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	var text strings.Builder
	for i := -5; i < 10; i++ {
		at, east := begin.Add(time.Duration(i)*time.Minute), time.Hour
		if i >= 0 {
			east = 2 * time.Hour
		}
		text.WriteString(received(at, time.Second, east))
		if i < 0 || i > 2 { // without the server's zone, three messages are needed to tell it from slow ones
			text.WriteString(noted(at.Add(2*time.Second), east))
		}
	}
	r := scanText(t, text.String(), Options{})
	wantNoted(t, r)
	wantClock(t, r, true, "year and zone proved by queue IDs (UTC+02:00)")
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	r = scanText(t, text.String()+noted(begin.Add(time.Hour), 2*time.Hour), Options{Zone: berlin})
	wantNoted(t, r)
}

func TestQueueIDsThatComeLateProveTheRest(t *testing.T) {
	at := time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)
	text := strings.Repeat("Jun  1 08:00:00 mx1 cron: x\n", headBytes/20)
	for i := range 5 {
		text += received(at.Add(time.Duration(i)*time.Minute), time.Second, -4*time.Hour) + noted(at.Add(time.Duration(i)*time.Minute+time.Second), -4*time.Hour)
	}
	r := scanText(t, text, Options{})
	wantNoted(t, r)
	wantClock(t, r, true, "year and zone proved by queue IDs (UTC-04:00)")
}

func TestStampsOfTheMTAOverruleQueueIDs(t *testing.T) {
	at := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	r := scanText(t, received(at, 0, time.Hour)+exact(at.Add(time.Second), 2, "1")+received(at.Add(2*time.Second), 0, time.Hour)+noted(at.Add(3*time.Second), 2*time.Hour), Options{})
	wantNoted(t, r)
	wantClock(t, r, true, "year and zone proved by the MTA's own stamps (UTC+02:00)")
}
