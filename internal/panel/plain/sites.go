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
		if len(site.AccessLogs) == 0 && panel.IsDomain(site.Domain) {
			site.AccessLogs = []string{pipedLogs + site.Domain + "/access.log"}
		}
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
		if home := homeOf(account.Home); len(v.roots) > 0 && p.isIn(v.roots[0], home) {
			site.Home = home
		}
	}
	if site.Home == "" && len(v.roots) > 0 {
		site.Home = path.Dir(v.roots[0]) // "current" may lead to a release beside it
	}
	site.DocumentRoots = append(site.DocumentRoots, v.roots...)
	site.AccessLogs = append(site.AccessLogs, v.logs...)
}

// isIn reports whether a document root lies in the home of a user, by its name or where
// a link of the administrator's leads: ISPConfig has one for each domain.
//
//	/var/www/shop.example -> /var/www/clients/client1/web12
func (p *Panel) isIn(root, home string) bool {
	if home == "" || home == "/" {
		return false
	}
	linkFree, err := p.places.Folder.Resolve(root)
	return strings.HasPrefix(root, home+"/") || err == nil && strings.HasPrefix(linkFree, home+"/")
}

// homeOf is the folder of a customer whom jailkit keeps in it: passwd has his home
// behind the folder that becomes his root.
//
//	/var/www/clients/client2/web13/./home/web13
func homeOf(home string) string {
	jail, _, _ := strings.Cut(home, "/./")
	return path.Clean(jail)
}

// pipedLogs are where programs that a web server pipes its log to write it, one folder
// for each domain: ISPConfig's vlogger.
const pipedLogs = "/var/log/ispconfig/httpd/"

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
