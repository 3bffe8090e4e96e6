package postfix

import (
	"path"
	"strings"

	"spoor"
)

// servedDomain is a domain that mail is taken for.
type servedDomain struct {
	name  string
	place spoor.Evidence
}

// domains adds what becomes of mail for users that do not exist. Domains that a
// panel has told of are left as they are.
func (a *auditor) domains() {
	known := a.policy.Known()
	catchAll := a.catchAlls("virtual_alias_maps")
	mailboxes := a.catchAlls("virtual_mailbox_maps")
	add := func(list string, policy spoor.DomainPolicy) {
		for _, d := range a.list(list) {
			if known[d.name] {
				continue
			}
			known[d.name] = true
			one := policy
			one.Domain = d.name
			if one.Place == (spoor.Evidence{}) {
				one.Place = d.place
			}
			if entry, ok := catchAll[d.name]; ok {
				one = forward(d.name, entry)
			} else if entry, ok := mailboxes[d.name]; ok && list == "virtual_mailbox_domains" {
				one = forward(d.name, entry)
			}
			a.policy.Domains = append(a.policy.Domains, one)
		}
	}
	listed := a.unlisted()
	add("virtual_alias_domains", listed)
	add("virtual_mailbox_domains", listed)
	add("mydestination", a.local(listed))
	add("relay_domains", a.relayed())
}

// unlisted is the policy for domains whose users are listed: to reject others,
// unless smtpd does not look.
func (a *auditor) unlisted() spoor.DomainPolicy {
	const parameter = "smtpd_reject_unlisted_recipient"
	if a.main.Get(parameter) == "no" && !a.restricts("reject_unlisted_recipient") {
		return spoor.DomainPolicy{Policy: spoor.NonexistentBounce, Value: parameter + " = no", Place: a.place(a.main, parameter)}
	}
	return spoor.DomainPolicy{Policy: spoor.NonexistentReject}
}

// local is the policy for the users of the server itself. An empty
// local_recipient_maps takes mail for all; luser_relay has it then.
func (a *auditor) local(otherwise spoor.DomainPolicy) spoor.DomainPolicy {
	maps, set := a.main.Setting("local_recipient_maps")
	if !set || a.main.Get("local_recipient_maps") != "" {
		return otherwise
	}
	if a.main.Get("luser_relay") == "" {
		return spoor.DomainPolicy{Policy: spoor.NonexistentBounce, Value: "local_recipient_maps is empty", Place: maps.Place}
	}
	luser, _ := a.main.Setting("luser_relay")
	return spoor.DomainPolicy{Policy: spoor.NonexistentForward, Value: "luser_relay", Target: luser.Value, Place: luser.Place}
}

// relayed is the policy for domains whose mail goes to another server. Without a
// list of their users, or a question to that server, all mail is taken.
func (a *auditor) relayed() spoor.DomainPolicy {
	if a.main.Get("relay_recipient_maps") != "" || a.restricts("reject_unverified_recipient") {
		return spoor.DomainPolicy{Policy: spoor.NonexistentReject}
	}
	return spoor.DomainPolicy{Policy: spoor.NonexistentBounce, Relayed: true, Value: "relay_recipient_maps is empty"}
}

// restricts reports whether a restriction is in the lists for recipients.
func (a *auditor) restricts(word string) bool {
	for _, list := range [...]string{"smtpd_relay_restrictions", "smtpd_recipient_restrictions"} {
		for _, r := range a.main.restrictions(a.main.List(list)) {
			if r.word == word {
				return true
			}
		}
	}
	return false
}

// forward is the policy that the entry of a catch-all makes. One that leads to
// the users of another domain takes mail for those that do not exist there.
func forward(domain string, entry Entry) spoor.DomainPolicy {
	d := spoor.DomainPolicy{Domain: domain, Policy: spoor.NonexistentForward, Value: entry.Value, Target: entry.Value, Place: entry.Place}
	if strings.HasPrefix(entry.Value, "@") {
		d.Policy, d.Target = spoor.NonexistentBounce, ""
	}
	return d
}

// catchAlls finds the entries of tables that stand for every user of a domain, by
// domain.
func (a *auditor) catchAlls(parameter string) map[string]Entry {
	found := map[string]Entry{}
	for _, spec := range a.main.List(parameter) {
		table, ok := a.main.Table(spec)
		if !ok && !a.told(spec) {
			a.gap(path.Join(a.main.folder, "main.cf"), "catch-alls in "+spec+" are not known: it is no text that can be read")
		}
		for key, entry := range table {
			if domain, ok := strings.CutPrefix(key, "@"); ok {
				if _, known := found[domain]; !known {
					found[domain] = entry
				}
			}
		}
	}
	return found
}

// told reports whether a table needs no gap: it has nothing to list.
func (a *auditor) told(spec string) bool {
	return strings.HasPrefix(spec, "static:") || strings.HasPrefix(spec, "inline:") || !strings.Contains(spec, ":")
}

// list reads a list of domains: names, files of names, and tables whose keys they
// are.
func (a *auditor) list(parameter string) []servedDomain {
	return a.items(a.main.List(parameter), a.place(a.main, parameter), 0)
}

func (a *auditor) items(items []string, place spoor.Evidence, depth int) []servedDomain {
	var list []servedDomain
	for _, item := range items {
		switch {
		case strings.HasPrefix(item, "!"), strings.HasPrefix(item, "."):
		case strings.HasPrefix(item, "/"):
			data, err := a.main.root.ReadFile(item, configBytes)
			if err != nil || depth >= 3 {
				continue // the reading of the domains that are served tells of it
			}
			for line := range logicalLines(string(data)) {
				at := spoor.Evidence{What: "list", File: item, Line: line.number, Text: line.text}
				list = append(list, a.items(strings.Fields(line.text), at, depth+1)...)
			}
		case strings.Contains(item, ":"):
			table, _ := a.main.Table(item)
			for key, entry := range table {
				if !strings.Contains(key, "@") && strings.Contains(key, ".") {
					list = append(list, servedDomain{key, entry.Place})
				}
			}
		case strings.Contains(item, ".") && !strings.HasPrefix(strings.ToLower(item), "localhost."):
			list = append(list, servedDomain{strings.ToLower(item), place})
		}
	}
	return list
}
