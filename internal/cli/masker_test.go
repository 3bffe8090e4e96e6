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
