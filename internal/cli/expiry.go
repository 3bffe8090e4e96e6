package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"spoor"
	"spoor/internal/report"
)

// say tells something on standard error, in one line.
func (o *options) say(format string, values ...any) {
	fmt.Fprintln(o.env.Err, "spoor: "+report.Escape(fmt.Sprintf(format, values...)))
}

// shortest and longest are the bounds of --for.
const (
	shortest = time.Minute
	longest  = 366 * 24 * time.Hour
)

// expiry is when a stop takes itself back; zero for never.
func (o *options) expiry(lasts string) (time.Time, error) {
	if lasts == "" {
		return time.Time{}, nil
	}
	span, err := time.ParseDuration(lasts)
	if days, ok := strings.CutSuffix(lasts, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		span = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || span < shortest || span > longest {
		return time.Time{}, usage(errors.New("--for " + lasts + ": want a time such as 24h or 7d, from one minute to a year"))
	}
	return o.env.Now().UTC().Add(span).Truncate(time.Second), nil
}

// Programs of systemd.
const (
	systemdRun = "/usr/bin/systemd-run"
	systemctl  = "/usr/bin/systemctl"
	systemdUp  = "/run/systemd/system" // is there where systemd runs (sd_booted(3))
)

// timer is the step that takes a plan back when its time is over, where systemd
// runs. It does not survive a restart: then the next command does it.
func (o *options) timer(s *server, at time.Time) (spoor.Step, bool) {
	if at.IsZero() || !s.root.Live() || !s.root.Exists(systemdUp) || !s.root.Exists(systemdRun) {
		return spoor.Step{}, false
	}
	program, err := os.Executable()
	if err != nil {
		return spoor.Step{}, false
	}
	// Stops that end in the same second have a timer each.
	unit := "spoor-expire-" + strconv.FormatInt(at.Unix(), 10) + "-" + strconv.FormatInt(o.env.Now().UnixNano(), 36)
	do := []string{
		systemdRun, "--unit=" + unit, "--on-calendar=" + at.UTC().Format("2006-01-02 15:04:05") + " UTC", "--timer-property=AccuracySec=1s", program,
	}
	if o.state != "" {
		do = append(do, "--state", o.state)
	}
	do = append(do, "--mta", s.adapter.Name, "unstop", "--expired", "--yes", "--reason", "the time of a stop is over")
	return spoor.Step{
		Kind: spoor.StepCommand, Optional: true, What: "a timer of systemd takes it back at " + at.UTC().Format("2006-01-02 15:04 MST") + " (" + unit + ")",
		Inverse: "the timer is removed",
		Command: &spoor.Command{Do: do, Undo: []string{systemctl, "stop", unit + ".timer"}, Lenient: true},
	}, true
}
