package spoor

import "fmt"

// Role says what a system user is on a hosting server.
type Role uint8

// The roles that matter to attribution.
const (
	RoleNobody     Role = iota // the UID is in no passwd
	RoleSite                   // owns a subscription
	RoleUser                   // a person or a program, no site
	RoleWebServer              // runs the web server: its mail comes from a script of some site
	RoleMailSystem             // runs a part of the mail system
	RoleRoot
)

var roleNames = [...]string{"nobody", "site", "user", "web server", "mail system", "root"}

// String returns the role in words.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// Owner is the answer to "whose UID is this?".
type Owner struct {
	UID   int
	GID   int    // primary group; -1 where the UID is in no passwd
	Login string // "" where the UID is in no passwd
	Role  Role

	Site  string   // RoleSite: the main domain of the subscription
	Sites []string // every domain whose scripts run under this UID, Site included, where known; not for RoleWebServer

	Exact bool       // the panel's own records name Site; false: inferred from the home folder
	Proof []Evidence // the passwd line, the database rows
}
