package panel

import (
	"strings"
	"testing"

	"spoor/internal/host/hosttest"
)

func TestPHPThatDoesNotLookAtFilesIsReloaded(t *testing.T) {
	const off, on = "opcache.validate_timestamps=0\n", "opcache.validate_timestamps = On\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string // in what is to be done; "" is nothing
	}{
		"by default":         {map[string]string{"etc/php/8.2/fpm/php.ini": "memory_limit = 1G\n"}, ""},
		"in php.ini":         {map[string]string{"etc/php/8.2/fpm/php.ini": off}, "/usr/bin/systemctl reload-or-restart php8.2-fpm.service: "},
		"behind it":          {map[string]string{"etc/php/8.2/apache2/php.ini": on, "etc/php/8.2/apache2/conf.d/99-fast.ini": ";x\n" + off}, "apache2.service: the OPcache of this PHP does not look at files again, or not soon (/etc/php/8.2/apache2/conf.d/99-fast.ini:2)"},
		"turned on again":    {map[string]string{"etc/php/8.2/fpm/php.ini": off, "etc/php/8.2/fpm/conf.d/99.ini": on}, ""},
		"of one pool":        {map[string]string{"etc/php/8.2/fpm/php.ini": on, "etc/php/8.2/fpm/pool.d/web1.conf": "php_admin_value[opcache.validate_timestamps] = 0\n"}, "php8.2-fpm.service"},
		"another's pool":     {map[string]string{"etc/php/8.2/fpm/pool.d/a.conf": "php_admin_flag[opcache.validate_timestamps] = off\n", "etc/php/8.2/fpm/pool.d/b.conf": "php_admin_flag[opcache.validate_timestamps] = on\n", "etc/php/8.2/fpm/php.ini": ""}, "php8.2-fpm.service"},
		"after an hour":      {map[string]string{"etc/php/8.2/fpm/php.ini": "opcache.revalidate_freq=3600\n"}, "or not soon (/etc/php/8.2/fpm/php.ini:1)"},
		"after a moment":     {map[string]string{"etc/php/8.2/fpm/php.ini": "opcache.revalidate_freq=5\n"}, ""},
		"an unknown service": {map[string]string{"etc/php.ini": off}, "reload the PHP of /etc/php.ini: "},
	} {
		t.Run(name, func(t *testing.T) {
			m := Recompile(hosttest.Tree(t, c.files), false)
			if got := strings.Join(m.ByHand, "\n"); len(m.Steps) > 0 || (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
