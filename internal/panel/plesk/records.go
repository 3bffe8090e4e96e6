package plesk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"spoor"
)

// records is what psa says of who owns what. The zero value knows nothing. It
// is not changed once loaded.
type records struct {
	place   string // where psa was asked
	users   map[int]sysUser
	byLogin map[string]int // to the lowest sys_users.id with that login
	domains map[int]domain
	hosted  map[int]hosting   // by domain
	tenants map[int][]tenancy // by sys_users.id, in the order of tenancy tables
	parts   map[int][]int     // domains of a subscription by its main domain, ascending
	subs    map[int][]subdomain
}

// sysUser is a row of sys_users.
type sysUser struct {
	id          int
	login, home string
}

// domain is a row of domains. The names of its columns up to Plesk 9 are id and
// name; Plesk 10 added webspace_id and parentDomainId.
type domain struct {
	id       int
	name     string
	webspace int // the main domain's id; 0 is the main domain itself; -1 unknown
	parent   int // 0 where there is none
}

// hosting is a row of hosting.
type hosting struct {
	domain, user int
	wwwRoot      string // below the user's home; "" up to Plesk 9
}

// subdomain is a row of subdomains, which Plesk 10 made domains of.
type subdomain struct {
	id, domain, user int    // user 0: that of the domain
	label            string // the first part of name
	name             string // whole
	wwwRoot          string // below the subdomain's folder
}

// tenancy is one row that ties a system user to a domain.
type tenancy struct {
	table  string
	row    string // quoted as proof
	domain int
	site   string // that runs under the user; "" is the whole subscription
}

