package cpanel

import (
	"path"
	"strings"

	"spoor"
	"spoor/internal/panel"
)

// readUsers reads who has which domains. The main domain of a user is in
//
//	/etc/trueuserdomains:  shop.example: anna
//
// and all of them, with subdomains, in
//
//	/etc/userdomains:      blog.shop.example: anna
//
// where "*: nobody" stands for every other name.
func (p *Panel) readUsers() {
	for _, pair := range p.pairs(domainsFile) {
		user := p.users.Of(pair.Value)
		user.Domains = append(user.Domains, pair.Key)
		user.Proof = pair.Place
	}
	for _, pair := range p.pairs(mainsFile) {
		user := p.users.Of(pair.Value)
		user.Domains = append(user.Domains, pair.Key)
		user.Main, user.Proof = pair.Key, pair.Place
	}
	for login, user := range p.users {
		if user.Main == "" {
			p.readMain(login, user)
		}
	}
	p.users.Sort()
}

// pairs reads a file of domains and users, and leaves out what can be neither.
func (p *Panel) pairs(name string) []panel.Pair {
	var kept []panel.Pair
	for _, pair := range panel.ReadPairs(p.root, name, ":", &p.gaps) {
		switch {
		case pair.Key == "*" || pair.Value == "nobody":
		case panel.IsDomain(pair.Key) && panel.IsLogin(pair.Value):
			kept = append(kept, pair)
		default:
			p.gaps.Add(name, "line does not name a domain and a user")
		}
	}
	return kept
}

// readMain looks for the main domain in cPanel's own file of a user, which has
// lines such as
//
//	DNS=shop.example
func (p *Panel) readMain(login string, user *panel.User) {
	for _, pair := range panel.ReadPairs(p.root, path.Join(dataFolder, "users", login), "=", &p.gaps) {
		if pair.Key == "DNS" && panel.IsDomain(pair.Value) {
			user.Main, user.Proof = pair.Value, pair.Place
			user.Domains = append(user.Domains, pair.Value)
		}
	}
}

// siteData is what cPanel records of one site.
type siteData struct {
	user string
	main string // the subscription's
	root string // document root
}

// readSiteData reads /etc/userdatadomains, with lines such as
//
//	blog.shop.example: anna==root==sub==shop.example==/home/anna/blog==192.0.2.7:80======0==ea-php81
func (p *Panel) readSiteData() {
	for _, pair := range panel.ReadPairs(p.root, dataFile, ":", &p.gaps) {
		fields := strings.Split(pair.Value, "==")
		if len(fields) < 5 || !panel.IsDomain(pair.Key) || !panel.IsLogin(fields[0]) {
			p.gaps.Add(dataFile, "line does not describe a site")
			continue
		}
		p.data[pair.Key] = siteData{user: fields[0], main: fields[3], root: fields[4]}
	}
}

// recordedRoot is the document root in the file of a site, which has lines such
// as
//
//	documentroot: /home/anna/public_html
//
// or "".
func (p *Panel) recordedRoot(login, domain string) string {
	var others spoor.Gaps // lists and whatever else YAML has
	for _, pair := range panel.ReadPairs(p.root, path.Join(dataFolder, "userdata", login, domain), ":", &others) {
		if pair.Key == "documentroot" {
			return strings.Trim(pair.Value, `"'`)
		}
	}
	return ""
}
