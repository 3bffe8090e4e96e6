package report

import (
	"math"
	"testing"
	"time"
)

func TestFiguresForAPerson(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(count(0), "0")
	f(count(999), "999")
	f(count(1000), "1,000")
	f(count(-1234567), "-1,234,567")
	f(count(int64(math.MinInt64)), "-9,223,372,036,854,775,808")
	f(plural(1, "message"), "1 message")
	f(plural(1200, "message"), "1,200 messages")

	f(shareOf(8, 58), "14%")
	f(shareOf(0, 58), "0%")
	f(shareOf(58, 58), "100%")
	f(shareOf(1, 1000), "under 1%")
	f(shareOf(999, 1000), "over 99%")
	f(percent(1), "100%")
	f(percent(0.999), "99%")
	f(percent(0.29), "29%")
	f(percent(-1), "0%")
	f(percent(7), "100%")
	f(percent(math.NaN()), "0%")
	f(weight(5), "+5.0")
	f(weight(-0.44), "-0.4")
	f(weight(math.Inf(1)), "+0.0")

	f(size(1), "1 byte")
	f(size(1023), "1,023 bytes")
	f(size(1024), "1.0 KiB")
	f(size(91827364), "87.6 MiB")
	f(size(math.MaxInt64), "8.0 EiB")
	f(shortSize(950), "950")
	f(shortSize(9073), "8.9K")
	f(shortSize(1<<20-1), "1.0M")
	f(shortSize(512<<20), "512M")
}

func TestAges(t *testing.T) {
	f := func(d time.Duration, long, short string) {
		t.Helper()
		if got := age(now, ago(d)); got != long {
			t.Errorf("age of %v: %q, want %q", d, got, long)
		}
		if got := shortAge(now, ago(d)); got != short {
			t.Errorf("short age of %v: %q, want %q", d, got, short)
		}
	}
	f(0, "0s", "0s")
	f(59*time.Second, "59s", "59s")
	f(40*time.Minute, "40m", "40m")
	f(125*time.Minute, "2h 5m", "2h")
	f(74*time.Hour, "3d 2h", "3d")
	f(2400*time.Hour, "100d", "100d")
	f(-time.Hour, "", "ahead")
	if got := age(now, time.Time{}); got != "" {
		t.Errorf("an unknown time is %q old", got)
	}
	if got := shortAge(now, time.Time{}); got != "?" {
		t.Errorf("an unknown time is %q old", got)
	}
}
