// Package plesk knows the control panel Plesk, versions 8 to 18: the owners of
// UIDs and the sites come from its database psa, or from passwd and the layout
// of its folders where that cannot be reached; access logs and PHP mail logs
// come from the sites' folders. It changes nothing.
package plesk

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/panel"
)

// Panel implements panel.Panel for Plesk.
type Panel struct {
	root    *host.Root
	passwd  *host.Passwd
	conf    Conf
	version string
	vhosts  panel.Folder
	gaps    spoor.Gaps

	accounts map[int][]host.Account
	records  *records // what psa said; empty where it was not reached
	heard    hearing  // what it was asked, and answered
	sites    func() []panel.Site
	*panel.Web
}

var (
	_ panel.Panel   = (*Panel)(nil)
	_ panel.Scripts = (*Panel)(nil)
)

// Detect reports whether the server below root has Plesk.
func Detect(root *host.Root) bool { return root.Exists(confFile) }

// Open reads the configuration and, where it can be reached, the database psa
// below root. It keeps no connection. A database that cannot be reached is a
// gap; an error means that ctx ended or that there is no Plesk (fs.ErrNotExist).
func Open(ctx context.Context, root *host.Root, passwd *host.Passwd) (*Panel, error) {
	if _, err := root.Stat(confFile); err != nil {
		return nil, fmt.Errorf("open plesk: %w", err)
	}
	p := &Panel{root: root, passwd: passwd, accounts: accountsByUID(passwd), records: &records{}}
	p.conf = readConf(root, &p.gaps)
	p.version = readVersion(root, p.conf.Product)
	vhosts, err := panel.OpenFolder(root, p.conf.VHosts)
	if err != nil {
		p.gaps.Add(p.conf.VHosts, "folder of the sites cannot be read: their files and logs are not known")
	}
	p.vhosts = vhosts
	p.Web = panel.NewWeb(root, p, vhosts, &p.gaps)
	if err := p.readDatabase(ctx); err != nil {
		return nil, err
	}
	p.sites = sync.OnceValue(p.listSites)
	return p, nil
}

// Name returns "plesk".
func (p *Panel) Name() string { return "plesk" }

// Version is the first field of Plesk's version file, for example "18.0.64".
func (p *Panel) Version() string { return p.version }

// Conf returns where Plesk keeps its things.
func (p *Panel) Conf() Conf { return p.conf }

// Sites implements panel.Panel. The caller must not change the list.
func (p *Panel) Sites() []panel.Site { return p.sites() }

// Gaps implements panel.Panel.
func (p *Panel) Gaps() []spoor.Gap { return p.gaps.List() }

// Close does nothing: no connection outlives Open.
func (p *Panel) Close() error { return nil }

// versionLimit is far above the length of a version file, in bytes.
const versionLimit = 64 << 10

// readVersion reads a file such as
//
//	12.0.18 CentOS 6 1200140606.15
func readVersion(root *host.Root, product string) string {
	data, err := root.ReadFile(product+"/version", versionLimit)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}
