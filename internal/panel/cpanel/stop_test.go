package cpanel

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"spoor"
)

// whm is a neighbour in place of cPanel's proprietary whmapi1: it lists functions.
type whm struct{ list string }

func (w whm) Run(_ context.Context, _ []byte, name string, args ...string) ([]byte, error) {
	if name == whmapi && slices.Equal(args, []string{"applist"}) && w.list != "" {
		return []byte(w.list), nil
	}
	return nil, errors.New("no such program")
}

func TestHowCPanelStopsASource(t *testing.T) {
	files := server()
	files["usr/local/cpanel/Cpanel/API/Email.pm"] = "package Cpanel::API::Email;\nsub suspend_outgoing {\n}\nsub unsuspend_outgoing {\n}\n"
	p := open(t, files)
	domain, uid, login := "", 0, ""
	for _, site := range p.Sites() {
		if site.UID > 0 {
			domain, uid, login = site.Domain, site.UID, p.Owner(site.UID).Login
			break
		}
	}
	account := &spoor.Culprit{Source: spoor.Source{Kind: spoor.KindAccount, Name: "info@" + domain}, Live: true}
	m := p.Stop(t.Context(), whm{}, account)
	if len(m.Steps) != 1 || strings.Join(m.Steps[0].Command.Do, " ") != "/usr/local/cpanel/bin/uapi --user="+login+" Email suspend_outgoing email=info@"+domain {
		t.Errorf("an account: %+v", m)
	}
	site := &spoor.Culprit{Source: spoor.Source{Kind: spoor.KindSite, Name: domain}, UID: uid, Login: login, Live: true}
	m = p.Stop(t.Context(), whm{"suspend_outgoing_email\nunsuspend_outgoing_email\n"}, site)
	if len(m.Steps) != 1 || strings.Join(m.Steps[0].Command.Undo, " ") != "/usr/local/cpanel/bin/whmapi1 unsuspend_outgoing_email user="+login {
		t.Errorf("a site: %+v", m)
	}
	for _, list := range []string{"", "unsuspend_outgoing_email\n", "suspend_outgoing_email\n"} {
		if m := p.Stop(t.Context(), whm{list}, site); len(m.Steps) > 0 || len(m.ByHand) != 1 {
			t.Errorf("functions %q: %+v", list, m)
		}
	}
	account.Source.Name = "info@" + domain + " --x"
	if m := p.Stop(t.Context(), whm{}, account); len(m.Steps) > 0 {
		t.Errorf("a name with signs: %+v", m)
	}
}
