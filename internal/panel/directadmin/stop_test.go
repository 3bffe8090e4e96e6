package directadmin

import (
	"testing"
	"time"

	"spoor"
)

func TestHowDirectAdminStopsASource(t *testing.T) {
	files := server()
	files["etc/exim.pl"] = "open(F, '/etc/virtual/blacklist_smtp_usernames'); open(G, '/etc/virtual/blacklist_script_usernames');\n"
	p := open(t, files)
	now := time.Unix(1800000000, 0)
	for _, c := range []struct {
		culprit spoor.Culprit
		path    string
		line    string
	}{
		{spoor.Culprit{Source: spoor.Source{Kind: spoor.KindAccount, Name: "info@shop.example"}, Now: now}, smtpBlacklist, "info@shop.example:1800000000"},
		{spoor.Culprit{Source: spoor.Source{Kind: spoor.KindSite, Name: "shop.example"}, Login: "anna", UID: 1001, Now: now}, scriptBlacklist, "anna:1800000000"},
	} {
		m := p.Stop(t.Context(), nil, &c.culprit)
		if len(m.Steps) != 1 || m.Steps[0].Edit == nil || m.Steps[0].Edit.Path != c.path || m.Steps[0].Edit.Changes[0].New != c.line {
			t.Errorf("%s: %+v", c.culprit.Source, m)
		}
	}
	bad := spoor.Culprit{Source: spoor.Source{Kind: spoor.KindAccount, Name: "a b:c"}}
	if m := p.Stop(t.Context(), nil, &bad); len(m.Steps) > 0 || len(m.Refused) == 0 {
		t.Errorf("a name with signs: %+v", m)
	}
}

func TestAListThatNobodyLooksIntoIsNotWritten(t *testing.T) {
	p := open(t, server())
	m := p.Stop(t.Context(), nil, &spoor.Culprit{Source: spoor.Source{Kind: spoor.KindAccount, Name: "info@shop.example"}})
	if len(m.Steps) > 0 || len(m.ByHand) != 1 {
		t.Errorf("%+v", m)
	}
}
