package postfix

import (
	"maps"
	"slices"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

func TestTheUsersOfContentFilters(t *testing.T) {
	f := func(name, main, master string, want ...int) {
		t.Helper()
		root := hosttest.Tree(t, map[string]string{
			"etc/passwd":            "root:x:0:0::/:/bin/sh\nspamc:x:200:200::/:/bin/sh\nlist:x:201:201::/:/bin/sh\n",
			"etc/postfix/main.cf":   main,
			"etc/postfix/master.cf": master,
		})
		passwd, err := root.Passwd(&spoor.Gaps{})
		if err != nil {
			t.Fatal(err)
		}
		conf, _ := ReadConfig(root, passwd, &spoor.Gaps{})
		if got := slices.Sorted(maps.Keys(conf.Filters)); !slices.Equal(got, want) {
			t.Errorf("%s: UIDs %v, want %v", name, got, want)
		}
	}
	const smtp = "smtp inet n - y - - smtpd\n"
	const filter = "filter unix - n - - - pipe\n  flags=Rq user=spamc:mail null_sender= argv=/usr/local/bin/filter -f ${sender} -- user=list\n"
	const lists = "lists unix - n - - - pipe flags=R user=list argv=/usr/bin/lists\n"
	f("of one service", "", smtp+"  -o content_filter=filter:dummy\n"+filter+lists, 200)
	f("of all", "content_filter = filter:\n", smtp+filter+lists, 200)
	f("by the name of the service alone", "name = filter\ncontent_filter = $name\n", filter+smtp+lists, 200)
	f("none", "", smtp+filter+lists)
	f("by SMTP", "content_filter = smtp:[127.0.0.1]:10024\n", smtp+filter)
	f("a login that passwd does not have", "content_filter = filter\n", "filter unix - n - - - pipe user=gone argv=/x\n")
	f("no login", "content_filter = filter\n", "filter unix - n - - - pipe argv=/x user=spamc\n")
	f("two", "content_filter = lists\n", smtp+" -o content_filter=filter\n"+filter+lists, 200, 201)
}

func TestTheAddressesOfCopiesAreThoseOfMainCF(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{
		"etc/postfix/main.cf":     "always_bcc = archive@far.test\nrecipient_bcc_maps = hash:/etc/postfix/rbcc\nsender_bcc_maps = ldap:x\nmulti_instance_directories = /etc/postfix-out\n",
		"etc/postfix/rbcc":        "anna@here.test boss@else.test\nbob@here.test jane\n",
		"etc/postfix-out/main.cf": "queue_directory = /var/spool/postfix-out\nalways_bcc = out@far.test\n",
	})
	var gaps spoor.Gaps
	conf, _ := ReadConfig(root, &host.Passwd{}, &gaps)
	if want := []string{"archive@far.test", "boss@else.test", "out@far.test"}; !slices.Equal(conf.Copies, want) {
		t.Errorf("%v, want %v", conf.Copies, want)
	}
}
