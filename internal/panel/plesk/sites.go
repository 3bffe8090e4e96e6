package plesk

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"spoor/internal/host"
	"spoor/internal/panel"
)

// listSites lists what psa records or, where it was not reached, what the
// folders show.
func (p *Panel) listSites() []panel.Site {
	sites := p.recordedSites()
	if len(p.records.domains) == 0 && p.hasVHosts() {
		sites = p.foundSites()
	}
	for i := range sites {
		sites[i].Home = p.homeOfSite(sites[i])
	}
	slices.SortStableFunc(sites, func(a, b panel.Site) int { return strings.Compare(a.Domain, b.Domain) })
	return sites
}

// homeOfSite is the folder of the site's subscription, or "" where the site has
// no files.
func (p *Panel) homeOfSite(site panel.Site) string {
	if len(site.DocumentRoots) == 0 {
		return ""
	}
	return p.conf.VHosts + "/" + p.siteOfHome(site.DocumentRoots[0])
}

func (p *Panel) recordedSites() []panel.Site {
	r := p.records
	var sites []panel.Site
	for _, id := range slices.Sorted(maps.Keys(r.domains)) {
		h, ok := r.hosted[id]
		if !ok {
			continue // mail only, or it forwards
		}
		main := r.domains[r.mainOf(id)]
		home := p.homeOf(r.users[h.user], main.name)
		site := p.site(r.domains[id].name, main.name)
		site.UID = p.uidOf(h.user)
		if id == main.id {
			site.DocumentRoots = p.documentRoots(home, below(home, h.wwwRoot, "httpdocs"), home+"/httpsdocs", home+"/cgi-bin")
		} else {
			site.DocumentRoots = p.documentRoots(home, below(home, h.wwwRoot, site.Domain))
		}
		sites = append(sites, site)
		for _, s := range r.subs[id] {
			sites = append(sites, p.recordedSubdomain(s, h, home, main.name))
		}
	}
	return sites
}

func (p *Panel) recordedSubdomain(s subdomain, h hosting, home, main string) panel.Site {
	site := p.site(s.name, main)
	site.UID = p.uidOf(h.user)
	if s.user != 0 {
		site.UID = p.uidOf(s.user)
	}
	folder := below(home+"/subdomains", s.label, "")
	site.DocumentRoots = p.documentRoots(home, below(folder, s.wwwRoot, "httpdocs"), folder+"/httpsdocs", folder+"/cgi-bin")
	return site
}

// site starts the record of a site with what its name alone tells.
func (p *Panel) site(domain, subscription string) panel.Site {
	return panel.Site{Domain: domain, Subscription: subscription, UID: -1, AccessLogs: p.accessLogs(domain)}
}

// uidOf is the UID of a row of sys_users, by the login in passwd; -1 where that
// has none.
func (p *Panel) uidOf(user int) int {
	account, ok := p.passwd.ByLogin(p.records.users[user].login)
	if !ok {
		return -1
	}
	return account.UID
}

// homeOf is the folder of a subscription.
func (p *Panel) homeOf(user sysUser, main string) string {
	if site := p.siteOfHome(user.home); site != "" {
		return p.conf.VHosts + "/" + site
	}
	return below(p.conf.VHosts, main, "")
}

// below joins a name from the database to a folder. A name that leads out of
// the folder stays in it, as after chroot(2).
func below(folder, name, otherwise string) string {
	if name == "" {
		name = otherwise
	}
	return folder + strings.TrimSuffix(path.Clean("/"+name), "/")
}

// foundSites reads the layout of the folders. A folder of a customer proves
// nothing alone, since the customer can make one of any name: an additional
// domain needs a folder of Plesk's own as well.
func (p *Panel) foundSites() []panel.Site {
	mains := p.subfolders(p.conf.VHosts)
	mains = slices.DeleteFunc(mains, func(name string) bool { return !isSiteFolder(name) })
	claims := p.claims(mains)
	uids := p.homes()
	var sites []panel.Site
	for _, main := range mains {
		if _, additional := claims[main]; additional {
			continue
		}
		sites = append(sites, p.foundSite(main, uids)...)
	}
	for _, domain := range slices.Sorted(maps.Keys(claims)) {
		claim := claims[domain]
		site := p.site(domain, "")
		if len(claim) == 1 {
			home := p.conf.VHosts + "/" + claim[0]
			site.Subscription, site.UID = claim[0], uidIn(uids, claim[0])
			site.DocumentRoots = p.documentRoots(home, home+"/"+domain)
		} else if len(claim) > 1 {
			p.gaps.Add(p.conf.VHosts+"/"+claim[1]+"/"+domain, "several subscriptions have a folder of one domain: only the database knows whose it is")
		}
		sites = append(sites, site)
	}
	return sites
}

