// Package panel is the contract of the control-panel adapters: what a panel
// knows of sites and system users enters through it, on its way to trace.
package panel

import (
	"spoor"
)

// Panel answers questions about the sites and users of one server. It only
// reads. Its methods may be called by several goroutines at once.
type Panel interface {
	// Name is the panel's word on the command line, for example "plesk".
	Name() string
	// Version is the panel's version, or "" where it is not known.
	Version() string
	// Owner tells whose UID it is. It always answers: a UID that is in no
	// passwd has RoleNobody.
	Owner(uid int) spoor.Owner
	// Sites lists the sites, with the places of their files and logs. The order
	// is by domain.
	Sites() []Site
	// Gaps lists what could not be read or understood so far.
	Gaps() []spoor.Gap
	// Close releases connections and files.
	Close() error
}

// Site is one web site.
type Site struct {
	Domain        string
	Subscription  string   // main domain of the subscription that it belongs to
	UID           int      // that its scripts run under, unless the web server runs them; -1 if unknown
	Home          string   // folder that its files lie in, below the root; customers' links lead nowhere else; "" if it has none
	DocumentRoots []string // below the root, with a leading slash
	AccessLogs    []string // below the root, with a leading slash; only those that exist
}
