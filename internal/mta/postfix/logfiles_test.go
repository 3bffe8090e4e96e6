package postfix

import (
	"slices"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

func TestLogFilesAreThoseOfAllInstances(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{
		"etc/passwd":              "root:x:0:0::/:/bin/sh\n",
		"etc/postfix/main.cf":     "log = /var/log\nmaillog_file = $log/postfix.log\nmulti_instance_directories = /etc/postfix-out, /etc/postfix-in\n",
		"etc/postfix-out/main.cf": "maillog_file = /var/log/out.log\n",
		"etc/postfix-in/main.cf":  "maillog_file = /var/log/postfix.log\n",
	})
	passwd, err := root.Passwd(&spoor.Gaps{})
	if err != nil {
		t.Fatal(err)
	}
	conf, _ := ReadConfig(root, passwd, &spoor.Gaps{})
	if got := LogOnly(root, conf).LogFiles(); !slices.Equal(got, []string{"/var/log/postfix.log", "/var/log/out.log"}) {
		t.Errorf("log files %q", got)
	}
}
