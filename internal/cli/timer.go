package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"spoor"
)

// What of systemd is used.
const (
	systemctl    = "/usr/bin/systemctl"
	systemdUp    = "/run/systemd/system" // is there where systemd runs (sd_booted(3))
	systemdUnits = "/etc/systemd/system/"
	timerStamps  = "/var/lib/systemd/timers" // of persistent timers: when they have run last
)

// timer adds to a plan what takes it back when its time is over: a timer of systemd
// (systemd.timer(5)), by files in /etc, so that a restart of the machine does not lose
// it. Where there is none, the plan says what does it.
func (o *options) timer(s *server, p *spoor.Plan) {
	if p.Expires.IsZero() || !s.root.Live() {
		return
	}
	program, err := os.Executable()
	var without string
	switch {
	case !s.root.Exists(systemdUp) || !s.root.Exists(systemctl):
		without = "systemd does not run here"
	case err != nil:
		without = err.Error()
	default:
		without = untrusted(program)
	}
	var e *expiryUnits
	if without == "" {
		if e, err = o.expiryUnits(s, p.Expires, program); err != nil {
			without = err.Error()
		}
	}
	if without != "" {
		p.Open = append(p.Open, "there is no timer, since "+without+": when the time is over, the next spoor command that changes something takes it back")
		return
	}
	p.Steps = append(p.Steps, e.steps()...)
}

// expiryUnits are the timer and the service that it starts.
type expiryUnits struct {
	name    string // of both, without the suffix
	at      time.Time
	command string // of ExecStart
	state   string // the state folder, quoted
}

func (o *options) expiryUnits(s *server, at time.Time, program string) (*expiryUnits, error) {
	words := []string{}
	state := "/" + defaultState
	if o.state != "" {
		var err error
		if state, err = filepath.Abs(o.state); err != nil { // the service has another working folder
			return nil, err
		}
		words = append(words, "--state", state)
	}
	words = append(words, "--mta", s.adapter.Name, "unstop", "--expired", "--yes", "--reason", "the time of a stop is over")
	for _, word := range append(words, program) {
		// Of the path of a program it takes no quotes either (string_is_safe in its
		// src/basic/string-util.c).
		if !unitText(word) || word == program && strings.ContainsAny(word, `"'\`) {
			return nil, fmt.Errorf("%q cannot stand in a unit of systemd", word)
		}
	}
	command := []string{unitWord(program)}
	for _, word := range words {
		command = append(command, strings.ReplaceAll(unitWord(word), "$", "$$"))
	}
	return &expiryUnits{
		// Stops that end in the same second have a timer each.
		name: "spoor-expire-" + strconv.FormatInt(at.Unix(), 10) + "-" + strconv.FormatInt(o.env.Now().UnixNano(), 36),
		at:   at.UTC(), command: strings.Join(command, " "), state: unitWord(state),
	}, nil
}

// unitText reports whether a word can stand in a unit: systemd takes lines of UTF-8
// without control characters.
func unitText(word string) bool {
	return utf8.ValidString(word) && !strings.ContainsFunc(word, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// unitWord quotes a word of a unit, see systemd.service(5), "Command lines". A dollar
// sign means itself in the path of the program alone.
func unitWord(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(word) + `"`
}

// timerUnit is persistent: a time that comes while the machine is off is made up for
// when it starts.
func (e *expiryUnits) timerUnit() string {
	return `[Unit]
Description=Takes back what spoor has stopped until ` + e.clock() + `
Documentation=man:spoor-unstop(8)

[Timer]
OnCalendar=` + e.clock() + `
AccuracySec=1s
Persistent=true

[Install]
WantedBy=timers.target
`
}

// serviceUnit tries again while another spoor holds the lock, or when it fails. Status
// 3 says that there is nothing to take back, 4 that something could not be: then the
// service has failed for systemctl too.
func (e *expiryUnits) serviceUnit() string {
	return `[Unit]
Description=Takes back what spoor has stopped until ` + e.clock() + `
Documentation=man:spoor-unstop(8)
RequiresMountsFor=` + e.state + `

[Service]
ExecStart=` + e.command + `
SuccessExitStatus=3
RestartPreventExitStatus=4
Restart=on-failure
RestartSec=60
`
}

// clock is the time as systemd.time(7) has it.
func (e *expiryUnits) clock() string { return e.at.Format("2006-01-02 15:04:05") + " UTC" }

// steps write the units and start the timer. What fails of them is told, and the stop
// stays: then the next command takes it back. When they are taken back, the service may
// be what does that: it is not stopped.
func (e *expiryUnits) steps() []spoor.Step {
	timer := e.name + ".timer"
	file := func(name, text string) spoor.Step {
		return spoor.Step{
			Kind: spoor.StepEdit, Optional: true, What: systemdUnits + name + " is written", Inverse: "it is removed",
			Edit: &spoor.Edit{Path: systemdUnits + name, Content: &text, Mode: 0o644},
		}
	}
	return []spoor.Step{
		{Kind: spoor.StepCommand, Optional: true, Command: &spoor.Command{Undo: []string{systemctl, "daemon-reload"}, Lenient: true}},
		file(e.name+".service", e.serviceUnit()),
		file(timer, e.timerUnit()),
		// systemctl clean would need a bus.
		{Kind: spoor.StepCommand, Optional: true, Command: &spoor.Command{
			Undo: []string{"/usr/bin/find", timerStamps, "-maxdepth", "1", "-name", "stamp-" + timer, "-delete"}, Lenient: true,
		}},
		{
			Kind: spoor.StepCommand, Optional: true, What: "a timer of systemd takes it back at " + e.at.Format("2006-01-02 15:04 MST") + ", also after a restart of the machine",
			Inverse: "the timer is removed",
			Command: &spoor.Command{Do: []string{systemctl, "enable", "--now", timer}, Undo: []string{systemctl, "disable", "--now", timer}, Lenient: true},
		},
	}
}
