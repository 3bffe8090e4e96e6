package plesk

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"spoor"
	"spoor/internal/host/hosttest"
	"spoor/internal/panel/paneltest"
)

// open reads a Plesk server from a tree. A tree without psa.conf or password
// gets them.
func open(t *testing.T, files map[string]string) *Panel {
	t.Helper()
	for name, content := range map[string]string{"etc/psa/psa.conf": "", "etc/psa/.psa.shadow": "secret\n"} {
		if _, ok := files[name]; !ok {
			files[name] = content
		}
	}
	root := hosttest.Tree(t, files)
	if !Detect(root) {
		t.Fatal("no Plesk was detected")
	}
	var gaps spoor.Gaps
	passwd, err := root.Passwd(&gaps)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	p, err := Open(t.Context(), root, passwd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// wantGaps compares the gaps, written as file and reason.
func wantGaps(t *testing.T, p *Panel, want ...string) {
	t.Helper()
	var got []string
	for _, gap := range p.Gaps() {
		got = append(got, gap.File+": "+gap.Reason)
	}
	if !slices.Equal(got, want) {
		t.Errorf("gaps:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPlesk(t *testing.T) {
	paneltest.Run(t, paneltest.Server{
		Adapter: Adapter(),
		Files: map[string]string{
			"etc/psa/psa.conf":                                    "HTTPD_VHOSTS_D /var/www/vhosts\n",
			"usr/local/psa/version":                               "12.0.18 CentOS 6 1200140606.15\n",
			"etc/passwd":                                          passwdText,
			"etc/php.ini":                                         "mail.log = /var/log/phpmail\n",
			"var/log/phpmail":                                     "[01-May-2024 12:00:01 UTC] mail() on [/x.php:7]: To: a@b.example -- Headers: \n",
			"var/www/vhosts/a.example/httpdocs/":                  "",
			"var/www/vhosts/a.example/b.example/x.php":            "",
			"var/www/vhosts/system/b.example/logs/access_log":     posts("/x.php"),
			"var/www/vhosts/system/a.example/logs/access_ssl_log": posts("/x.php"),
		},
		Sites: []string{"a.example", "b.example"},
	})
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
