package qmailgen

import "strconv"

const (
	siteCount    = 200
	firstSiteUID = 10001
	psaclnGID    = 2523 // the group that Plesk gives all its sites
	vhostsFolder = "/var/www/vhosts/"
)

// site is one subscription of the panel, with a system user of its own.
type site struct {
	domain string
	login  string
	uid    int
}

// siteNumber returns site n, from 1: site3.example has UID 10003.
func siteNumber(n int) site {
	login := "site" + strconv.Itoa(n)
	return site{domain: login + ".example", login: login, uid: firstSiteUID + n - 1}
}

func (s site) home() string { return vhostsFolder + s.domain }

// script is the full path of a file of the site.
func (s site) script(name string) string { return s.home() + "/httpdocs/" + name }

func (s site) caller() caller { return caller{uid: s.uid, gid: psaclnGID} }

func (s site) label() string { return "site:" + s.domain }

// alias is the local delivery name of a mailbox, as virtualdomains rewrites it.
func (s site) alias(box string) string { return "alias-" + s.login + "-" + box + "@" + s.domain }
