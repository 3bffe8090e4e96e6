// Package plain is a server without a control panel: it answers whose UID it is
// from passwd, and lists the sites that the configuration of Apache and nginx
// has.
package plain

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/panel"
)

// Panel implements panel.Panel for a server that has none.
type Panel struct {
	root   *host.Root
	passwd *host.Passwd
	gaps   spoor.Gaps
	places panel.Places
	sites  func() []panel.Site
	*panel.Web
}

var (
	_ panel.Panel   = (*Panel)(nil)
	_ panel.Scripts = (*Panel)(nil)
)

// Adapter is what the command line knows of servers without a panel. It is found
// on every server, so it comes last.
func Adapter() panel.Adapter {
	return panel.Adapter{
		Name:   "plain",
		Detect: func(*panel.Server) bool { return true },
		Open: func(_ context.Context, s *panel.Server) (panel.Panel, error) {
			p, err := Open(s.Root, s.Passwd)
			if err != nil {
				return nil, err
			}
			return p, nil
		},
	}
}

// Open returns the panel of a server whose users are in passwd. It fails only if
// the root cannot be read.
func Open(root *host.Root, passwd *host.Passwd) (*Panel, error) {
	p := &Panel{root: root, passwd: passwd}
	var err error
	if p.places, err = panel.NewPlaces(root, &p.gaps); err != nil {
		return nil, fmt.Errorf("open root: %w", err)
	}
	p.sites = sync.OnceValue(p.listSites)
	p.Web = panel.NewWeb(root, p, p.places.Folder, &p.gaps)
	return p, nil
}

// Name returns "plain".
func (p *Panel) Name() string { return "plain" }

// Version returns "".
func (p *Panel) Version() string { return "" }

// Owner implements panel.Panel. It never answers RoleSite: which sites run under
// the UID of a user is known from configuration, but nobody keeps a record of
// whom they belong to.
func (p *Panel) Owner(uid int) spoor.Owner {
	owner := panel.OwnerOf(p.passwd, uid)
	if owner.Role != spoor.RoleUser {
		return owner
	}
	for _, site := range p.Sites() {
		if site.UID == uid {
			owner.Sites = append(owner.Sites, site.Domain)
		}
	}
	slices.Sort(owner.Sites)
	return owner
}

// Sites implements panel.Panel. The caller must not change the list.
func (p *Panel) Sites() []panel.Site { return p.sites() }

// Gaps implements panel.Panel. Those of passwd were counted by who read it.
func (p *Panel) Gaps() []spoor.Gap { return p.gaps.List() }

// Close does nothing.
func (p *Panel) Close() error { return nil }
