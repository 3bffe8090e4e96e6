package exim

import (
	"net/netip"
	"testing"

	"spoor"
)

func TestANetworkIsCutOutOfAListOfHosts(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		got, ok := cutHost(line, netip.MustParsePrefix("192.0.2.0/24"))
		if !ok {
			got = "left alone"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
	f("hostlist relay = 127.0.0.1 : 192.0.2.0/24", "hostlist relay = 127.0.0.1")
	f("hostlist relay = 192.0.2.0/24 : 127.0.0.1", "hostlist relay = 127.0.0.1")
	f("hostlist relay = 10.0.0.0/8 : 192.0.2.0/24 : 127.0.0.1", "hostlist relay = 10.0.0.0/8 : 127.0.0.1")
	f("hostlist relay = <; 192.0.2.0/24 ; ::1", "left alone")
	f("hostlist relay = 192.0.3.0/24", "left alone")
}

func TestADomainIsNoLongerTheNameOfOneElsewhere(t *testing.T) {
	const file = "/etc/vdomainaliases/old.test"
	q := spoolWith(t, map[string]string{file[1:]: "# by hand\nold.test: elsewhere.test\n"})
	m := q.Mend(&spoor.Mending{
		Finding: spoor.Finding{Check: "nonexistent-user", Subject: "old.test"},
		Domain:  &spoor.DomainPolicy{Domain: "old.test", Place: spoor.Evidence{What: "aliases", File: file, Line: 2}},
	})
	if len(m.Steps) != 1 || len(m.Breaks) != 1 || m.Steps[0].Edit.Path != file || m.Steps[0].Edit.Changes[0].Old != "old.test: elsewhere.test" || m.Steps[0].Edit.Changes[0].New != "" {
		t.Errorf("%+v", m)
	}
}
