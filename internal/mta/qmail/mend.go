package qmail

import (
	"net/netip"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/mta"
)

var _ mta.Mender = (*Queue)(nil)

// Mends reports whether findings of a check can be mended in the files of qmail.
// Plain qmail cannot refuse users that do not exist.
func (q *Queue) Mends(check string) bool { return check == "relay-list" }

// Mend proposes how an entry of the relay list is taken out of the rules of
// tcpserver.
func (q *Queue) Mend(m *spoor.Mending) spoor.Measures {
	prefix, err := netip.ParsePrefix(m.Finding.Subject)
	if m.Finding.Check != "relay-list" || err != nil {
		return spoor.Measures{}
	}
	var all spoor.Measures
	for _, f := range q.ruleFiles() {
		lines := strings.Split(f.text, "\n")
		var changes []spoor.LineChange
		for _, e := range m.Finding.Evidence {
			if e.What != "tcprules" || e.File != f.source && e.File != f.cdb {
				continue
			}
			if e.Line < 1 || e.Line > len(lines) {
				all.ByHand = append(all.ByHand, "take "+prefix.String()+" off the list of those who may relay in "+f.cdb+": make it anew of a text, by tcprules")
				continue
			}
			change, ok := withoutRelay(lines[e.Line-1], prefix)
			if !ok {
				all.ByHand = append(all.ByHand, "take "+prefix.String()+" out of "+e.Place()+", and run "+f.command())
				continue
			}
			if !slices.Contains(changes, change) {
				changes = append(changes, change)
			}
		}
		if len(changes) > 0 {
			all.Add(q.newRules(&f, changes, prefix, m.Live))
		}
	}
	return all
}

// withoutRelay is the change of a rule that is for exactly one network, after which
// it lets nobody relay: what else it says stays. To take the rule out would leave
// the network to the rule of a wider one.
func withoutRelay(line string, prefix netip.Prefix) (spoor.LineChange, bool) {
	address, rest, found := strings.Cut(line, ":")
	of, ok := rulePrefixes(address)
	if !found || !ok || len(of) != 1 || of[0] != prefix || strings.Contains(address, "@") {
		return spoor.LineChange{}, false
	}
	less, ok := withoutVariable(strings.TrimRight(rest, " \t"), "RELAYCLIENT")
	return spoor.LineChange{Old: line, New: address + ":" + less}, ok
}

// withoutVariable takes a variable out of what stands behind the address of a rule.
func withoutVariable(rest, name string) (string, bool) {
	rest, ok := strings.CutPrefix(rest, "allow")
	if !ok {
		return "", false
	}
	var less strings.Builder
	less.WriteString("allow")
	found := false
	for rest != "" {
		variable, after, err := ruleVariable(rest)
		if err != nil {
			return "", false
		}
		if strings.HasPrefix(variable, ","+name+"=") {
			found = true
		} else {
			less.WriteString(variable)
		}
		rest = after
	}
	return less.String(), found
}

// command is how tcpserver's file is made anew, for people.
func (f *ruleFiles) command() string {
	return "tcprules " + f.cdb + " " + f.source + ".tmp < " + f.source
}

// newRules are the steps that change the text of rules and have tcprules(1) make of
// it what tcpserver reads. It is read anew for each connection. Where nothing proves
// that it is made of this text, or not safely, all of it is to be done by hand.
func (q *Queue) newRules(f *ruleFiles, changes []spoor.LineChange, prefix netip.Prefix, live bool) spoor.Measures {
	program := q.tcprules()
	why := ""
	switch {
	case f.compiled == nil:
		why = f.cdb + " cannot be read, so that nothing shows that the server uses this file"
	case !f.current():
		why = f.cdb + " was not made of it as it is now"
	case !q.safeFolder(f.source) || !q.safeFolder(f.cdb):
		why = "others than root can write to its folder"
	case live && program == "":
		why = "tcprules is not installed where spoor looks for it"
	}
	if why != "" {
		return spoor.Measures{ByHand: []string{
			"take " + prefix.String() + " out of " + f.source + ", and run " + f.command() + "   (not done, since " + why + ")",
		}}
	}
	argv := []string{program, f.cdb, f.source + ".tmp"}
	if program == "" {
		argv[0] = "tcprules"
	}
	before, after := mta.Remade(argv, []string{f.cdb}, f.cdb+" is as it was", "")
	before.Command.Input, after.Command.Input = f.source, f.source
	after.What += " < " + f.source
	return spoor.Measures{Steps: []spoor.Step{before, {
		Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: f.source, Changes: changes},
		What: f.source + ": " + prefix.String() + " may not relay without a login", Inverse: "the rules are as they were",
	}, after}}
}

