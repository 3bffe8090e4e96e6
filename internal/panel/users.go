package panel

import (
	"slices"

	"spoor"
	"spoor/internal/host"
)

// User is what a panel records of one of its users, who has one system user and
// any number of sites.
type User struct {
	Login   string
	Main    string   // main domain; "" if none is recorded
	Domains []string // all of them, Main included
	Proof   spoor.Evidence
}

// Users are the users of a panel by login.
type Users map[string]*User

// Of returns the user called login, and makes it if there is none.
func (u Users) Of(login string) *User {
	user := u[login]
	if user == nil {
		user = &User{Login: login}
		u[login] = user
	}
	return user
}

// Sort sorts the domains of every user, each once. It is called when all are
// known.
func (u Users) Sort() {
	for _, user := range u {
		slices.Sort(user.Domains)
		user.Domains = slices.Compact(user.Domains)
	}
}

// Owner answers whose UID it is: what a login is by its name comes first, then
// what the panel records of it. A user without a main domain is known by the
// first of its domains, which is inference.
func (u Users) Owner(passwd *host.Passwd, uid int) spoor.Owner {
	owner := OwnerOf(passwd, uid)
	user := u[owner.Login]
	if owner.Role != spoor.RoleUser || user == nil || len(user.Domains) == 0 {
		return owner
	}
	owner.Role, owner.Sites = spoor.RoleSite, slices.Clone(user.Domains)
	owner.Site, owner.Exact = user.Main, user.Main != ""
	if !owner.Exact {
		owner.Site = user.Domains[0]
	}
	owner.Proof = append(owner.Proof, user.Proof)
	return owner
}
