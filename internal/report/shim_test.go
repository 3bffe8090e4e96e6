package report

import (
	"io"
	"testing"
	"time"
)

func sampleShim() *Shim {
	return &Shim{
		Time: now, InFront: true, Current: true, PHP: []string{"/etc/php/8.2/fpm/conf.d/zz-spoor-shim.ini"}, Answers: true, HasKey: true,
		LastLine: now.Add(-time.Minute), LogBytes: 1 << 20, Limits: 2, Held: sampleHeld().Messages, Damaged: 1,
	}
}

func sampleHeld() *Held {
	return &Held{Time: now, Messages: []HeldMessage{
		{Name: "20261123T090000-0011223344556677", Time: now.Add(-time.Hour), UID: 10003, User: "web\x1b3", Script: "/var/www/a\x1b[31m.php", Limit: "50/h of uid 10003", Sender: "a@x.test", Subject: "=?utf-8?Q?h=1B[2Ji?=", MessageID: "<1\n@x>", Recipients: 3, SizeBytes: 2048, Vault: "20261123-held"},
		{Name: "20261123T091500-8899aabbccddeeff", Time: now.Add(-time.Minute), UID: 33, Recipients: 1, SizeBytes: 512, Uncertain: true, Plan: "20261123T091600-shim-release"},
	}, Damaged: 1}
}

func TestShimPages(t *testing.T) {
	none := &Shim{Time: now, Config: "/etc/spoor/shim.toml: limit 1: limit = \"x\""}
	replaced := &Shim{Time: now, Replaced: true, Answers: true}
	dead := &Shim{Time: now, InFront: true, LastLine: now}
	for name, write := range map[string]func(io.Writer) error{
		"shim":          func(w io.Writer) error { return sampleShim().Text(w, plainStyle) },
		"shim-none":     func(w io.Writer) error { return none.Text(w, plainStyle) },
		"shim-dead":     func(w io.Writer) error { return dead.Text(w, plainStyle) },
		"shim-replaced": func(w io.Writer) error { return replaced.Text(w, plainStyle) },
		"shim-json":     sampleShim().JSON,
		"held":          func(w io.Writer) error { return sampleHeld().Text(w, plainStyle) },
		"held-ids":      sampleHeld().IDs,
		"held-json":     sampleHeld().JSON,
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, write) })
	}
}
