package panel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

func TestWhetherPHPNamesItsScripts(t *testing.T) {
	f := func(name string, files map[string]string, want ...string) {
		t.Helper()
		var policy spoor.MailPolicy
		PHPPolicy(hosttest.Tree(t, files), &policy)
		var got []string
		for _, w := range policy.Weak {
			got = append(got, fmt.Sprint(w.Kind, ": ", w.Subject, " ", w.Value, " ", w.Place.Place()))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	const off, on = "[mail function]\nmail.add_x_header = Off\n", "mail.add_x_header = On ; yes\n"
	f("no PHP", map[string]string{"etc/passwd": ""})
	f("nothing is set", map[string]string{"etc/php.ini": ";mail.add_x_header = On\n"}, "no script names: /etc/php.ini  /etc/php.ini")
	f("it is off", map[string]string{"etc/php.ini": off}, "no script names: /etc/php.ini  /etc/php.ini:2")
	f("it is on", map[string]string{"etc/php.ini": on})
	f("a later file sets it", map[string]string{"etc/php.ini": off, "etc/php.d/90-mail.ini": on})
	f("a later file unsets it", map[string]string{"etc/php.ini": on, "etc/php.d/90-mail.ini": "mail.add_x_header=0"},
		"no script names: /etc/php.ini  /etc/php.d/90-mail.ini:1")
	f("there is a log", map[string]string{"etc/php.ini": off + "mail.log = /var/log/phpmail\n"},
		"no script header: /etc/php.ini /var/log/phpmail /etc/php.ini:2")
	f("each way to run PHP", map[string]string{"etc/php/8.2/fpm/php.ini": off, "etc/php/8.2/apache2/php.ini": on, "etc/php/8.2/cli/php.ini": off, "etc/php/7.4/fpm/php.ini": on},
		"no script names: /etc/php/8.2/fpm/php.ini  /etc/php/8.2/fpm/php.ini:2")
	f("the command line alone", map[string]string{"etc/php/8.2/cli/php.ini": off}, "no script names: /etc/php/8.2/cli/php.ini  /etc/php/8.2/cli/php.ini:2")
	f("every pool sets it", map[string]string{"etc/php/8.2/fpm/php.ini": off, "etc/php/8.2/fpm/pool.d/a.conf": "[a]\nphp_admin_flag[mail.add_x_header] = on\n"})
	f("one pool sets it", map[string]string{
		"etc/php/8.2/fpm/php.ini": off, "etc/php/8.2/fpm/pool.d/a.conf": "[a]\nphp_admin_value[mail.add_x_header] = 1\n", "etc/php/8.2/fpm/pool.d/b.conf": "[b]\n",
	}, "no script names: /etc/php/8.2/fpm/php.ini  /etc/php/8.2/fpm/php.ini:2")
	f("one pool unsets it", map[string]string{"etc/php/8.2/fpm/php.ini": on, "etc/php/8.2/fpm/pool.d/a.conf": "[a]\nphp_flag[mail.add_x_header] = off\n"},
		"no script names: /etc/php/8.2/fpm/pool.d/a.conf  /etc/php/8.2/fpm/pool.d/a.conf:2")
	f("panels", map[string]string{
		"opt/plesk/php/8.1/etc/php.ini": off, "opt/cpanel/ea-php81/root/etc/php.ini": off, "usr/local/php74/lib/php.ini": off, "usr/local/php74/lib/php.conf.d/x.ini": on,
	}, "no script names: /opt/plesk/php/8.1/etc/php.ini  /opt/plesk/php/8.1/etc/php.ini:2",
		"no script names: /opt/cpanel/ea-php81/root/etc/php.ini  /opt/cpanel/ea-php81/root/etc/php.ini:2")
	f("nonsense", map[string]string{"etc/php.ini": "\x00\n=\n[mail.add_x_header\nphp_[\nphp_x]=1\n" + on})
}
