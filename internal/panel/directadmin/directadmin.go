// Package directadmin knows the control panel DirectAdmin: the owners of UIDs,
// the sites and their logs come from the files that it keeps below /etc/virtual
// and /usr/local/directadmin. It changes nothing.
package directadmin

import (
	"context"
	"fmt"
	"io/fs"
	"sync"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/panel"
)

const (
	productFolder = "/usr/local/directadmin"
	ownersFile    = "/etc/virtual/domainowners"
	usersFolder   = productFolder + "/data/users"
)

// Panel implements panel.Panel for DirectAdmin.
type Panel struct {
	root   *host.Root
	passwd *host.Passwd
	gaps   spoor.Gaps
	places panel.Places

	users panel.Users
	sites func() []panel.Site
	*panel.Web
}

var (
	_ panel.Panel   = (*Panel)(nil)
	_ panel.Scripts = (*Panel)(nil)
)

// Adapter is what the command line knows of DirectAdmin.
func Adapter() panel.Adapter {
	return panel.Adapter{
		Name:   "directadmin",
		Detect: func(s *panel.Server) bool { return Detect(s.Root) },
		Open: func(_ context.Context, s *panel.Server) (panel.Panel, error) {
			p, err := Open(s.Root, s.Passwd)
			if err != nil {
				return nil, err
			}
			return p, nil
		},
	}
}

// Detect reports whether the server below root has DirectAdmin, or is a copy of
// one that had.
func Detect(root *host.Root) bool { return root.Exists(productFolder) || root.Exists(ownersFile) }

// Open reads DirectAdmin's files. What cannot be read of them is a gap; an error
// means that there is no DirectAdmin (fs.ErrNotExist).
func Open(root *host.Root, passwd *host.Passwd) (*Panel, error) {
	if !Detect(root) {
		return nil, fmt.Errorf("open directadmin: %s: %w", productFolder, fs.ErrNotExist)
	}
	p := &Panel{root: root, passwd: passwd, users: panel.Users{}}
	var err error
	if p.places, err = panel.NewPlaces(root, &p.gaps); err != nil {
		return nil, fmt.Errorf("open directadmin: %w", err)
	}
	p.readUsers()
	p.sites = sync.OnceValue(p.listSites)
	p.Web = panel.NewWeb(root, p, p.places.Folder, &p.gaps)
	return p, nil
}

// Name returns "directadmin".
func (p *Panel) Name() string { return "directadmin" }

// Version returns "": DirectAdmin keeps it in its program.
func (p *Panel) Version() string { return "" }

// Owner implements panel.Panel.
func (p *Panel) Owner(uid int) spoor.Owner { return p.users.Owner(p.passwd, uid) }

// Sites implements panel.Panel. The caller must not change the list.
func (p *Panel) Sites() []panel.Site { return p.sites() }

// Gaps implements panel.Panel.
func (p *Panel) Gaps() []spoor.Gap { return p.gaps.List() }

// Close does nothing.
func (p *Panel) Close() error { return nil }
