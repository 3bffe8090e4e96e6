package recorder

import (
	"testing"
	"time"
)

func TestCrowd(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	c := crowd{now: func() time.Time { return now }, users: map[int]*visitor{}}
	enter := func(uid, n int) (entered int) {
		for range n {
			if c.enter(uid) {
				entered++
			}
		}
		return entered
	}
	if got := enter(1, 200); got != maxConnections {
		t.Errorf("%d at once", got)
	}
	if got := enter(2, 1); got != 1 {
		t.Error("another user is turned away")
	}
	for range maxConnections {
		c.leave(1)
	}
	rate := func(n int) (entered int) {
		for range n {
			if c.enter(1) {
				entered++
				c.leave(1)
			}
		}
		return entered
	}
	if got := rate(5000); got != visitsAtOnce-maxConnections {
		t.Errorf("%d, one after the other", got)
	}
	now = now.Add(time.Second)
	if got := rate(5000); got != visitsSecond {
		t.Errorf("%d a second later", got)
	}
	now = now.Add(-time.Hour)
	if got := rate(10); got != 0 {
		t.Errorf("%d when the clock was set back", got)
	}
	now = now.Add(time.Minute)
	if got := rate(10); got != 10 {
		t.Errorf("%d a minute later", got)
	}
	for uid := range 2 * maxUsers {
		c.enter(uid)
		c.leave(uid)
		now = now.Add(time.Millisecond)
	}
	if len(c.users) > maxUsers+1 {
		t.Errorf("%d users are remembered", len(c.users))
	}
}
