package cpanel

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

// ManagesMail says that cPanel writes the configuration of Exim.
func (p *Panel) ManagesMail() {}

// The programs of cPanel's interfaces, and the module that has the functions for
// mailboxes.
const (
	whmapi      = "/usr/local/cpanel/bin/whmapi1"
	uapi        = "/usr/local/cpanel/bin/uapi"
	emailModule = productFolder + "/Cpanel/API/Email.pm"
	moduleBytes = 8 << 20
)

// Stops reports whether cPanel can stop sources of a kind.
func (p *Panel) Stops(kind spoor.Kind) bool {
	switch kind {
	case spoor.KindAccount, spoor.KindSite, spoor.KindUser:
		return true
	default:
		return false
	}
}

// Stop proposes that cPanel suspends outgoing mail, if this one knows the function.
func (p *Panel) Stop(ctx context.Context, run panel.Runner, c *spoor.Culprit) spoor.Measures {
	switch c.Source.Kind {
	case spoor.KindAccount:
		return p.stopMailbox(c)
	case spoor.KindSite, spoor.KindUser:
		return p.stopLogin(ctx, run, c)
	default:
		return spoor.Measures{}
	}
}

// stopLogin suspends all outgoing mail of a cPanel account.
func (p *Panel) stopLogin(ctx context.Context, run panel.Runner, c *spoor.Culprit) spoor.Measures {
	if !panel.Login(c.Login) || c.WebServer {
		return spoor.Measures{}
	}
	const function = "suspend_outgoing_email"
	do := []string{whmapi, function, "user=" + c.Login}
	if !c.Live || !listed(ctx, run, function) {
		return spoor.Measures{ByHand: []string{strings.Join(do, " ")}}
	}
	return spoor.Measures{Steps: []spoor.Step{{
		Kind: spoor.StepCommand, What: "cPanel suspends outgoing mail of " + c.Login + ", scripts and mailboxes", Inverse: "it is allowed again",
		Command: &spoor.Command{Do: do, Undo: []string{whmapi, "un" + function, "user=" + c.Login}, Want: "result: 1"},
	}}}
}

// listed reports whether WHM's interface lists a function and its inverse.
func listed(ctx context.Context, run panel.Runner, function string) bool {
	output, err := run.Run(ctx, nil, whmapi, "applist")
	return err == nil && strings.Contains(string(output), "un"+function) && strings.Contains(strings.ReplaceAll(string(output), "un"+function, ""), function)
}

// stopMailbox suspends outgoing mail of one mailbox, as its owner.
func (p *Panel) stopMailbox(c *spoor.Culprit) spoor.Measures {
	name := c.Source.Name
	if !panel.Mailbox(name) {
		return spoor.Measures{Refused: []string{"the account is no mailbox of cPanel's: it has no domain, or signs that no mailbox has"}}
	}
	_, domain, _ := strings.Cut(name, "@")
	owner := p.ownerOf(domain)
	do := []string{uapi, "--user=" + owner, "Email", "suspend_outgoing", "email=" + name}
	const open = "the password still opens the mailbox (IMAP, POP3, webmail)"
	if !c.Live || owner == "" || !p.mailboxFunctions() {
		if owner == "" {
			do[1] = "--user=OWNER"
		}
		return spoor.Measures{ByHand: []string{strings.Join(do, " ")}, Open: []string{open}}
	}
	return spoor.Measures{
		Steps: []spoor.Step{{
			Kind: spoor.StepCommand, What: "cPanel suspends outgoing mail of " + name, Inverse: "it is allowed again",
			Command: &spoor.Command{Do: do, Undo: []string{uapi, "--user=" + owner, "Email", "unsuspend_outgoing", "email=" + name}, Want: "status: 1"},
		}},
		Open: []string{open},
	}
}

// mailboxFunctions reports whether this cPanel has both functions.
func (p *Panel) mailboxFunctions() bool {
	data, err := p.root.ReadFile(emailModule, moduleBytes)
	return err == nil && strings.Contains(string(data), "sub suspend_outgoing") && strings.Contains(string(data), "sub unsuspend_outgoing")
}

// ownerOf is the login of the account that a domain belongs to, or "".
func (p *Panel) ownerOf(domain string) string {
	for _, site := range p.Sites() {
		if !strings.EqualFold(site.Domain, domain) || site.UID < 0 {
			continue
		}
		if login := p.Owner(site.UID).Login; panel.Login(login) {
			return login
		}
	}
	return ""
}
