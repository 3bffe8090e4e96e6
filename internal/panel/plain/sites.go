package plain

import (
	"path"
	"slices"
	"strings"

	"spoor/internal/host"
	"spoor/internal/panel"
)

// vhost is what a web server's configuration says of one virtual host.
type vhost struct {
	names   []string // the first is its own
	roots   []string // document roots
	logs    []string // access logs
	user    string   // that its scripts run as; "" for the web server's
	handler string   // where its PHP listens: a socket, or an address and port
}

// listSites joins the virtual hosts of Apache and nginx with the users of the
// FPM pools that they hand PHP to.
func (p *Panel) listSites() []panel.Site {
	files := &reading{root: p.root, gaps: &p.gaps, texts: map[string]string{}}
	pools := files.pools()
	sites := map[string]*panel.Site{}
	for _, v := range slices.Concat(files.apache(), files.nginx()) {
		if v.user == "" {
			v.user = pools[v.handler]
		}
		p.join(sites, v)
	}
	list := make([]panel.Site, 0, len(sites))
	for _, site := range sites {
		site.DocumentRoots = p.places.DocumentRoots(site.Home, site.DocumentRoots...)
		site.AccessLogs = p.places.Logs(site.AccessLogs...)
		list = append(list, *site)
	}
	slices.SortFunc(list, func(a, b panel.Site) int { return strings.Compare(a.Domain, b.Domain) })
	return list
}

// join adds a virtual host to the sites. One for TLS has the name of the one
// without.
func (p *Panel) join(sites map[string]*panel.Site, v vhost) {
	domain := siteName(v.names)
	site := sites[domain]
	if site == nil {
		site = &panel.Site{Domain: domain, Subscription: domain, UID: -1}
		sites[domain] = site
	}
	if account, ok := p.passwd.ByLogin(v.user); ok && site.UID < 0 {
		site.UID = account.UID
		if len(v.roots) > 0 && strings.HasPrefix(v.roots[0], account.Home+"/") {
			site.Home = account.Home
		}
	}
	if site.Home == "" && len(v.roots) > 0 {
		site.Home = path.Dir(v.roots[0]) // "current" may lead to a release beside it
	}
	site.DocumentRoots = append(site.DocumentRoots, v.roots...)
	site.AccessLogs = append(site.AccessLogs, v.logs...)
}

// siteName is the domain of a virtual host, or "default" for that of any other
// name.
func siteName(names []string) string {
	for _, name := range names {
		name = strings.ToLower(strings.TrimPrefix(name, "www."))
		if panel.IsDomain(name) && strings.Contains(name, ".") {
			return name
		}
	}
	return "default"
}

// folder makes a path of a configuration file absolute; ok is false for what can
// be no path.
func folder(name, base string) (clean string, ok bool) {
	if name == "" || strings.ContainsAny(name, "\x00|$%*") {
		return "", false
	}
	if name[0] != '/' {
		name = base + "/" + name
	}
	clean = path.Clean(host.Abs(name))
	return clean, clean != "/"
}
