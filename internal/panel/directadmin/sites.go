package directadmin

import (
	"path"
	"slices"
	"strings"

	"spoor/internal/panel"
)

// Folders of the access logs: Apache's, and those of the nginx in front of it or
// in place of it.
const (
	apacheLogs = "/var/log/httpd/domains/"
	nginxLogs  = "/var/log/nginx/domains/"
)

func (p *Panel) listSites() []panel.Site {
	var sites []panel.Site
	for login, user := range p.users {
		for _, domain := range user.Domains {
			sites = append(sites, p.domainSites(login, domain)...)
		}
	}
	slices.SortFunc(sites, func(a, b panel.Site) int { return strings.Compare(a.Domain, b.Domain) })
	return slices.CompactFunc(sites, func(a, b panel.Site) bool { return a.Domain == b.Domain })
}

// domainSites are a domain, whose files lie in domains/DOMAIN of its user's home,
// and its subdomains, whose files lie in folders of its documents.
func (p *Panel) domainSites(login, domain string) []panel.Site {
	site := panel.Site{Domain: domain, Subscription: p.users[login].Main, UID: -1}
	if account, ok := p.passwd.ByLogin(login); ok {
		site.UID, site.Home = account.UID, account.Home
	}
	folder := site.Home + "/domains/" + domain
	site.DocumentRoots = p.places.DocumentRoots(site.Home, folder+"/public_html", folder+"/private_html")
	site.AccessLogs = p.accessLogs(domain)
	sites := []panel.Site{site}
	for _, label := range p.lines(path.Join(usersFolder, login, "domains", domain+".subdomains")) {
		sub := site
		sub.Domain = label + "." + domain
		sub.DocumentRoots = p.places.DocumentRoots(site.Home,
			folder+"/public_html/"+label, folder+"/private_html/"+label, site.Home+"/domains/"+sub.Domain+"/public_html")
		sub.AccessLogs = p.accessLogs(domain + "." + label) // sic
		sites = append(sites, sub)
	}
	return sites
}

func (p *Panel) accessLogs(name string) []string {
	return p.places.Logs(apacheLogs+name+".log", nginxLogs+name+".log")
}
