package qmail

import (
	"slices"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

func TestHowQmailStopsAUser(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{
		"var/qmail/bin/qmail-queue": "", "var/qmail/bin/qmail-inject": "", "var/qmail/bin/sendmail": "", "usr/sbin/sendmail": "-> /var/qmail/bin/sendmail",
	})
	q := LogOnly(root, &host.Passwd{}, Options{})
	m := q.Stop(&spoor.Culprit{Source: spoor.Source{Kind: spoor.KindSite, Name: "shop.test"}, UID: 10003, Login: "web1", Live: true})
	var words []string
	for i := range m.Steps {
		words = append(words, m.Steps[i].Kind.String()+" "+m.Steps[i].Subject())
	}
	want := []string{"acl /var/qmail/bin/qmail-queue", "acl /var/qmail/bin/qmail-inject", "acl /var/qmail/bin/sendmail", "firewall uid 10003"}
	if !slices.Equal(words, want) {
		t.Errorf("%q, want %q", words, want)
	}
	for _, kind := range spoor.Kinds() {
		m := q.Stop(&spoor.Culprit{Source: spoor.Source{Kind: kind, Name: "info@shop.test"}, UID: -1, Live: true})
		if len(m.Steps) > 0 {
			t.Errorf("%s: %+v", kind, m.Steps)
		}
	}
}
