package exim

import (
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

func TestAPanelsCatchAllIsOneForward(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{
		"etc/exim.conf":                     "begin routers\nvaliases:\n  driver = redirect\n  data = ${lookup{$local_part@$domain}lsearch*@{/etc/valiases/$domain_data}}\n",
		"etc/valiases/shop.test":            "info@shop.test: boss@far.test\n*: all@far.test\n",
		"etc/valiases/refuses.test":         "*: :fail: No Such User Here\n",
		"etc/virtual/site.test/aliases":     "info: boss@far.test\n*: all@far.test\n",
		"etc/virtual/discards.test/aliases": "*: :blackhole:\n",
		"etc/virtual/passwd":                "*: x\n",
		"etc/vdomainaliases/old.test":       "old.test: elsewhere.test\n",
		"etc/valiases/old.test":             "kept@old.test: boss@far.test\n*: :fail: nobody\n",
		"etc/vdomainaliases/second.test":    "second.test: Shop.test\n",
		"etc/vdomainaliases/loop.test":      "loop.test: loop.test\n",
		"etc/vdomainaliases/other.test":     "else.test: ../passwd\n",
	})
	conf := ReadConfig(root, &host.Passwd{}, &spoor.Gaps{})
	f := func(address, want string) {
		t.Helper()
		if got := conf.nameOf(address); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
	f("any@shop.test", "@shop.test")
	f("Any@Shop.test", "@shop.test")
	f("info@shop.test", "info@shop.test")
	f("any@site.test", "@site.test")
	f("info@site.test", "info@site.test")
	f("any@refuses.test", "any@refuses.test")
	f("any@discards.test", "any@discards.test")
	f("any@elsewhere.test", "any@elsewhere.test")
	f("any@../virtual/passwd", "any@../virtual/passwd")
	f("any", "any")
	f("any@old.test", "@old.test")
	f("kept@old.test", "kept@old.test")
	f("info@second.test", "info@shop.test")
	f("any@second.test", "@shop.test")
	f("any@loop.test", "@loop.test")
	f("any@other.test", "any@other.test")
}
