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
	place, exposed := a.exposedLogin()
	if !exposed {
		return
	}
	if option, set := a.conf.options["auth_advertise_hosts"]; set {
		place = option.place()
		if value := strings.Trim(option.text, `"`); value == "" || strings.Contains(value, "tls") {
			return
		}
	}
	a.weak(spoor.Weakness{Kind: spoor.WeakCleartextLogin, Subject: "auth_advertise_hosts", Value: "auth_advertise_hosts", Place: place})
}

// exposedLogin finds an authenticator that takes a password as it is and does not ask
// for TLS. Those without options for a server are of clients, which log in elsewhere
// ("Authenticators" in the specification): stock configurations of Debian have no others.
func (a *auditor) exposedLogin() (place spoor.Evidence, found bool) {
	var one authenticator
	for _, line := range append(a.conf.authenticators, confLine{text: ":"}) {
		name, begins := strings.CutSuffix(line.text, ":")
		if name = strings.TrimSpace(name); !begins || strings.ContainsAny(name, " =") {
			one.read(line.text)
			continue
		}
		if one.exposed() {
			return one.begin.place(), true
		}
		one = authenticator{begin: line, mechanism: name}
	}
	return place, false
}

// authenticator is what one takes, and from whom.
type authenticator struct {
	begin      confLine
	mechanism  string
	serves     bool
	needsCrypt bool // it is offered, or succeeds, with TLS alone
}

func (a *authenticator) read(line string) {
	option, value, _ := strings.Cut(line, "=")
	value = strings.Trim(strings.TrimSpace(value), `"`)
	switch option = strings.TrimSpace(option); {
	case option == "public_name":
		a.mechanism = value
	case option == "driver":
		a.serves = a.serves || value == "cyrus_sasl" // needs no more
	case strings.HasPrefix(option, "server_"):
		a.serves = true
		a.needsCrypt = a.needsCrypt || strings.Contains(value, "tls_in_cipher") || strings.Contains(value, "tls_cipher")
	}
}

// exposed reports whether whoever sees the connection sees the password.
func (a *authenticator) exposed() bool {
	return a.serves && !a.needsCrypt && (strings.EqualFold(a.mechanism, "PLAIN") || strings.EqualFold(a.mechanism, "LOGIN"))
}
