package exim

import (
	"strings"

	"spoor"
)

// forward adds what a line of an alias file of a panel passes on, or answers. In
// cPanel's the key is an address, in DirectAdmin's a local part.
func (a *auditor) forward(domain string, line aliasLine) {
	address := line.key
	if !strings.Contains(address, "@") {
		address += "@" + domain
	}
	for target := range strings.SplitSeq(line.value, ",") {
		target = strings.Trim(strings.TrimSpace(target), `"`)
		switch {
		case target == "", strings.HasPrefix(target, ":"), strings.HasPrefix(target, "/"):
		case strings.HasPrefix(target, "|"):
			if strings.Contains(target, "autorespond") || strings.Contains(target, "vacation") {
				a.policy.Answers = append(a.policy.Answers, spoor.Responder{Address: address, Place: line.place})
			}
		case strings.Contains(target, "@"):
			a.policy.Forwards = append(a.policy.Forwards, spoor.Forward{Address: address, Target: target, Place: line.place})
		}
	}
}

// logins looks at whom authentication is offered to. Without a condition on TLS,
// passwords may cross the network as they are ("auth_advertise_hosts" in the
// specification; everybody, by default).
func (a *auditor) logins() {
	if len(a.conf.authenticators) == 0 {
		return
	}
	place := a.conf.authenticators[0].place()
	option, set := a.conf.options["auth_advertise_hosts"]
	if set {
		place = option.place()
		if value := strings.Trim(option.text, `"`); value == "" || strings.Contains(value, "tls") {
			return
		}
	}
	for _, line := range a.conf.authenticators {
		if strings.Contains(line.text, "tls_in_cipher") || strings.Contains(line.text, "tls_cipher") {
			return // offered, and then refused without TLS
		}
	}
	a.weak(spoor.Weakness{Kind: spoor.WeakCleartextLogin, Subject: "auth_advertise_hosts", Value: "auth_advertise_hosts", Place: place})
}
