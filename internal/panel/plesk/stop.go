package plesk

import (
	"context"
	"strings"

	"spoor"
	"spoor/internal/panel"
)

var (
	_ panel.Stopper = (*Panel)(nil)
	_ panel.Managed = (*Panel)(nil)
)

// ManagesMail says that Plesk writes the configuration of its MTA.
func (p *Panel) ManagesMail() {}

// limitOption is of "plesk bin mail" where Plesk limits outgoing mail (12 and later).
const limitOption = "-outgoing-messages-mbox-limit"

// Stops reports whether Plesk can stop sources of a kind.
func (p *Panel) Stops(kind spoor.Kind) bool {
	switch kind {
	case spoor.KindAccount:
		return true
	default:
		return false
	}
}

// Stop proposes that a mailbox may send no message an hour, if this Plesk can that.
func (p *Panel) Stop(ctx context.Context, run panel.Runner, c *spoor.Culprit) spoor.Measures {
	if c.Source.Kind != spoor.KindAccount {
		return spoor.Measures{}
	}
	name := c.Source.Name
	hand := []string{p.tool("mail") + " --update " + name + " " + limitOption + " 0", p.tool("mail") + " --update " + name + " -passwd NEW"}
	if !panel.Mailbox(name) {
		return spoor.Measures{Refused: []string{"the account is no mailbox of Plesk's: it has no domain, or signs that no mailbox has"}}
	}
	if !c.Live || !p.limits(ctx, run) {
		return spoor.Measures{ByHand: hand}
	}
	mail := p.conf.Product + "/bin/mail"
	before := "default"
	if value, ok := p.limitOf(ctx, run, name); ok {
		before = value
	}
	return spoor.Measures{
		Steps: []spoor.Step{{
			Kind: spoor.StepCommand, What: "Plesk: " + name + " may send 0 messages an hour", Inverse: "the limit is " + before + " again",
			Command: &spoor.Command{
				Do: []string{mail, "--update", name, limitOption, "0"}, Undo: []string{mail, "--update", name, limitOption, before},
				Before: []string{mail, "--info", name},
			},
		}},
		Open: []string{
			"Plesk refuses what is over a limit at the end of the message, and drops it",
			"clients on Plesk's white list have no limit", "the password still opens the mailbox (IMAP, POP3, webmail): by hand, " + hand[1],
		},
	}
}

// tool is how an operator calls a utility of this Plesk.
func (p *Panel) tool(name string) string { return p.conf.Product + "/bin/" + name }

// limits reports whether the utility says that it knows the option.
func (p *Panel) limits(ctx context.Context, run panel.Runner) bool {
	output, err := run.Run(ctx, nil, p.tool("mail"), "--help")
	return err == nil && strings.Contains(string(output), limitOption)
}

// limitOf reads the limit that a mailbox has now from a line such as
//
//	Outgoing messages limit:   50
func (p *Panel) limitOf(ctx context.Context, run panel.Runner, name string) (string, bool) {
	output, err := run.Run(ctx, nil, p.tool("mail"), "--info", name)
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(output)) {
		label, value, ok := strings.Cut(strings.ToLower(line), ":")
		value = strings.TrimSpace(value)
		if ok && strings.Contains(label, "outgoing") && strings.Contains(label, "limit") && panel.Number(value) {
			return value, true
		}
	}
	return "", false
}
