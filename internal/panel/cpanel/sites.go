package cpanel

import (
	"slices"
	"strings"

	"spoor/internal/panel"
)

// domlogs are where the access logs of sites are: EasyApache 4, then older
// versions.
var domlogs = [...]string{"/etc/apache2/logs/domlogs", "/var/log/apache2/domlogs", "/usr/local/apache/domlogs"}

// nginxLogs are those of the nginx in front of Apache.
const nginxLogs = "/var/log/nginx/domains/"

func (p *Panel) listSites() []panel.Site {
	logs := p.places.FirstFolder(domlogs[:]...)
	var sites []panel.Site
	for login, user := range p.users {
		for _, domain := range user.Domains {
			sites = append(sites, p.site(login, domain, logs))
		}
	}
	slices.SortFunc(sites, func(a, b panel.Site) int { return strings.Compare(a.Domain, b.Domain) })
	return slices.CompactFunc(sites, func(a, b panel.Site) bool { return a.Domain == b.Domain })
}

func (p *Panel) site(login, domain, logs string) panel.Site {
	site := panel.Site{Domain: domain, Subscription: p.users[login].Main, UID: -1}
	if account, ok := p.passwd.ByLogin(login); ok {
		site.UID, site.Home = account.UID, account.Home
	}
	root := p.data[domain].root
	if root == "" {
		root = p.recordedRoot(login, domain)
	}
	if root == "" && domain == site.Subscription {
		root = site.Home + "/public_html"
	}
	site.DocumentRoots = p.places.DocumentRoots(site.Home, root)
	site.AccessLogs = p.accessLogs(login, domain, logs)
	return site
}

// accessLogs lists the logs of a site: Apache's of plain and of TLS requests, and
// nginx'.
func (p *Panel) accessLogs(login, domain, folder string) []string {
	var names []string
	if folder != "" {
		for _, name := range [...]string{domain, login + "/" + domain} {
			names = append(names, folder+"/"+name, folder+"/"+name+"-ssl_log")
		}
	}
	names = append(names, nginxLogs+domain, nginxLogs+domain+"-ssl_log")
	return p.places.Logs(names...)
}
