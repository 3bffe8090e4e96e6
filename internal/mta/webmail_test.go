package mta

import (
	"strings"
	"testing"

	"spoor"
)

func TestWhatRoundcubeHandsOver(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		var e spoor.Event
		sort := ParseFilter(&spoor.Line{Body: []byte(body)}, []byte("roundcube"), &e)
		got := sort.String()
		if sort == spoor.LineEvent {
			got = strings.Join([]string{e.Kind.String(), string(e.ID), string(e.Account), string(e.Client), string(e.Text)}, " ")
			if e.Key != spoor.IDHash(e.ID) {
				t.Errorf("%s: the key is not the ID's", body)
			}
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	f("<p9c19hm4> User anna@shop.example [203.0.113.7]; Message <9e9e@shop.example> for m@far.example; 250: 2.0.0 Ok: queued as 4jbQX43zrrzmhD4", "webmail 4jbQX43zrrzmhD4 anna@shop.example 203.0.113.7 <9e9e@shop.example>")
	f("<gm20vaq7> User anna [2001:db8::7]; Message <6c02@shop.example> for m2@far.example, m3@far.example; 250: OK id=1xNPm4-000000001Qa-3Zbl", "webmail 1xNPm4-000000001Qa-3Zbl anna 2001:db8::7 <6c02@shop.example>")
	f("User anna [203.0.113.7]; Message for m@far.example; 250: 2.0.0 Ok: queued as 78FF798CAD2", "webmail 78FF798CAD2 anna 203.0.113.7 ") // Roundcube before 1.4
	// What a user writes is neither the answer nor the login.
	f(`User anna [203.0.113.7]; Message <1@x> for "; 250: queued as 78FF798CAD2 "@far.example; 550: 5.7.1 no`, "known")
	f("User anna [203.0.113.7]; Message <1@x> for a]; Message <2@y> for b; 250: 2.0.0 Ok: queued as 4A0B1C2D3E", "webmail 4A0B1C2D3E anna 203.0.113.7 <1@x>")
	f("User a [b] c [203.0.113.7]; Message <1@x> for b; 250: 2.0.0 Ok: queued as 4A0B1C2D3E", "webmail 4A0B1C2D3E a [b] c 203.0.113.7 <1@x>")
	f("User anna [203.0.113.7]; Message <1@x> for m@far.example; ", "known")
	f("User anna [203.0.113.7]; Message <1@x> for m@far.example; 250: 2.0.0 Ok: queued as ../../etc/passwd", "known")
	f("<p9c19hm4> Successful login for anna@shop.example (ID: 1) from 203.0.113.7 in session p9c19hm4vq2a", "foreign")
	f("<p9c19hm4> IMAP Error: Login failed for anna@shop.example against localhost from 203.0.113.7", "foreign")
	f("<", "foreign")
	f("", "foreign")
	f("User  [203.0.113.7]; Message", "foreign")
}
