package plesk

import (
	"slices"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/panel"
)

// Owner implements panel.Panel. What a login is by its name comes first. Then
// psa is asked for the subscription of the login; then the home folder is, which
// is inference (Exact is false).
func (p *Panel) Owner(uid int) spoor.Owner {
	owner := panel.OwnerOf(p.passwd, uid)
	if owner.Role != spoor.RoleUser {
		return owner
	}
	for _, account := range p.accounts[uid] {
		recorded, ok := p.records.owner(account.Login)
		if !ok {
			continue
		}
		if account.Login != owner.Login {
			owner.Proof = append(owner.Proof, account.Evidence())
		}
		owner.Proof = append(owner.Proof, recorded.proof)
		if !owner.Exact {
			owner.Role, owner.Site, owner.Exact = spoor.RoleSite, recorded.site, true
		}
		owner.Sites = append(owner.Sites, recorded.sites...)
	}
	if owner.Exact {
		slices.Sort(owner.Sites)
		owner.Sites = slices.Compact(owner.Sites)
		return owner
	}
	account, _ := p.passwd.ByUID(uid)
	if site := p.siteOfHome(account.Home); site != "" {
		owner.Role, owner.Site, owner.Sites = spoor.RoleSite, site, p.subscriptionSites(site)
	}
	return owner
}

// accountsByUID groups the accounts, in the order of passwd: additional FTP
// users have the UID of their subscription's own.
func accountsByUID(passwd *host.Passwd) map[int][]host.Account {
	accounts := map[int][]host.Account{}
	for _, account := range passwd.All() {
		accounts[account.UID] = append(accounts[account.UID], account)
	}
	return accounts
}

// subscriptionSites names the sites found in the folder of a subscription, with
// its main domain.
func (p *Panel) subscriptionSites(main string) []string {
	names := []string{main}
	for _, site := range p.Sites() {
		if site.Subscription == main {
			names = append(names, site.Domain)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
