package exim

import (
	"strings"
	"testing"
)

func TestHowAForwardOfAPanelIsStopped(t *testing.T) {
	files := map[string]string{
		"etc/exim4/exim4.conf":             "begin acl\n",
		"etc/valiases/shop.test":           "info@shop.test: boss@far.test,\n  other@far.test\nsales@shop.test: ada\n*: all@far.test\n",
		"etc/virtual/site.test/aliases":    "info: boss@far.test\n*: :fail: No Such User Here\n",
		"etc/virtual/passwd":               "info: x\n",
		"etc/virtual/refuses.test/aliases": "*: \":fail: in words of its own\"\n",
		"etc/valiases/old.test":            "*: :fail: No Such User Here\n",
		"etc/vdomainaliases/old.test":      "old.test: elsewhere.test\n",
	}
	f := func(source, want string) {
		t.Helper()
		words, m := proposed(t, files, source)
		if got := strings.Join(words, " | "); got != want || want == "" && len(m.Refused) == 0 {
			t.Errorf("%s: got  %s (%v)\nwant %s", source, got, m.Refused, want)
		}
	}
	f("forward:info@shop.test", "/etc/valiases/shop.test: info@shop.test: boss@far.test,\n  other@far.test -> ")
	f("forward:@shop.test", "/etc/valiases/shop.test: *: all@far.test -> *: :fail: No Such User Here")
	f("forward:Info@Site.test", "/etc/virtual/site.test/aliases: info: boss@far.test -> ")
	f("forward:@site.test", "")
	f("forward:@old.test", "/etc/vdomainaliases/old.test: old.test: elsewhere.test -> ")
	f("forward:any@old.test", "")
	f("forward:@refuses.test", "")
	f("forward:nobody@shop.test", "")
	f("forward:info@../virtual", "")
	f("forward:info", "")
}
