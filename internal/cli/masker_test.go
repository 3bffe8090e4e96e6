package cli

import (
	"strings"
	"testing"

	"spoor"
)

// An address of the source may hold one of somebody else.
func TestAddressesWithinAddressesAreMasked(t *testing.T) {
	mask := masker(spoor.Source{Kind: spoor.KindSite, Name: "shop.test"}, &spoor.Traffic{})
	got := mask("from=<info@shop.test> bounce+ada=victim.test@shop.test SRS0=x=y=victim.test=ada@shop.test ada%victim.test@shop.test")
	if strings.Contains(got, "ada") || strings.Contains(got, "victim") || !strings.Contains(got, "<info@shop.test>") {
		t.Errorf("%q", got)
	}
}

// A name beside an address is masked with it; the source's own stays, and so does what
// is about no person.
func TestNamesBesideAddressesAreMasked(t *testing.T) {
	mask := masker(spoor.Source{Kind: spoor.KindAccount, Name: "info@shop.test"}, &spoor.Traffic{})
	const header = "Received: from [192.0.2.1] (HELO Ada) (info@shop.test)\r\nFrom: \"Shop Support\" <INFO@shop.test>\r\n" +
		"To: =?utf-8?B?QWRhIExvdmVsYWNl?= <ada@victim.test>,\r\n\t\"Hopper, Grace\" <grace@victim.test>\r\nSubject: win\r\n"
	const want = "Received: from [192.0.2.1] (HELO Ada) (info@shop.test)\r\nFrom: \"Shop Support\" <INFO@shop.test>\r\n" +
		"To: A*** <a***@victim.test>,\r\n\tH*** <g***@victim.test>\r\nSubject: win\r\n"
	if got := mask(header); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
