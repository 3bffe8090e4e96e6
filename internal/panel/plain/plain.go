// Package plain is a server without a control panel: it answers whose UID it is
// from passwd, and knows no sites.
package plain

import (
	"context"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/panel"
)

// Panel implements panel.Panel for a server that has none.
type Panel struct{ passwd *host.Passwd }

var _ panel.Panel = (*Panel)(nil)

// Open returns the panel of a server whose users are in passwd.
func Open(passwd *host.Passwd) *Panel { return &Panel{passwd: passwd} }

// Adapter is what the command line knows of servers without a panel. It is found
// on every server, so it comes last.
func Adapter() panel.Adapter {
	return panel.Adapter{
		Name:   "plain",
		Detect: func(*panel.Server) bool { return true },
		Open:   func(_ context.Context, s *panel.Server) (panel.Panel, error) { return Open(s.Passwd), nil },
	}
}

// Name returns "plain".
func (p *Panel) Name() string { return "plain" }

// Version returns "".
func (p *Panel) Version() string { return "" }

// Owner implements panel.Panel. It never answers RoleSite.
func (p *Panel) Owner(uid int) spoor.Owner { return panel.OwnerOf(p.passwd, uid) }

// Sites returns nil.
func (p *Panel) Sites() []panel.Site { return nil }

// Gaps returns nil: passwd's own gaps were counted by who read it.
func (p *Panel) Gaps() []spoor.Gap { return nil }

// Close does nothing.
func (p *Panel) Close() error { return nil }
