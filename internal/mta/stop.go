package mta

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// Stopper is implemented by queues whose MTA can be told to take nothing more from
// a source. It only reads, and proposes steps; the caller journals and does them.
type Stopper interface {
	Stop(c *spoor.Culprit) spoor.Measures
	// Stops reports whether sources of a kind can be stopped by the MTA's own means:
	// Stop may still find that one cannot.
	Stops(kind spoor.Kind) bool
}

// Bar proposes that a user may run none of the programs that hand mail over, and
// connect to no mail server. Programs are paths, links among them.
func Bar(root *host.Root, c *spoor.Culprit, programs []string) spoor.Measures {
	var m spoor.Measures
	if c.UID <= 0 {
		return m
	}
	seen := map[string]bool{}
	for _, name := range programs {
		file, err := root.Resolve(name)
		if name == "" || err != nil || seen[file] {
			continue
		}
		seen[file] = true
		file = host.Abs(file)
		m.Steps = append(m.Steps, spoor.Step{
			Kind: spoor.StepACL, ACL: &spoor.ACL{Path: file, UID: c.UID}, Optional: true, Shared: fmt.Sprintf("acl %s %d", file, c.UID),
			What:    fmt.Sprintf("%s may not run %s any more (an entry in its access control list)", who(c), file),
			Inverse: "the list of " + file + " is as it was",
		})
	}
	if len(m.Steps) > 0 {
		m.Open = append(m.Open, "an upgrade that replaces these programs opens them again until the next spoor command that changes something")
	}
	m.Add(barPorts(c))
	return m
}

// barPorts keeps a user's processes from mail servers.
func barPorts(c *spoor.Culprit) spoor.Measures {
	if !c.Live {
		return spoor.Measures{ByHand: []string{fmt.Sprintf("nft add rule inet filter output meta skuid %d tcp dport { 25, 465, 587 } reject", c.UID)}}
	}
	where, open := "any machine, this one too", "the firewall forgets its rules when the machine is restarted; the next spoor command that changes something puts them back"
	if c.WebServer {
		where = "other machines"
	}
	m := spoor.Measures{Open: []string{open}, Steps: []spoor.Step{{
		Kind: spoor.StepFirewall, Firewall: &spoor.Firewall{UID: c.UID, Loopback: !c.WebServer}, Optional: true,
		What:    fmt.Sprintf("processes of %s cannot connect to the ports 25, 465 and 587 of %s (nftables, table inet spoor)", who(c), where),
		Inverse: "the rule is taken out",
	}}}
	if c.WebServer {
		m.Open = append(m.Open, "SMTP from the web server to this machine itself, which webmail needs: scripts can use it too")
	}
	return m
}

func who(c *spoor.Culprit) string {
	if c.Login != "" {
		return fmt.Sprintf("%s (uid %d)", c.Login, c.UID)
	}
	return fmt.Sprintf("uid %d", c.UID)
}

// BarNetwork proposes that a network cannot connect to the mail server.
func BarNetwork(c *spoor.Culprit) spoor.Measures {
	prefix, ok := c.Network()
	switch {
	case !ok:
		return spoor.Measures{}
	case OfThisMachine(prefix, c.Addresses):
		return spoor.Measures{Refused: []string{"the mail comes from this machine itself, or the network has it in it: its programs are to be stopped, not its address"}}
	case !c.Live:
		return spoor.Measures{ByHand: []string{"nft add rule inet filter input ip saddr " + prefix.String() + " tcp dport { 25, 465, 587 } reject"}}
	}
	return spoor.Measures{
		Steps: []spoor.Step{{
			Kind: spoor.StepFirewall, Firewall: &spoor.Firewall{Prefix: prefix, Until: c.Until}, Optional: true, Shared: "firewall " + prefix.String(),
			What:    prefix.String() + " cannot connect to the ports 25, 465 and 587 of this machine, logged in or not (nftables, table inet spoor)",
			Inverse: "the address is taken out of the set",
		}},
		Open: []string{"the firewall forgets its rules when the machine is restarted; the next spoor command that changes something puts them back"},
	}
}

// OfThisMachine reports whether a network has an address of the machine that it would
// be kept from: the loopback, or one of own. The mail system talks to itself by these, and
// so do its filters.
func OfThisMachine(prefix netip.Prefix, own []netip.Addr) bool {
	return prefix.Overlaps(netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 0}), 8)) || prefix.Contains(netip.IPv6Loopback()) ||
		slices.ContainsFunc(own, func(addr netip.Addr) bool { return prefix.Contains(addr.Unmap()) })
}

// PlainWord reports whether a login, address or name can stand in a line of a
// configuration without quoting: letters, digits and . _ + @ = -, not too long.
func PlainWord(word string) bool {
	return word != "" && len(word) <= 254 && word[0] != '-' && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+@=-") == ""
}

// Reloads are two steps around others: the daemon reads its configuration again
// when they are done, and when they are taken back. nil if the machine does not run.
// Workers are programs that the daemon replaces then.
func Reloads(c *spoor.Culprit, pidFile, exe string, workers ...string) (before, after []spoor.Step) {
	if !c.Live {
		return nil, nil
	}
	before = []spoor.Step{{Kind: spoor.StepReload, Reload: &spoor.Reload{PIDFile: pidFile, Exe: exe, Undone: true}}}
	after = []spoor.Step{{
		Kind: spoor.StepReload, Reload: &spoor.Reload{PIDFile: pidFile, Exe: exe, Workers: workers}, What: exe + " reads its configuration again",
		Inverse: "it reads its configuration again",
	}}
	return before, after
}

// Remade are two steps around others for files that a program makes of those: it
// makes them when the others are done, and when they are taken back, unless the files
// are then as they were before. shared is spoor.Step.Shared, of a program that makes
// one thing of all that several plans have done; else "".
func Remade(argv, writes []string, inverse, shared string) (before, after spoor.Step) {
	before = spoor.Step{Kind: spoor.StepCommand, Command: &spoor.Command{Undo: argv, Writes: writes}}
	after = spoor.Step{
		Kind: spoor.StepCommand, Command: &spoor.Command{Do: argv, Writes: writes}, Shared: shared,
		What: strings.Join(argv, " "), Inverse: inverse,
	}
	return before, after
}