// stopRelaying takes a network that was stopped off the list of those who may relay,
// by rules in front of the others: of several for the same address the first counts.
func (q *Queue) stopRelaying(prefix netip.Prefix, live bool) spoor.Measures {
	var all spoor.Measures
	for _, f := range q.ruleFiles() {
		rules, err := compileRules(f.text)
		if err != nil || !f.hasSource || f.compiled != nil && !sameRules(rules, f.compiled) {
			// What the server does is in the compiled file alone.
			if _, keys, plain := relayKeys(f.compiled, prefix); len(keys) > 0 || !plain {
				all.ByHand = append(all.ByHand, f.anew(prefix))
				continue
			}
		}
		if err != nil || !f.hasSource {
			continue
		}
		changes, ok := relayBars(rules, prefix, f.text)
		switch {
		case !ok:
			all.ByHand = append(all.ByHand, "take "+prefix.String()+" off the list of those who may relay in "+f.source+", and run "+f.command())
		case len(changes) > 0:
			all.Add(q.newRules(&f, changes, prefix, live))
		}
	}
	return all
}

// anew says what is to be done where the compiled file lets a network relay and is not
// what the text says.
func (f *ruleFiles) anew(prefix netip.Prefix) string {
	if !f.hasSource {
		return "take " + prefix.String() + " off the list of those who may relay in " + f.cdb + ": make it anew of a text, by tcprules"
	}
	return "take " + prefix.String() + " off the list of those who may relay in " + f.source + ", if it is there, and run " + f.command() +
		"   (not done, since " + f.cdb + " was not made of it as it is now, and lets it relay)"
}

// maxRelayBars bounds the rules that are added for one network.
const maxRelayBars = 64

// relayBars are the lines after which nobody in a network may relay. ok is false
// where that cannot be said by a few rules.
func relayBars(rules []ruleRecord, prefix netip.Prefix, text string) (changes []spoor.LineChange, ok bool) {
	lines := strings.Split(text, "\n")
	first, keys, plain := relayKeys(rules, prefix)
	if !plain {
		return nil, false
	}
	for _, key := range keys {
		_, rest, _ := strings.Cut(strings.TrimRight(lines[decidingRule(first, key).line-1], " \t"), ":")
		less, ok := withoutVariable(rest, "RELAYCLIENT")
		if !ok || len(changes) == maxRelayBars {
			return nil, false
		}
		changes = append(changes, spoor.LineChange{New: key + ":" + less, Front: true})
	}
	return changes, true
}

// relayKeys are the network, if it may relay as a whole, and what is in it that has a
// rule of its own by which it may. first are the rules that count. plain is false where
// the network may relay and no rule can name it.
func relayKeys(rules []ruleRecord, prefix netip.Prefix) (first map[string]*ruleRecord, keys []string, plain bool) {
	first = map[string]*ruleRecord{}
	var inside []string
	for i := range rules {
		r := &rules[i]
		if first[r.key] != nil {
			continue
		}
		first[r.key] = r
		if of, ok := rulePrefixes(r.key); ok && len(of) == 1 && !strings.ContainsAny(r.key, "@") && prefix.Contains(of[0].Addr()) && of[0].Bits() > prefix.Bits() {
			inside = append(inside, r.key)
		}
	}
	own, plain := ruleKey(prefix)
	if decides := decidingRule(first, own); decides == nil || !decides.relays() {
		plain = true
	} else if plain {
		keys = append(keys, own)
	}
	for _, key := range inside {
		if first[key].relays() {
			keys = append(keys, key)
		}
	}
	return first, keys, plain
}

// ruleKey is how rules name a network; plain is false for one that no rule can name,
// and then the key is that of the network around it that one can name.
func ruleKey(prefix netip.Prefix) (key string, plain bool) {
	text := prefix.Addr().String()
	if !prefix.Addr().Is4() || prefix.Bits() == 32 {
		return text, prefix.Addr().Is4()
	}
	octets := prefix.Bits() / 8
	if octets == 0 {
		return "", false
	}
	return strings.Join(strings.Split(text, ".")[:octets], ".") + ".", prefix.Bits()%8 == 0
}

// decidingRule is the rule that counts for an address, or for those addresses of a
// network that have none of their own: the longest that it begins with
// (tcprules(1), "Rules").
func decidingRule(first map[string]*ruleRecord, key string) *ruleRecord {
	for {
		if r := first[key]; r != nil || key == "" {
			return r
		}
		key = key[:strings.LastIndexByte(strings.TrimSuffix(key, "."), '.')+1]
	}
}
