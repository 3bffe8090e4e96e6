package plesk

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestFindScript(t *testing.T) {
	files := map[string]string{
		"etc/passwd": "", "etc/mailer.php": "",
		"var/www/vhosts/a.example/httpdocs/mailer.php":               "",
		"var/www/vhosts/a.example/httpdocs/Mailer.php":               "",
		"var/www/vhosts/a.example/httpdocs/forum/inc/mailer.php":     "",
		"var/www/vhosts/a.example/httpdocs/dir/mailer.php/x":         "",
		"var/www/vhosts/a.example/httpdocs/linked/mailer.php":        "-> ../mailer.php",
		"var/www/vhosts/a.example/httpdocs/folder":                   "-> /etc",
		"var/www/vhosts/a.example/httpdocs/loop":                     "-> .",
		"var/www/vhosts/b.example/httpdocs/mailer.php":               "",
		"var/www/vhosts/b.example/cgi-bin":                           "-> /etc",
		"var/www/vhosts/b.example/httpdocs/.hidden/cache/mailer.php": "",
	}
	p := open(t, files)
	want := func(name string, roots []string, want ...string) {
		t.Helper()
		got, err := p.FindScript(t.Context(), name, roots)
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], "/var/www/vhosts/")
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("FindScript(%q, %v) = %v, %v, want %v", name, roots, got, err, want)
		}
	}
	a, b := "/var/www/vhosts/a.example/httpdocs", "/var/www/vhosts/b.example/httpdocs"
	want("mailer.php", []string{a}, "a.example/httpdocs/forum/inc/mailer.php", "a.example/httpdocs/mailer.php")
	want("mailer.php", []string{b, a, a}, "a.example/httpdocs/forum/inc/mailer.php", "a.example/httpdocs/mailer.php",
		"b.example/httpdocs/.hidden/cache/mailer.php", "b.example/httpdocs/mailer.php")
	for _, name := range []string{"", ".", "..", "inc/mailer.php", "mailer.php\x00", "none.php"} {
		want(name, []string{a})
	}
	out := "/var/www/vhosts/b.example/cgi-bin: document root leads out of its subscription: it was not followed"
	wantGaps(t, p, out)
	want("mailer.php", []string{"/etc", "/var/www/vhosts/b.example/cgi-bin", "/var/www/vhosts/none"})
	wantGaps(t, p, "/etc: document root cannot be searched: leads out of its folder",
		"/var/www/vhosts/b.example/cgi-bin: document root cannot be searched: leads out of its folder", out,
		"/var/www/vhosts/none: document root cannot be searched: no such file or directory")
}

func TestFindScriptIsBounded(t *testing.T) {
	deep := "/var/www/vhosts/a.example/httpdocs"
	p := open(t, map[string]string{"etc/passwd": "", deep + "/": ""})
	if err := os.MkdirAll(p.root.Dir()+deep+strings.Repeat("/d", 42), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.root.Dir()+deep+strings.Repeat("/d", 42)+"/x.php", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := p.FindScript(t.Context(), "x.php", []string{deep}); len(got) != 0 || err != nil {
		t.Errorf("found %v, %v", got, err)
	}
	wantGaps(t, p,
		deep+strings.Repeat("/d", 41)+": folder was not searched to its end")
}
