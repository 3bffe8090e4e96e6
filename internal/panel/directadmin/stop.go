package directadmin

import (
	"context"
	"strconv"
	"strings"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/panel"
)

var (
	_ panel.Stopper = (*Panel)(nil)
	_ panel.Managed = (*Panel)(nil)
)

// ManagesMail says that DirectAdmin writes the configuration of Exim.
func (p *Panel) ManagesMail() {}

// The lists of those who may not send, which DirectAdmin's exim.pl looks into: a
// line is a name, a colon, and the time in seconds since 1970.
const (
	smtpBlacklist   = "/etc/virtual/blacklist_smtp_usernames"   // accounts and users, by SMTP
	scriptBlacklist = "/etc/virtual/blacklist_script_usernames" // users, by scripts
)

// limiters are the files in which it stands whether the lists are looked into.
func limiters() []string { return []string{"/etc/exim.pl", "/etc/exim.conf"} }

// Stops reports whether DirectAdmin can stop sources of a kind.
func (p *Panel) Stops(kind spoor.Kind) bool {
	switch kind {
	case spoor.KindAccount, spoor.KindSite, spoor.KindUser:
		return true
	default:
		return false
	}
}

// Stop proposes a line in one of the lists.
func (p *Panel) Stop(_ context.Context, _ panel.Runner, c *spoor.Culprit) spoor.Measures {
	list, name := smtpBlacklist, c.Source.Name
	switch c.Source.Kind {
	case spoor.KindAccount:
	case spoor.KindSite, spoor.KindUser:
		list, name = scriptBlacklist, c.Login
	default:
		return spoor.Measures{}
	}
	if !panel.Mailbox(name) && !panel.Login(name) {
		return spoor.Measures{Refused: []string{"the name has signs that no login of DirectAdmin has"}}
	}
	if !p.looksInto(list) {
		return spoor.Measures{ByHand: []string{`echo "` + name + `:$(date +%s)" >> ` + list}}
	}
	file, err := p.root.Resolve(list)
	if err != nil {
		file = list
	}
	file = host.Abs(file)
	return spoor.Measures{Steps: []spoor.Step{{
		Kind: spoor.StepEdit, What: "DirectAdmin refuses mail of " + name + " (a line in " + file + ")", Inverse: "the line is taken out",
		Edit: &spoor.Edit{
			Path: file, Mode: 0o644, Changes: []spoor.LineChange{{New: name + ":" + strconv.FormatInt(c.Now.Unix(), 10)}},
		},
	}}}
}

// configurationBytes is far above the size of exim.pl and exim.conf.
const configurationBytes = 4 << 20

// looksInto reports whether this DirectAdmin knows a list.
func (p *Panel) looksInto(list string) bool {
	base := list[strings.LastIndexByte(list, '/')+1:]
	for _, name := range limiters() {
		data, err := p.root.ReadFile(name, configurationBytes)
		if err == nil && strings.Contains(string(data), base) {
			return true
		}
	}
	return false
}
