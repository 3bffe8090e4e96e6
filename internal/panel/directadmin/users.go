package directadmin

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"spoor/internal/panel"
)

const (
	maxUsers  = 100_000
	listBytes = 16 << 20 // of a list of domains that is read
)

// readUsers reads who has which domains: /etc/virtual/domainowners, with lines
// such as
//
//	shop.example: anna
//
// and the folder of each user.
func (p *Panel) readUsers() {
	for _, pair := range panel.ReadPairs(p.root, ownersFile, ":", &p.gaps) {
		if !panel.IsDomain(pair.Key) || !panel.IsLogin(pair.Value) {
			p.gaps.Add(ownersFile, "line does not name a domain and a user")
			continue
		}
		user := p.users.Of(pair.Value)
		user.Domains = append(user.Domains, pair.Key)
		user.Proof = pair.Place
	}
	logins, err := p.root.List(usersFolder, maxUsers)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.gaps.Add(usersFolder, "folder cannot be read: "+panel.Cause(err))
	}
	for _, login := range logins {
		if panel.IsLogin(login) {
			p.readUser(login)
		}
	}
	p.users.Sort()
}

// readUser reads the list of a user's domains, one a line, and the main domain
// from user.conf, with lines such as
//
//	domain=shop.example
func (p *Panel) readUser(login string) {
	folder := path.Join(usersFolder, login)
	for _, domain := range p.lines(path.Join(folder, "domains.list")) {
		user := p.users.Of(login)
		user.Domains = append(user.Domains, domain)
	}
	conf := path.Join(folder, "user.conf")
	for _, pair := range panel.ReadPairs(p.root, conf, "=", &p.gaps) {
		if pair.Key != "domain" || !panel.IsDomain(pair.Value) {
			continue
		}
		if user := p.users[login]; user != nil { // its main domain may have been deleted
			user.Main, user.Proof = pair.Value, pair.Place
			user.Domains = append(user.Domains, pair.Value)
		}
	}
}

// lines reads a list of domains. A list that is missing is empty.
func (p *Panel) lines(name string) []string {
	data, err := p.root.ReadFile(name, listBytes)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.gaps.Add(name, "list cannot be read: "+panel.Cause(err))
		}
		return nil
	}
	var list []string
	for line := range strings.Lines(string(data)) {
		switch line = strings.TrimSpace(line); {
		case line == "":
		case panel.IsDomain(line):
			list = append(list, line)
		default:
			p.gaps.Add(name, "line is no domain")
		}
	}
	return list
}
