package exim

import (
	"path"
	"strings"
	"sync"

	"spoor"
	"spoor/internal/host"
)

// panelAliases knows which addresses have an alias of their own in the files in
// which a panel keeps those of each domain, and which fall under its catch-all.
// Routers name these files by $domain: the configuration does not tell their names.
// It is safe for concurrent use.
type panelAliases struct {
	root    *host.Root
	mu      sync.Mutex
	domains map[string]domainAliases // that were asked for
}

// domainAliases are those of one domain.
type domainAliases struct {
	keys       map[string]bool // in lower case: local parts, or whole addresses
	catchesAll bool            // others go on to somewhere
	alias      string          // the domain that this one is another name of, or ""
}

// panelAliasFiles are where the aliases of a domain may be: cPanel has a file for
// each, DirectAdmin a folder.
func panelAliasFiles(domain string) [2]string {
	return [...]string{path.Join("/etc/valiases", domain), path.Join("/etc/virtual", domain, "aliases")}
}

// domainAliasFile is where cPanel has a domain that is another name of a second one, which
// may be elsewhere: one line, oldshop.example: shop.example.
func domainAliasFile(domain string) string { return path.Join("/etc/vdomainaliases", domain) }

// isDomainWord reports whether a word can be the name of a file that a panel names
// by a domain.
func isDomainWord(word string) bool {
	return word != "" && word[0] != '.' && word[0] != '-' && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}

// nameOf is the alias that an address falls under, as in Config.nameOf; ok is false
// if the panel has none for it.
func (p *panelAliases) nameOf(address string) (name string, ok bool) {
	return p.nameWithin(address, maxDomainAliases)
}

// maxDomainAliases is how often a domain may be the name of another that is a name
// itself.
const maxDomainAliases = 4

func (p *panelAliases) nameWithin(address string, aliases int) (name string, ok bool) {
	lower := strings.ToLower(address)
	local, domain, _ := strings.Cut(lower, "@")
	if p == nil || !isDomainWord(domain) {
		return "", false
	}
	d := p.of(domain)
	switch {
	case d.keys[lower] || d.keys[local]:
		return address, true
	case d.alias != "" && aliases > 0:
		if name, ok := p.nameWithin(local+"@"+d.alias, aliases-1); ok {
			return name, true
		}
		return "@" + domain, true
	case d.catchesAll:
		return "@" + domain, true
	}
	return "", false
}

// of reads the files of a domain once.
func (p *panelAliases) of(domain string) domainAliases {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d, ok := p.domains[domain]; ok {
		return d
	}
	if len(p.domains) >= maxAliases {
		clear(p.domains)
	}
	d := domainAliases{keys: map[string]bool{}}
	for _, file := range panelAliasFiles(domain) {
		lines, _ := readAliases(p.root, file)
		for _, line := range lines {
			if line.key != "*" {
				d.keys[line.key] = true
			} else if aliasPolicy(domain, line).Policy == spoor.NonexistentForward {
				d.catchesAll = true
			}
		}
	}
	if line, ok := domainAlias(p.root, domain); ok {
		d.alias = line.value
	}
	p.domains[domain] = d
	return d
}

// domainAlias is the line that makes a domain another name of a second one.
func domainAlias(root *host.Root, domain string) (aliasLine, bool) {
	lines, _ := readAliases(root, domainAliasFile(domain))
	for _, line := range lines {
		if line.value = strings.ToLower(line.value); line.key == domain && isDomainWord(line.value) {
			return line, true
		}
	}
	return aliasLine{}, false
}
