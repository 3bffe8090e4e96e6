package panel

import (
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// Ruleset is what a firewall's own program prints of its rules.
type Ruleset struct {
	Name string // of the program
	Text string
}

// egressFiles are where rules and panels say whether users may speak SMTP to other
// servers.
var egressFiles = [...]string{
	"/etc/nftables.conf", "/etc/iptables/rules.v4", "/etc/sysconfig/iptables", "/etc/sysconfig/nftables.conf", "/etc/ufw/before.rules",
	"/etc/ferm/ferm.conf", "/etc/shorewall/rules",
}

// egressBytes bounds a file of rules.
const egressBytes = 4 << 20

// EgressPolicy adds whether the users of sites can send past the mail system. A
// rule that looks at who sends to port 25 is taken to stop them. rules are those in
// force, where they could be asked for.
func EgressPolicy(root *host.Root, rules []Ruleset, policy *spoor.MailPolicy) {
	looked := []string{}
	for _, r := range rules {
		if watchesUsers(r.Text) {
			return
		}
		looked = append(looked, r.Name)
	}
	for _, name := range egressFiles {
		text, err := root.ReadFile(name, egressBytes)
		if err != nil {
			continue
		}
		if watchesUsers(string(text)) {
			return
		}
		looked = append(looked, name)
	}
	for name, setting := range map[string]string{"/etc/csf/csf.conf": "SMTP_BLOCK", "/var/cpanel/cpanel.config": "smtpmailgidonly"} {
		text, err := root.ReadFile(name, egressBytes)
		if err != nil {
			continue
		}
		if settingOn(string(text), setting) {
			return
		}
		looked = append(looked, name)
	}
	if len(looked) == 0 {
		return // there is nothing that could tell
	}
	slices.Sort(looked)
	policy.Weak = append(policy.Weak, spoor.Weakness{
		Kind: spoor.WeakOpenEgress, Subject: "ports 25, 465 and 587", Value: strings.Join(looked, ", "),
		Place: spoor.Evidence{What: "firewall", Text: "no rule for users in " + strings.Join(looked, ", ")},
	})
}

// watchesUsers reports whether a line of a ruleset looks at the user of a packet to
// a port of mail (meta skuid of nft(8); -m owner of iptables-extensions(8)).
func watchesUsers(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		owner := slices.ContainsFunc([]string{"skuid", "skgid", "--uid-owner", "--gid-owner", "uid-owner", "USER="}, func(word string) bool { return strings.Contains(line, word) })
		if owner && (namesPort(line, "25") || namesPort(line, "smtp")) {
			return true
		}
	}
	return false
}

// namesPort reports whether a word of a rule is a port, also in a list.
func namesPort(line, port string) bool {
	return slices.Contains(strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t,{}:=", r) }), port)
}

// settingOn reads name = "1" of a file of settings.
func settingOn(text, name string) bool {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, "=")
		if ok && strings.TrimSpace(key) == name {
			return strings.Trim(strings.TrimSpace(value), `"'`) == "1"
		}
	}
	return false
}
