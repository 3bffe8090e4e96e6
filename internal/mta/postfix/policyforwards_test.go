package postfix

import (
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

func TestForwardsAndAnswersOfPostfix(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{
		"etc/postfix/main.cf": "myhostname = mx.here.example\nvirtual_alias_maps = hash:/etc/postfix/virtual\nalias_maps = hash:/etc/aliases\n",
		"etc/postfix/virtual": "info@here.example boss@far.example, sales@here.example\n@here.example all@far.example\n",
		"etc/aliases":         "root: admin@far.example\nlist: |/usr/bin/list\nout: ada, \"|/usr/bin/vacation ada\"\nfile: /var/mail/x\n",
	})
	var policy spoor.MailPolicy
	a := &auditor{main: ReadMainCF(root, configFolder, &spoor.Gaps{}), policy: &policy, seen: map[string]bool{}}
	a.forwards()
	var words []string
	for _, f := range policy.Forwards {
		words = append(words, f.Address+" to "+f.Target)
	}
	for _, r := range policy.Answers {
		words = append(words, r.Address+" answers")
	}
	want := "info@here.example to boss@far.example, info@here.example to sales@here.example, root to admin@far.example, out answers"
	if got := strings.Join(words, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
