// Package cpanel knows the control panel cPanel: the owners of UIDs, the sites
// and their logs come from the files that it keeps below /etc and /var/cpanel. It
// changes nothing.
package cpanel

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/panel"
)

const (
	productFolder = "/usr/local/cpanel"
	domainsFile   = "/etc/userdomains"
	mainsFile     = "/etc/trueuserdomains"
	dataFile      = "/etc/userdatadomains"
	dataFolder    = "/var/cpanel"
	smallFile     = 1 << 20 // bytes that are read of a file about one user or site
)

// Panel implements panel.Panel for cPanel.
type Panel struct {
	root    *host.Root
	passwd  *host.Passwd
	version string
	gaps    spoor.Gaps
	places  panel.Places

	users panel.Users
	data  map[string]siteData // by domain
	sites func() []panel.Site
	*panel.Web
}

var (
	_ panel.Panel   = (*Panel)(nil)
	_ panel.Scripts = (*Panel)(nil)
)

// Adapter is what the command line knows of cPanel.
func Adapter() panel.Adapter {
	return panel.Adapter{
		Name:   "cpanel",
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

// Detect reports whether the server below root has cPanel, or is a copy of one
// that had.
func Detect(root *host.Root) bool {
	return root.Exists(productFolder) || root.Exists(domainsFile) && (root.Exists(dataFolder) || root.Exists(mainsFile))
}

// Open reads cPanel's files. What cannot be read of them is a gap; an error means
// that there is no cPanel (fs.ErrNotExist).
func Open(root *host.Root, passwd *host.Passwd) (*Panel, error) {
	if !Detect(root) {
		return nil, fmt.Errorf("open cpanel: %s: %w", productFolder, fs.ErrNotExist)
	}
	p := &Panel{root: root, passwd: passwd, users: panel.Users{}, data: map[string]siteData{}}
	var err error
	if p.places, err = panel.NewPlaces(root, &p.gaps); err != nil {
		return nil, fmt.Errorf("open cpanel: %w", err)
	}
	p.version = readVersion(root)
	p.readUsers()
	p.readSiteData()
	p.sites = sync.OnceValue(p.listSites)
	p.Web = panel.NewWeb(root, p, p.places.Folder, &p.gaps)
	return p, nil
}

// Name returns "cpanel".
func (p *Panel) Name() string { return "cpanel" }

// Version is what cPanel's version file says, for example "11.110.0.17".
func (p *Panel) Version() string { return p.version }

// Owner implements panel.Panel. On cPanel, Apache runs as nobody, whatever else
// passwd has.
func (p *Panel) Owner(uid int) spoor.Owner {
	owner := p.users.Owner(p.passwd, uid)
	if owner.Login == "nobody" {
		owner.Role = spoor.RoleWebServer
	}
	return owner
}

// Sites implements panel.Panel. The caller must not change the list.
func (p *Panel) Sites() []panel.Site { return p.sites() }

// Gaps implements panel.Panel.
func (p *Panel) Gaps() []spoor.Gap { return p.gaps.List() }

// Close does nothing.
func (p *Panel) Close() error { return nil }

func readVersion(root *host.Root) string {
	data, err := root.ReadFile(productFolder+"/version", smallFile)
	fields := strings.Fields(string(data))
	if err != nil || len(fields) == 0 {
		return ""
	}
	return fields[0]
}
