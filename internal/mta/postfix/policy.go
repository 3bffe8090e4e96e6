package postfix

import (
	"path"
	"strings"

	"spoor"
)

// MailPolicy adds what the configuration says of who may relay, and of mail for
// users that do not exist. It implements mta.Policies.
func (q *Queue) MailPolicy(policy *spoor.MailPolicy) {
	for _, main := range q.conf.Mains {
		a := &auditor{main: main, policy: policy, seen: map[string]bool{}}
		a.relay()
		a.domains()
		a.limits()
		a.submission()
		a.forwards()
	}
}

// auditor reads the policy of one instance.
type auditor struct {
	main   *MainCF
	policy *spoor.MailPolicy
	seen   map[string]bool // entries of the relay list, and weaknesses
}

// weak adds a weakness, once.
func (a *auditor) weak(w spoor.Weakness) {
	key := w.Kind.String() + "\x00" + w.Subject + "\x00" + w.Value
	if !a.seen[key] {
		a.seen[key] = true
		a.policy.Weak = append(a.policy.Weak, w)
	}
}

func (a *auditor) gap(file, reason string) {
	if key := file + "\x00" + reason; !a.seen[key] {
		a.seen[key] = true
		a.policy.Gaps = append(a.policy.Gaps, spoor.Gap{File: file, Reason: reason, Count: 1})
	}
}

// place is where a parameter is set; the default of one that is not is quoted.
func (a *auditor) place(main *MainCF, name string) spoor.Evidence {
	s, set := main.Setting(name)
	if set {
		return s.Place
	}
	return spoor.Evidence{What: "main.cf", File: path.Join(main.folder, "main.cf"), Text: name + " = " + s.Value + " (not set: the default)"}
}

// relay finds who may send everywhere without authentication.
func (a *auditor) relay() {
	for _, s := range a.main.services() {
		all := s.main.passages()
		if open(all) && !s.local {
			a.weak(spoor.Weakness{Kind: spoor.WeakOpenRelay, Subject: s.name, Place: a.listPlace(&s)})
		}
		for _, r := range trusted(all) {
			a.trust(&s, r)
		}
		a.logins(&s)
	}
}

// listPlace is where the restrictions that let everybody relay are set.
func (a *auditor) listPlace(s *smtpService) spoor.Evidence {
	for _, name := range [...]string{"smtpd_relay_restrictions", "smtpd_recipient_restrictions"} {
		if setting, set := s.main.Setting(name); set {
			return setting.Place
		}
	}
	return s.place
}

// trust adds those who may relay because of one restriction.
func (a *auditor) trust(s *smtpService, r restriction) {
	weak := spoor.Weakness{Subject: r.word, Value: r.argument, Place: a.restrictionPlace(s, r.word)}
	switch r.word {
	case "permit_mynetworks":
		a.networks(s)
		return
	case "check_client_access":
		a.clients(s.main, r.argument)
		return
	case "check_sender_access", "check_helo_access", "check_ehlo_access":
		a.forgeable(s.main, r)
		return
	case "permit_naked_ip_address":
		weak.Kind, weak.Value = spoor.WeakForgeableRelay, "HELO name"
	case "permit_tls_all_clientcerts":
		weak.Kind, weak.Value = spoor.WeakForgeableRelay, "TLS certificate, whoever signed it"
	case "permit_mx_backup":
		weak.Kind, weak.Value = spoor.WeakOutsideRelay, "the MX record of the recipient's domain"
	case "permit_dnswl_client", "permit_rhswl_client":
		weak.Kind, weak.Value = spoor.WeakOutsideRelay, "the list "+r.argument
	default:
		return
	}
	a.weak(weak)
}

// restrictionPlace is where the list that holds a word is set.
func (a *auditor) restrictionPlace(s *smtpService, word string) spoor.Evidence {
	for _, name := range restrictionLists {
		if setting, set := s.main.Setting(name); set && strings.Contains(setting.Value, word) {
			return setting.Place
		}
	}
	return a.listPlace(s)
}

// logins looks at how a service authenticates.
func (a *auditor) logins(s *smtpService) {
	if s.main.Get("smtpd_sasl_auth_enable") != "yes" {
		return
	}
	a.cleartext(s)
	const options, hidden = "smtpd_sasl_security_options", "smtpd_sasl_exceptions_networks"
	if setting, set := s.main.Setting(options); set && !strings.Contains(s.main.Get(options), "noanonymous") {
		a.weak(spoor.Weakness{Kind: spoor.WeakAnonymousLogin, Subject: options, Place: setting.Place})
	}
	for _, item := range s.main.List(hidden) {
		if item == "static:all" || item == "0.0.0.0/0" {
			a.weak(spoor.Weakness{Kind: spoor.WeakHiddenLogin, Subject: hidden, Place: a.place(s.main, hidden)})
		}
	}
}

// cleartext looks at whether a client may send a password over a connection that
// is not encrypted. Servers that speak TLS from the start do not (wrapper mode), nor
// those that demand it.
func (a *auditor) cleartext(s *smtpService) {
	main := s.main
	demands := main.Get("smtpd_tls_auth_only") == "yes" || main.Get("smtpd_tls_wrappermode") == "yes" || main.Get("smtpd_enforce_tls") == "yes" ||
		main.Get("smtpd_tls_security_level") == "encrypt"
	noPlain := strings.Contains(main.Get("smtpd_sasl_security_options"), "noplaintext")
	if demands || noPlain || s.local {
		return
	}
	a.weak(spoor.Weakness{Kind: spoor.WeakCleartextLogin, Subject: s.name, Value: "smtpd_tls_auth_only", Place: a.place(main, "smtpd_tls_auth_only")})
}

// pleskLimiter is where Plesk's psa-pc-remote, which counts outgoing mail,
// listens.
const pleskLimiter = ":12768"

// limits looks at what happens when a program that limits outgoing mail is gone.
func (a *auditor) limits() {
	const action = "milter_default_action"
	milters := a.main.Get("smtpd_milters") + " " + a.main.Get("non_smtpd_milters")
	if a.main.Get(action) == "accept" && (strings.Contains(milters, pleskLimiter) || strings.Contains(milters, "psa-pc-remote")) {
		a.weak(spoor.Weakness{Kind: spoor.WeakLimitsOff, Subject: action, Value: "Plesk's psa-pc-remote", Place: a.place(a.main, action)})
	}
}

// submission looks at who may queue mail on the server itself.
func (a *auditor) submission() {
	const users = "authorized_submit_users"
	if strings.TrimSpace(a.main.Get(users)) == defaults[users] {
		a.weak(spoor.Weakness{Kind: spoor.WeakAnyoneSubmits, Subject: users, Place: a.place(a.main, users)})
	}
}
