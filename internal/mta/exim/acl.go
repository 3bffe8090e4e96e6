package exim

import (
	"slices"
	"strings"

	"spoor"
)

// statement is one statement of an ACL: a verb with its conditions.
type statement struct {
	verb       string
	conditions []condition
	place      spoor.Evidence
}

// condition is a condition of a statement.
type condition struct {
	name    string
	value   string
	negated bool
	place   spoor.Evidence
}

// policyConf is what the configuration has that a policy is made of.
type policyConf struct {
	options map[string]confLine // of the main part, by name; text is the value
	hosts   map[string]confLine // hostlists
	domains map[string]confLine // domainlists
	acls    map[string][]statement
	routers []confLine

	authenticators []confLine
}

// parseConf sorts the lines of a configuration.
func parseConf(lines []confLine) *policyConf {
	p := &policyConf{
		options: map[string]confLine{}, hosts: map[string]confLine{}, domains: map[string]confLine{}, acls: map[string][]statement{},
	}
	section, acl := "", ""
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line.text, "begin "); ok {
			section = strings.TrimSpace(rest)
			continue
		}
		switch section {
		case "":
			p.main(line)
		case "acl":
			if name, ok := strings.CutSuffix(line.text, ":"); ok && !strings.ContainsAny(name, " \t=") {
				acl = name
				continue
			}
			p.acls[acl] = addToACL(p.acls[acl], line)
		case "routers":
			p.routers = append(p.routers, line)
		case "authenticators":
			p.authenticators = append(p.authenticators, line)
		}
	}
	return p
}

// main reads a line of the main part: an option or a named list.
func (p *policyConf) main(line confLine) {
	name, value, ok := strings.Cut(strings.TrimPrefix(line.text, "hide "), "=")
	if !ok {
		return
	}
	words := strings.Fields(name)
	one := line
	one.text = strings.TrimSpace(value)
	switch {
	case len(words) == 0:
	case words[0] == "hostlist" || words[0] == "hostlist_cache":
		p.hosts[words[len(words)-1]] = one
	case words[0] == "domainlist" || words[0] == "domainlist_cache":
		p.domains[words[len(words)-1]] = one
	case len(words) == 1:
		p.options[words[0]] = one
	}
}

var verbs = [...]string{"accept", "deny", "defer", "discard", "drop", "require", "warn"}

// modifiers change what a statement does, not when.
var modifiers = [...]string{
	"message", "log_message", "control", "set", "logwrite", "log_reject_target", "delay", "endpass",
	"add_header", "remove_header", "continue", "udpsend", "queue",
}

// addToACL reads a line of an ACL: a verb, maybe with the first condition, or a
// condition.
func addToACL(list []statement, line confLine) []statement {
	text := line.text
	first, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	if slices.Contains(verbs[:], first) {
		list = append(list, statement{verb: first, place: line.place()})
		text = strings.TrimSpace(rest)
	}
	if len(list) == 0 || text == "" {
		return list
	}
	s := &list[len(list)-1]
	name, value, _ := strings.Cut(text, "=")
	name, negated := strings.CutPrefix(strings.TrimSpace(name), "!")
	name, _, _ = strings.Cut(strings.TrimSpace(name), " ")
	if !slices.Contains(modifiers[:], name) {
		s.conditions = append(s.conditions, condition{name, strings.TrimSpace(value), negated, line.place()})
	}
	return list
}

// has returns the first condition of that name.
func (s *statement) has(name string) (condition, bool) {
	i := slices.IndexFunc(s.conditions, func(c condition) bool { return c.name == name })
	if i < 0 {
		return condition{}, false
	}
	return s.conditions[i], true
}

// only reports whether a statement has no conditions but those.
func (s *statement) only(names ...string) bool {
	return !slices.ContainsFunc(s.conditions, func(c condition) bool { return !slices.Contains(names, c.name) })
}

// excepts reports whether a condition is about all but what it lists.
func (c *condition) excepts() bool { return c.negated != strings.HasPrefix(c.value, "!") }

// relayWalk is what an ACL does with mail of a stranger to somebody else's
// domain.
type relayWalk struct {
	open    *statement  // takes it
	hosts   []condition // hosts that an earlier statement lets pass
	senders []condition // senders that one does
}

// walkRelay goes through the statements of an ACL for recipients.
func walkRelay(list []statement) relayWalk {
	var w relayWalk
	for i := range list {
		s := &list[i]
		switch s.verb {
		case "accept", "discard":
			if w.accept(s) {
				w.open = s
				return w
			}
		case "deny", "drop", "defer":
			if w.deny(s) {
				return w
			}
		case "require":
			if w.require(s) {
				return w
			}
		}
	}
	return w
}

// accept reports whether a statement takes the mail.
func (w *relayWalk) accept(s *statement) bool {
	hosts, byHost := s.has("hosts")
	_, login := s.has("authenticated")
	senders, bySender := s.has("senders")
	switch {
	case len(s.conditions) == 0:
		return true
	case login || !s.only("hosts", "senders", "condition", "encrypted", "verify"):
	case byHost && !hosts.negated:
		w.hosts = append(w.hosts, hosts)
	case bySender && !senders.negated && s.only("senders", "verify"):
		w.senders = append(w.senders, senders)
	}
	return false
}

// deny reports whether a statement refuses the mail. Hosts that it excepts pass.
func (w *relayWalk) deny(s *statement) bool {
	if !s.only("domains", "hosts", "authenticated") {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].excepts() {
			return false
		}
	}
	if hosts, ok := s.has("hosts"); ok {
		w.hosts = append(w.hosts, hosts)
	}
	return true
}

// require reports whether a statement refuses the mail because of what it is
// not.
func (w *relayWalk) require(s *statement) bool {
	if hosts, ok := s.has("hosts"); ok {
		w.hosts = append(w.hosts, hosts)
		return true
	}
	_, domains := s.has("domains")
	_, login := s.has("authenticated")
	return domains || login
}