// foundSite is the main domain of a folder, with the subdomains that up to
// Plesk 9 lie in subdomains/<name>.
func (p *Panel) foundSite(main string, uids map[string]int) []panel.Site {
	home := p.conf.VHosts + "/" + main
	site := p.site(main, main)
	site.UID = uidIn(uids, main)
	site.DocumentRoots = p.documentRoots(home, home+"/httpdocs", home+"/httpsdocs", home+"/cgi-bin")
	sites := []panel.Site{site}
	for _, label := range p.subfolders(home + "/subdomains") {
		folder := home + "/subdomains/" + label
		sub := p.site(label+"."+main, main)
		sub.UID = site.UID
		sub.DocumentRoots = p.documentRoots(home, folder+"/httpdocs", folder+"/httpsdocs", folder+"/cgi-bin")
		sites = append(sites, sub)
	}
	return sites
}

// claims finds the domains that are not the main one of a subscription, each
// with the subscriptions that have a folder of its name. From Plesk 11.5 on
// every domain has a folder in system; before, one beside the subscriptions'
// that holds no documents.
func (p *Panel) claims(mains []string) map[string][]string {
	claims := map[string][]string{}
	for _, domain := range p.subfolders(p.conf.VHosts + "/system") {
		if !p.hasDocuments(domain) && strings.Contains(domain, ".") {
			claims[domain] = nil
		}
	}
	for _, domain := range mains {
		if !p.hasDocuments(domain) && p.vhosts.IsDir(p.conf.VHosts+"/"+domain+"/statistics") {
			claims[domain] = nil
		}
	}
	for _, main := range mains {
		for _, name := range p.subfolders(p.conf.VHosts + "/" + main) {
			if _, additional := claims[name]; additional && name != main {
				claims[name] = append(claims[name], main)
			}
		}
	}
	return claims
}

func (p *Panel) hasDocuments(domain string) bool {
	return p.vhosts.IsDir(p.conf.VHosts + "/" + domain + "/httpdocs")
}

// homes maps the folders of subscriptions to the UID of the first account that
// lives in each.
func (p *Panel) homes() map[string]int {
	uids := map[string]int{}
	for _, account := range p.passwd.All() {
		site := p.siteOfHome(account.Home)
		if _, known := uids[site]; !known && path.Base(path.Clean(account.Home)) == site {
			uids[site] = account.UID
		}
	}
	return uids
}

func uidIn(uids map[string]int, site string) int {
	if uid, ok := uids[site]; ok {
		return uid
	}
	return -1
}

// maxSubfolders bounds how many entries of one folder are looked at.
const maxSubfolders = 100_000

// subfolders names the directories in a folder of the sites, sorted. Links are
// none.
func (p *Panel) subfolders(name string) []string {
	dir, err := p.vhosts.OpenDir(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.gaps.Add(name, "folder cannot be read: "+panel.Cause(err))
		}
		return nil
	}
	defer func() { _ = dir.Close() }()
	var names []string
	seen := 0
	for entry, err := range dir.Entries() {
		if seen++; err != nil || seen > maxSubfolders {
			p.gaps.Add(name, "folder was not read to its end")
			break
		}
		if entry.Type == host.TypeDirectory {
			names = append(names, string(entry.Name))
		}
	}
	slices.Sort(names)
	return names
}

// documentRoots keeps those of the names that are directories in the folder of
// the subscription, wherever the customer's links lead.
func (p *Panel) documentRoots(home string, names ...string) []string {
	if !p.hasVHosts() {
		return nil
	}
	folder, err := p.vhosts.Sub(home)
	if err != nil {
		p.gaps.Add(home, "folder of the subscription cannot be read: its scripts are not known")
		return nil
	}
	var roots []string
	for _, name := range names {
		if _, err := folder.Resolve(name); errors.Is(err, panel.ErrOutside) {
			p.gaps.Add(name, "document root leads out of its subscription: it was not followed")
		}
		if folder.IsDir(name) && !slices.Contains(roots, name) {
			roots = append(roots, name)
		}
	}
	return roots
}

// accessLogs lists the logs of a domain, oldest first, and those of the nginx in
// front of Apache last. Logs that were rotated and packed are not among them.
func (p *Panel) accessLogs(domain string) []string {
	folder := below(p.conf.VHosts+"/system", domain, "") + "/logs" // Plesk 11.5 and later
	if !p.vhosts.IsDir(folder) {
		folder = below(p.conf.VHosts, domain, "") + "/statistics/logs"
	}
	var logs []string
	for _, name := range []string{"access_log", "access_ssl_log", "access_log_ssl", "proxy_access_log", "proxy_access_ssl_log"} {
		for _, suffix := range []string{".processed", ""} {
			if log := folder + "/" + name + suffix; p.vhosts.IsFile(log) {
				logs = append(logs, log)
			}
		}
	}
	return logs
}
