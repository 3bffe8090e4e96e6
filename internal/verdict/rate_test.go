package verdict

import (
	"slices"
	"testing"
	"time"

	"spoor"
)

func TestABurstIsFoundWheneverItWas(t *testing.T) {
	hour := func(at, recipients int) spoor.HourTally {
		return spoor.HourTally{Start: monday.Add(time.Duration(at) * time.Hour), Messages: 1, Recipients: recipients}
	}
	f := func(name string, hours []spoor.HourTally, want int) {
		t.Helper()
		got := burstOf(hours)
		if found := got.height > 0; found != (want > 0) || got.hour.Recipients != want {
			t.Errorf("%s: %+v, want an hour of %d", name, got, want)
		}
	}
	var calm, night []spoor.HourTally
	for i := range 48 {
		calm = append(calm, hour(i, 3+i%4))
	}
	for i := range 10 {
		night = append(night, hour(48+i, 900+i))
	}
	f("no hours", nil, 0)
	f("a calm source", calm, 0)
	f("a burst at the end", append(slices.Clone(calm), night[0]), 900)
	f("a burst that lasts", slices.Concat(calm, night), 900)
	f("a burst that is over", slices.Concat(calm, night, []spoor.HourTally{hour(70, 4), hour(90, 3)}), 900)
	f("too little before", slices.Concat(calm[:5], night[:1]), 0)
	f("enough before", slices.Concat(calm[:6], night[:1]), 900)
	f("twice as many", append(slices.Clone(night), hour(70, 1800)), 0)
	f("few", append(slices.Clone(calm), hour(60, 50)), 0)
}

func TestAJumpWithinADayIsWorthHalf(t *testing.T) {
	f := func(hoursBefore int, want float64) {
		t.Helper()
		one := gone(source(spoor.KindSite, "site1.example", 2000, 1))
		one.History.Hours = nil
		for i := range minBaseline {
			one.History.Hours = append(one.History.Hours, spoor.HourTally{Start: monday.Add(time.Duration(i) * time.Hour), Recipients: 3})
		}
		late := spoor.HourTally{Start: monday.Add(time.Duration(hoursBefore) * time.Hour), Recipients: 1900}
		one.History.Hours = append(one.History.Hours, late)
		if got := reasonOf(t, judge(&facts{t: &one}), "RATE_JUMP"); got.Weight != want {
			t.Errorf("%d hours after the first: %v, want %v", hoursBefore, got.Weight, want)
		}
	}
	f(12, 1.25)
	f(24, 2.5)
}
