package cli

import (
	"testing"
	"time"
)

func TestMeterTellsRateAndTimeLeft(t *testing.T) {
	m := &meter{verb: "rm"}
	if line := m.line(time.Second); line != "" {
		t.Errorf("before the first batch it shows %q", line)
	}
	m.set(1000, 4000)
	want := "rm [#####---------------] 1000 of 4000 messages, 500/s, 6s left"
	if line := m.line(2 * time.Second); line != want {
		t.Errorf("it shows %q, want %q", line, want)
	}
}