// load reads what is needed of psa, and never a password.
func load(ctx context.Context, t tables, place string) (*records, error) {
	r := &records{
		place: place, users: map[int]sysUser{}, byLogin: map[string]int{},
		domains: map[int]domain{}, hosted: map[int]hosting{},
		tenants: map[int][]tenancy{}, parts: map[int][]int{}, subs: map[int][]subdomain{},
	}
	for _, step := range []func(context.Context, tables) error{
		r.loadUsers, r.loadDomains, r.loadHosting, r.loadSubdomains, r.loadGuests,
	} {
		if err := step(ctx, t); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *records) loadUsers(ctx context.Context, t tables) error {
	rows, err := t.read(ctx, "sys_users", 2, "id", "login", "home")
	for _, row := range rows {
		u := sysUser{id: row.id(0), login: row[1].String, home: row[2].String}
		if u.id <= 0 || u.login == "" {
			continue
		}
		r.users[u.id] = u
		if _, known := r.byLogin[u.login]; !known {
			r.byLogin[u.login] = u.id
		}
	}
	return err
}

func (r *records) loadDomains(ctx context.Context, t tables) error {
	rows, err := t.read(ctx, "domains", 2, "id", "name", "webspace_id", "parentDomainId")
	for _, row := range rows {
		d := domain{id: row.id(0), name: row[1].String, webspace: row.id(2), parent: max(0, row.id(3))}
		if d.id > 0 && d.name != "" {
			r.domains[d.id] = d
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.domains)) {
		main := r.mainOf(id)
		r.parts[main] = append(r.parts[main], id)
	}
	return err
}

func (r *records) loadHosting(ctx context.Context, t tables) error {
	rows, err := t.read(ctx, "hosting", 2, "dom_id", "sys_user_id", "www_root")
	for _, row := range rows {
		h := hosting{domain: row.id(0), user: row.id(1), wwwRoot: row[2].String}
		r.hosted[h.domain] = h
		r.addTenant(h.user, tenancy{
			table: "hosting", domain: h.domain,
			row: fmt.Sprintf("dom_id=%d sys_user_id=%d", h.domain, h.user),
		})
	}
	return err
}

func (r *records) loadSubdomains(ctx context.Context, t tables) error {
	rows, err := t.read(ctx, "subdomains", 3, "id", "dom_id", "name", "sys_user_id", "www_root")
	if errors.Is(err, errNoTable) {
		return nil
	}
	for _, row := range rows {
		s := subdomain{id: row.id(0), domain: row.id(1), user: max(0, row.id(3)), label: row[2].String, wwwRoot: row[4].String}
		s.name = s.label + "." + r.domains[s.domain].name
		if s.user == r.hosted[s.domain].user {
			s.user = 0
		}
		r.subs[s.domain] = append(r.subs[s.domain], s)
		if s.user != 0 {
			r.addTenant(s.user, tenancy{
				table: "subdomains", domain: s.domain, site: s.name,
				row: fmt.Sprintf("id=%d dom_id=%d name=%s sys_user_id=%d", s.id, s.domain, s.label, s.user),
			})
		}
	}
	return err
}

// loadGuests reads the users that a domain has beside its own.
func (r *records) loadGuests(ctx context.Context, t tables) error {
	for _, table := range []string{"web_users", "ftp_users"} {
		rows, err := t.read(ctx, table, 3, "id", "dom_id", "sys_user_id")
		if err != nil && !errors.Is(err, errNoTable) {
			return err
		}
		for _, row := range rows {
			id, domainID, user := row.id(0), row.id(1), row.id(2)
			r.addTenant(user, tenancy{
				table: table, domain: domainID, site: r.domains[domainID].name,
				row: fmt.Sprintf("id=%d dom_id=%d sys_user_id=%d", id, domainID, user),
			})
		}
	}
	return nil
}

// addTenant keeps the row if both its ends are there: a dangling one proves
// nothing.
func (r *records) addTenant(user int, t tenancy) {
	if _, ok := r.domains[t.domain]; !ok {
		return
	}
	if _, ok := r.users[user]; ok {
		r.tenants[user] = append(r.tenants[user], t)
	}
}

// maxParents bounds the way up from a subdomain of a subdomain.
const maxParents = 16

// mainOf is the main domain of the subscription that a domain belongs to.
func (r *records) mainOf(id int) int {
	d := r.domains[id]
	if _, ok := r.domains[d.webspace]; ok {
		return d.webspace
	}
	if d.webspace == 0 {
		return id
	}
	for range maxParents {
		parent, ok := r.domains[r.domains[id].parent]
		if !ok {
			break
		}
		id = parent.id
	}
	return id
}

// owner is what psa says of a login.
type owner struct {
	site  string
	sites []string // sorted, with site
	proof spoor.Evidence
}

// owner finds the subscription of a login.
func (r *records) owner(login string) (owner, bool) {
	user, ok := r.users[r.byLogin[login]]
	if !ok || user.login != login || len(r.tenants[user.id]) == 0 {
		return owner{}, false
	}
	tenants := r.tenants[user.id]
	main := r.domains[r.mainOf(tenants[0].domain)]
	o := owner{site: main.name, proof: r.proof(user, tenants[0], main)}
	o.sites = append(o.sites, main.name)
	for _, t := range tenants {
		if t.site != "" {
			o.sites = append(o.sites, t.site)
		} else {
			o.sites = append(o.sites, r.sitesOf(r.mainOf(t.domain))...)
		}
	}
	slices.Sort(o.sites)
	o.sites = slices.Compact(o.sites)
	return o, true
}

// sitesOf names the domains of a subscription, and those old subdomains that
// run under the same user.
func (r *records) sitesOf(main int) []string {
	var names []string
	for _, id := range r.parts[main] {
		names = append(names, r.domains[id].name)
		for _, s := range r.subs[id] {
			if s.user == 0 {
				names = append(names, s.name)
			}
		}
	}
	return names
}

// proof quotes the rows that lead from the login to the main domain.
func (r *records) proof(user sysUser, t tenancy, main domain) spoor.Evidence {
	rows := []string{
		fmt.Sprintf("sys_users: id=%d login=%s home=%s", user.id, user.login, user.home),
		t.table + ": " + t.row,
	}
	if t.domain != main.id {
		rows = append(rows, "domains: "+r.domains[t.domain].row())
	}
	rows = append(rows, "domains: "+main.row())
	return spoor.Evidence{What: "psa", File: r.place, Text: strings.Join(rows, "; ")}
}

func (d domain) row() string {
	text := fmt.Sprintf("id=%d name=%s", d.id, d.name)
	if d.webspace >= 0 {
		text += fmt.Sprintf(" webspace_id=%d", d.webspace)
	}
	return text
}
