package plesk

import (
	"fmt"
	"os"
	"path"
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
	wantGaps(t, p)
	want("mailer.php", []string{"/etc", "/var/www/vhosts/b.example/cgi-bin", "/var/www/vhosts/none"})
	wantGaps(t, p, "/etc: document root cannot be searched: leads out of its folder",
		"/var/www/vhosts/b.example/cgi-bin: document root cannot be searched: leads out of its folder",
		"/var/www/vhosts/none: document root cannot be searched: no such file or directory")
}

func TestFindScriptIsBounded(t *testing.T) {
	deep := "/var/www/vhosts/a.example/httpdocs"
	p := open(t, map[string]string{"etc/passwd": "", deep + "/": ""})
	if err := os.MkdirAll(p.root.Dir()+deep+strings.Repeat("/d", maxDepth+2), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.root.Dir()+deep+strings.Repeat("/d", maxDepth+2)+"/x.php", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := p.FindScript(t.Context(), "x.php", []string{deep}); len(got) != 0 || err != nil {
		t.Errorf("found %v, %v", got, err)
	}
	wantGaps(t, p,
		deep+strings.Repeat("/d", maxDepth+1)+": folder was not searched to its end")

	wide := "/var/www/vhosts/b.example/httpdocs"
	if err := os.MkdirAll(p.root.Dir()+wide, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := os.WriteFile(fmt.Sprintf("%s%s/%d", p.root.Dir(), wide, i), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := p.vhosts.OpenDir(wide)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	s := scriptSearch{panel: p, name: "x.php", left: 10}
	s.walk(t.Context(), dir, wide, 0)
	if got := p.Gaps(); s.left != 0 || got[len(got)-1].File != wide {
		t.Errorf("left %d, gaps %v", s.left, got)
	}
}

func FuzzDecodePath(f *testing.F) {
	f.Fuzz(func(t *testing.T, logged string) {
		name, ok := decodePath(logged)
		if ok && (path.Clean(name) != name || name[0] != '/' || strings.IndexByte(name, 0) >= 0 || strings.HasPrefix(name, "/../")) {
			t.Fatalf("%q", name)
		}
		if len(unescapeLogged(logged)) > len(logged) {
			t.Fatal("it grew")
		}
	})
}
