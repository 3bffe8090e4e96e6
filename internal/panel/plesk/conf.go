package plesk

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"strings"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/panel"
)

const (
	confFile  = "/etc/psa/psa.conf"
	confLimit = 1 << 20 // bytes
)

// Conf is what psa.conf says of where Plesk keeps its things: paths below the
// root, with a leading slash.
type Conf struct {
	Product   string // PRODUCT_ROOT_D
	VHosts    string // HTTPD_VHOSTS_D
	Qmail     string // QMAIL_ROOT_D
	MailNames string // PLESK_MAILNAMES_D, of old QMAIL_MAILNAMES_D
}

// readConf reads psa.conf. What it does not say is where the vendor's packages
// put it.
func readConf(root *host.Root, gaps *spoor.Gaps) Conf {
	data, err := root.ReadFile(confFile, confLimit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		gaps.Add(confFile, "configuration cannot be read: the usual folders are assumed")
		data = nil
	}
	conf := ParseConf(data, gaps)
	if conf.Product == "" {
		conf.Product = firstExisting(root, "/usr/local/psa", "/opt/psa")
	}
	if conf.VHosts == "" {
		conf.VHosts = firstExisting(root, "/var/www/vhosts", "/srv/www/vhosts") // SUSE has the second
	}
	if conf.Qmail == "" {
		conf.Qmail = "/var/qmail"
	}
	if conf.MailNames == "" {
		conf.MailNames = conf.Qmail + "/mailnames"
	}
	return conf
}

// ParseConf reads the text of psa.conf: lines such as
//
//	HTTPD_VHOSTS_D /var/www/vhosts
//
// Of a key that is there twice the last one counts. Paths that are missing or
// that can be no folder stay "".
func ParseConf(data []byte, gaps *spoor.Gaps) Conf {
	values := map[string]string{}
	for line := range bytes.Lines(data) {
		fields := bytes.Fields(line)
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		if !isKey(fields[0]) {
			gaps.Add(confFile, "line is not KEY VALUE")
			continue
		}
		if len(fields) == 2 && isFolder(fields[1]) {
			values[string(fields[0])] = path.Clean(string(fields[1]))
		}
	}
	conf := Conf{
		Product: values["PRODUCT_ROOT_D"], VHosts: values["HTTPD_VHOSTS_D"],
		Qmail: values["QMAIL_ROOT_D"], MailNames: values["PLESK_MAILNAMES_D"],
	}
	if conf.MailNames == "" {
		conf.MailNames = values["QMAIL_MAILNAMES_D"]
	}
	return conf
}

// isFolder accepts absolute paths but the root itself.
func isFolder(value []byte) bool {
	return value[0] == '/' && bytes.IndexByte(value, 0) < 0 && path.Clean(string(value)) != "/"
}

func isKey(word []byte) bool {
	for _, c := range word {
		if c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// firstExisting returns the first path that is there, or the first of all.
func firstExisting(root *host.Root, paths ...string) string {
	for _, name := range paths {
		if root.Exists(name) {
			return name
		}
	}
	return paths[0]
}

// siteOfHome is the main domain of the subscription that a home folder is in,
// or "". Homes look like /var/www/vhosts/shop.example[/web_users/anna].
func (p *Panel) siteOfHome(home string) string {
	home = path.Clean(host.Abs(home))
	rest, ok := strings.CutPrefix(home, p.conf.VHosts+"/")
	if !ok && p.hasVHosts() {
		rest, ok = strings.CutPrefix(home, p.vhosts.Name()+"/")
	}
	if !ok {
		return ""
	}
	site, _, _ := strings.Cut(rest, "/")
	if !isSiteFolder(site) {
		return ""
	}
	return site
}

// hasVHosts reports whether the folder of the sites was found.
func (p *Panel) hasVHosts() bool { return p.vhosts != panel.Folder{} }

// isSiteFolder tells the folders of subscriptions from Plesk's own.
func isSiteFolder(name string) bool {
	switch name {
	case "", "system", "chroot", "default", "fs", ".skel":
		return false
	}
	return name[0] != '.'
}
