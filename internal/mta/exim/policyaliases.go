package exim

import (
	"path"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

const (
	aliasBytes = 4 << 20 // of the alias file of one domain
	maxAliases = 200_000 // domains of a panel
)

// panelAliases reads what the alias files of panels say of users that do not
// exist: cPanel has one file for each domain, DirectAdmin one folder.
func (a *auditor) panelAliases() {
	a.domainAliases()
	for _, kind := range [...]struct{ folder, file string }{{"/etc/valiases", ""}, {"/etc/virtual", "aliases"}} {
		domains, err := a.queue.root.List(kind.folder, maxAliases)
		if err != nil {
			continue
		}
		slices.Sort(domains)
		for _, domain := range domains {
			if strings.Contains(domain, ".") && domain[0] != '.' {
				a.aliasFile(strings.ToLower(domain), path.Join(kind.folder, domain, kind.file))
			}
		}
	}
}

// domainAliases reads which domains are other names of a second one: that one's policy
// is theirs, and if it is elsewhere, all their mail leaves.
func (a *auditor) domainAliases() {
	domains, err := a.queue.root.List("/etc/vdomainaliases", maxAliases)
	if err != nil {
		return
	}
	slices.Sort(domains)
	for _, domain := range domains {
		if domain = strings.ToLower(domain); !isDomainWord(domain) {
			continue
		}
		line, ok := domainAlias(a.queue.root, domain)
		if !ok {
			continue
		}
		if !a.queue.conf.Serves(line.value) {
			target := "@" + line.value
			a.policy.Forwards = append(a.policy.Forwards, spoor.Forward{Address: "@" + domain, Target: target, Place: line.place})
			a.domain(spoor.DomainPolicy{Domain: domain, Value: line.value, Place: line.place, Policy: spoor.NonexistentForward, Target: target})
			continue
		}
		if catches := slices.ContainsFunc(a.catching(line.value), func(l aliasLine) bool { return aliasPolicy(domain, l).Policy != spoor.NonexistentReject }); !catches {
			a.domain(spoor.DomainPolicy{Domain: domain, Value: line.value, Policy: spoor.NonexistentReject, Place: line.place})
		}
		a.known[domain] = true // what the second one catches is told of that one
	}
}

// catching lists the catch-alls of a domain.
func (a *auditor) catching(domain string) []aliasLine {
	var list []aliasLine
	for _, file := range panelAliasFiles(domain) {
		lines, _ := readAliases(a.queue.root, file)
		list = append(list, lines...)
	}
	return slices.DeleteFunc(list, func(l aliasLine) bool { return l.key != "*" })
}

// aliasFile reads the alias file of a domain. Without a catch-all, others are
// refused.
func (a *auditor) aliasFile(domain, name string) {
	lines, ok := readAliases(a.queue.root, name)
	if !ok {
		return
	}
	for _, line := range lines {
		if line.key != "*" {
			a.forward(domain, line)
		}
	}
	for _, line := range lines {
		if line.key == "*" {
			a.domain(aliasPolicy(domain, line))
			return
		}
	}
	a.domain(spoor.DomainPolicy{Domain: domain, Policy: spoor.NonexistentReject, Place: spoor.Evidence{What: "aliases", File: name}})
}

// aliasLine is a line of an alias file, such as
//
//	*: ":fail: No Such User Here"
type aliasLine struct {
	key, value string
	place      spoor.Evidence
}

// readAliases reads an alias file; ok is false if it is none that can be read.
func readAliases(root *host.Root, name string) (list []aliasLine, ok bool) {
	data, err := root.ReadFile(name, aliasBytes)
	if err != nil {
		return nil, false
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.ContainsAny(line[:1], "# \t") {
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		if strings.HasPrefix(line, `"`) {
			if end := strings.IndexByte(line[1:], '"'); end >= 0 {
				key, value = line[1:1+end], strings.TrimPrefix(strings.TrimSpace(line[2+end:]), ":")
			}
		}
		place := spoor.Evidence{What: "aliases", File: name, Line: number, Text: line[:min(len(line), quotedBytes)]}
		list = append(list, aliasLine{strings.ToLower(strings.TrimSpace(key)), strings.Trim(strings.TrimSpace(value), `"`), place})
	}
	return list, true
}

// aliasPolicy is the policy that a catch-all makes.
func aliasPolicy(domain string, line aliasLine) spoor.DomainPolicy {
	d := spoor.DomainPolicy{Domain: domain, Value: line.value, Place: line.place}
	first, _, _ := strings.Cut(line.value, ",")
	first = strings.Trim(strings.TrimSpace(first), `"`)
	switch {
	case first == "":
	case strings.HasPrefix(first, ":fail:"), strings.HasPrefix(first, ":defer:"):
		d.Policy = spoor.NonexistentReject
	case strings.HasPrefix(first, ":blackhole:"), first == "/dev/null":
		d.Policy = spoor.NonexistentDiscard
	default:
		d.Policy, d.Target = spoor.NonexistentForward, first
	}
	return d
}

// catchAlls reads the files that routers look addresses up in with a default:
// lsearch* takes the key "*", lsearch*@ also "*@domain" before it.
func (a *auditor) catchAlls() {
	for _, line := range a.conf.routers {
		for rest := line.text; ; {
			_, after, ok := strings.Cut(rest, "lsearch*")
			if !ok {
				break
			}
			rest = after
			after, _ = strings.CutPrefix(after, "@")
			after, ok = strings.CutPrefix(after, "{")
			file, _, closed := strings.Cut(after, "}")
			if ok && closed && strings.HasPrefix(file, "/") && !strings.Contains(file, "$") {
				a.catchAllFile(file)
			}
		}
	}
}

func (a *auditor) catchAllFile(name string) {
	lines, ok := readAliases(a.queue.root, name)
	if !ok {
		a.gap(name, "alias file cannot be read: its catch-alls are not known")
		return
	}
	for _, line := range lines {
		if line.key == "*" {
			a.domain(aliasPolicy("*", line))
		} else if domain, ok := strings.CutPrefix(line.key, "*@"); ok {
			a.domain(aliasPolicy(domain, line))
		}
	}
}
