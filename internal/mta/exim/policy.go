package exim

import (
	"slices"
	"strings"

	"spoor"
)

// MailPolicy adds what the configuration and the alias files say of who may
// relay, and of mail for users that do not exist. It implements mta.Policies.
func (q *Queue) MailPolicy(policy *spoor.MailPolicy) {
	a := &auditor{queue: q, policy: policy, seen: map[string]bool{}, conf: parseConf(nil)}
	if q.conf.File != "" {
		a.conf = parseConf(readConf(q.root, q.conf.File))
	}
	a.known = policy.Known()
	a.panelAliases()
	a.catchAlls()
	a.recipients()
	a.trusted()
	a.logins()
}

// auditor reads the policy of a server.
type auditor struct {
	queue  *Queue
	conf   *policyConf
	policy *spoor.MailPolicy
	known  map[string]bool // domains whose policy is known
	seen   map[string]bool // entries of the relay list, weaknesses and gaps
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

// domain adds the policy of a domain, unless it is known.
func (a *auditor) domain(d spoor.DomainPolicy) {
	if d.Domain != "" && !a.known[d.Domain] {
		a.known[d.Domain] = true
		a.policy.Domains = append(a.policy.Domains, d)
	}
}

// recipients looks at the ACL that decides for each recipient. Without one, Exim
// takes no mail from the network.
func (a *auditor) recipients() {
	option, ok := a.conf.options["acl_smtp_rcpt"]
	if !ok {
		return
	}
	name := strings.Trim(option.text, `"`)
	if name == "accept" {
		a.weak(spoor.Weakness{Kind: spoor.WeakOpenRelay, Subject: "acl_smtp_rcpt", Place: option.place()})
		return
	}
	list, ok := a.conf.acls[name]
	if !ok {
		a.gap(option.file, "acl_smtp_rcpt was not understood: who may relay is not known")
		return
	}
	walk := walkRelay(list)
	if walk.open != nil {
		a.weak(spoor.Weakness{Kind: spoor.WeakOpenRelay, Subject: name, Place: walk.open.place})
	}
	for _, c := range walk.hosts {
		a.hosts(strings.TrimPrefix(c.value, "!"), c.place, 0)
	}
	for _, c := range walk.senders {
		a.weak(spoor.Weakness{Kind: spoor.WeakForgeableRelay, Subject: name, Value: "sender address", Place: c.place})
	}
	a.verification(name, list)
}

// verification looks at whether recipients are verified, and those of relayed
// domains by asking their server.
func (a *auditor) verification(name string, list []statement) {
	verifies, calls, others := false, false, false
	var first *statement
	relayed := map[string]bool{}
	for i := range list {
		s := &list[i]
		if c, ok := s.has("verify"); ok && strings.HasPrefix(c.value, "recipient") {
			verifies = true
			calls = calls || strings.Contains(c.value, "callout") && s.only("verify", "domains")
		}
		_, calledACL := s.has("acl")
		others = others || calledACL
		c, ok := s.has("domains")
		if !ok || c.excepts() || s.verb != "accept" && s.verb != "require" {
			continue
		}
		if first == nil && s.verb == "accept" {
			first = s
		}
		for _, item := range listItems(c.value) {
			if list, ok := strings.CutPrefix(item, "+"); ok && strings.Contains(list, "relay") {
				relayed[list] = true
			}
		}
	}
	if !verifies && !others && first != nil {
		a.weak(spoor.Weakness{Kind: spoor.WeakAcceptsUnknown, Subject: name, Place: first.place})
	}
	if !calls {
		for list := range relayed {
			a.list(list, spoor.DomainPolicy{Policy: spoor.NonexistentBounce, Relayed: true, Value: "not verified"})
		}
	}
	for list := range a.conf.domains {
		if verifies && strings.Contains(list, "local") {
			a.list(list, spoor.DomainPolicy{Policy: spoor.NonexistentReject})
		}
	}
}

// list gives the domains of a list a policy.
func (a *auditor) list(name string, policy spoor.DomainPolicy) {
	list, ok := a.conf.domains[name]
	if !ok {
		return
	}
	r := configReader{root: a.queue.root, conf: &Config{Hostname: a.queue.conf.Hostname, served: map[string]bool{}}}
	r.domains(list.text)
	policy.Place = list.place()
	policy.Place.Text = name + " = " + policy.Place.Text
	for domain := range r.conf.served {
		if policy.Domain = domain; strings.Contains(domain, ".") {
			a.domain(policy)
		}
	}
}

// webUsers are the logins of web servers.
var webUsers = [...]string{"apache", "apache2", "www-data", "wwwrun", "www", "httpd", "nginx", "nobody", "lsadm"}

// trusted looks at who may set the sender of a message.
func (a *auditor) trusted() {
	option, ok := a.conf.options["trusted_users"]
	if !ok {
		return
	}
	for _, login := range listItems(option.text) {
		if slices.Contains(webUsers[:], login) {
			a.weak(spoor.Weakness{Kind: spoor.WeakTrustedUser, Subject: "trusted_users", Value: login, Place: option.place()})
		}
	}
}
