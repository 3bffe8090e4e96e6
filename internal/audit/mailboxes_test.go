package audit

import (
	"net/netip"
	"strings"
	"testing"

	"spoor"
)

func TestForwardsThatLeaveTheServer(t *testing.T) {
	f := facts()
	f.Policy.Forwards = []spoor.Forward{
		{Address: "info@here.example", Target: "boss@far.example"},
		{Address: "info@here.example", Target: "boss@far.example"}, // told by two files
		{Address: "sales@here.example", Target: "info@here.example"},
		{Address: "root", Target: "admin@far.example"},
		{Address: "odd@here.example", Target: "no address"},
	}
	list := Findings(f)
	if got, want := inWords(list), "low outside-forward aliases of this server, low outside-forward here.example"; got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if want := "1 address is forwarded to other servers, with the spam that they get: info@here.example to boss@far.example"; list[1].Text != want {
		t.Errorf("got  %s\nwant %s", list[1].Text, want)
	}
	f.BadForwards = map[string]bool{"info@here.example": true}
	if list = Findings(f); list[0].Severity != "medium" || !strings.Contains(list[0].Text, "spam was seen") {
		t.Errorf("%+v", list[0])
	}
}

func TestManyForwardsAreOneFinding(t *testing.T) {
	f := facts()
	for _, name := range strings.Split("abcdefghijklmn", "") {
		f.Policy.Forwards = append(f.Policy.Forwards, spoor.Forward{Address: name + "@here.example", Target: "x@far.example", Place: spoor.Evidence{Line: int(name[0])}})
	}
	list := Findings(f)
	if len(list) != 1 || !strings.HasSuffix(list[0].Text, "e@here.example to x@far.example and 9 more") || len(list[0].Evidence) != proven {
		t.Errorf("%+v", list)
	}
}

func TestAutomaticAnswers(t *testing.T) {
	f := facts()
	f.Policy.Answers = []spoor.Responder{{Address: "a@here.example"}, {Address: "b@here.example"}}
	list := Findings(f)
	if got, want := inWords(list), "low autoresponder here.example"; got != want || !strings.HasPrefix(list[0].Text, "2 addresses are answered automatically") {
		t.Errorf("got  %s (%s)\nwant %s", got, list[0].Text, want)
	}
}

func TestAccountsThatAreUsedFromManyNetworks(t *testing.T) {
	f := facts()
	f.Accounts = []AccountUse{
		{Account: "home@here.example", Networks: 4},
		{Account: "road@here.example", Networks: 5},
		{Account: "stolen@here.example", Networks: 10},
		{Account: "spammer@here.example", Networks: 6, Class: spoor.Spam},
	}
	want := "high many-networks spammer@here.example, medium many-networks stolen@here.example, low many-networks road@here.example"
	if got := inWords(Findings(f)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatProbesFound(t *testing.T) {
	f := facts()
	f.RelayTests = []spoor.RelayTest{
		{Server: "127.0.0.1:25", Client: "127.0.0.1", Loopback: true, Accepted: true, Lines: []string{"> RCPT TO:<x>", "< 250 ok"}},
		{Server: "192.0.2.1:25", Client: "192.0.2.1", Accepted: true, Recipient: "x@example.org"},
		{Server: "192.0.2.2:25", Client: "192.0.2.2"},
	}
	f.Listings = []spoor.Listing{{Address: netip.MustParseAddr("192.0.2.1"), Zone: "bl.test", Codes: []string{"127.0.0.2"}, Reason: "spam"}}
	list := Findings(f)
	want := "high blocklist 192.0.2.1, high open-relay 192.0.2.1:25, low open-relay 127.0.0.1:25"
	if got := inWords(list); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if text := list[2].Evidence[0].Text; text != "> RCPT TO:<x> | < 250 ok" {
		t.Errorf("the session is quoted as %q", text)
	}
}
