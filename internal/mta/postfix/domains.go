package postfix

import (
	"path"
	"strings"
)

// domainLists are the parameters that list the domains which are taken as this
// server's own.
var domainLists = [...]string{"mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains"}

// domains are domains that are served, and suffixes that begin with a dot.
type domains struct {
	exact    map[string]bool
	suffixes []string
}

func (c *MainCF) domains() *domains {
	d := &domains{exact: map[string]bool{}}
	for _, list := range domainLists {
		c.addDomains(d, c.List(list), 0)
	}
	return d
}

func (c *MainCF) addDomains(d *domains, items []string, depth int) {
	for _, item := range items {
		switch {
		case strings.HasPrefix(item, "!"):
		case strings.HasPrefix(item, "/") && depth < 3:
			data, err := c.root.ReadFile(item, configBytes)
			if err != nil {
				c.gaps.Add(item, "list of domains cannot be read: "+cause(err))
				continue
			}
			for line := range logicalLines(string(data)) {
				c.addDomains(d, strings.Fields(line.text), depth+1)
			}
		case strings.Contains(item, ":"):
			table, ok := c.Table(item)
			if !ok && !strings.HasPrefix(item, "static:") {
				c.gaps.Add(path.Join(c.folder, "main.cf"), "domains in "+item+" are not known: their content is not a text")
			}
			for key := range table {
				if !strings.Contains(key, "@") && strings.Contains(key, ".") {
					d.exact[key] = true
				}
			}
		case strings.HasPrefix(item, "."):
			d.suffixes = append(d.suffixes, strings.ToLower(item))
		default:
			d.exact[strings.ToLower(item)] = true
		}
	}
}

// serves reports whether a domain is one of d.
func (d *domains) serves(domain string) bool {
	if d.exact[domain] {
		return true
	}
	lower := strings.ToLower(domain)
	if d.exact[lower] {
		return true
	}
	for _, suffix := range d.suffixes {
		if strings.HasSuffix(lower, suffix) {
			return true
		}
	}
	return false
}

// alias names the entry of virtual_alias_maps for an address in lower case:
// itself, the address without its extension, or the domain's catch-all
// (virtual(5)); "" if there is none.
func (c *MainCF) alias() func(address string) string {
	var tables []map[string]Entry
	for _, spec := range c.List("virtual_alias_maps") {
		if table, ok := c.Table(spec); ok {
			tables = append(tables, table)
		}
	}
	delimiter := c.Get("recipient_delimiter")
	return func(address string) string {
		local, domain, _ := strings.Cut(address, "@")
		keys := []string{address}
		if delimiter != "" {
			if end := strings.IndexAny(local, delimiter); end > 0 {
				keys = append(keys, local[:end]+"@"+domain)
			}
		}
		for _, key := range append(keys, "@"+domain) {
			for _, table := range tables {
				if _, ok := table[key]; ok {
					return key
				}
			}
		}
		return ""
	}
}
