package recorder

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
)

func rootWith(t *testing.T, files map[string]string) *host.Root {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root, err := host.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

func testPrograms() Programs {
	return Programs{Shim: "/usr/lib/spoor/spoor-sendmail", Spoor: "/usr/bin/spoor"}
}

func TestInFrontOfSendmail(t *testing.T) {
	files := map[string]string{"usr/bin/dpkg-divert": "", "usr/sbin/sendmail": ""}
	p, err := InFront(rootWith(t, files), testPrograms())
	if err != nil || len(p.Steps) != 6 || len(p.ByHand) != 1 {
		t.Fatalf("%v %+v", err, p)
	}
	for _, s := range p.Steps {
		if s.What != "" && s.Inverse == "" || s.Command == nil || len(s.Command.Undo) == 0 && len(s.Command.Writes) == 0 {
			t.Errorf("%s: nothing undoes it", s.What)
		}
		for _, argv := range [][]string{s.Command.Do, s.Command.Undo, s.Command.Test} {
			if len(argv) > 0 && !filepath.IsAbs(argv[0]) {
				t.Errorf("%q is no path", argv[0])
			}
		}
	}
	files["run/systemd/system/x"] = ""
	if p, err = InFront(rootWith(t, files), testPrograms()); err != nil || len(p.Steps) != 11 || len(p.ByHand) != 0 {
		t.Errorf("with systemd: %v %+v", err, p)
	}
	files["usr/sbin/sendmail.spoor-real"] = ""
	if _, err := InFront(rootWith(t, files), testPrograms()); !errors.Is(err, ErrInstalled) {
		t.Error(err)
	}
	if _, err := InFront(rootWith(t, map[string]string{"usr/bin/dpkg-divert": ""}), testPrograms()); !errors.Is(err, ErrNoMail) {
		t.Error(err)
	}
	p, err = InFront(rootWith(t, map[string]string{"usr/sbin/sendmail": ""}), testPrograms())
	if err != nil || len(p.Steps) != 5 || !strings.Contains(strings.Join(p.Open, "\n"), "takes the name /usr/sbin/sendmail again") {
		t.Errorf("without dpkg: %v %+v", err, p)
	}
}

func TestInPHP(t *testing.T) {
	p, err := InPHP(rootWith(t, map[string]string{
		"etc/php/8.2/fpm/php.ini":             "; sendmail_path = /nowhere\nsendmail_path =\n",
		"etc/php/8.2/fpm/conf.d/10-a.ini":     "extension=a\n",
		"etc/php/8.2/cli/php.ini":             "sendmail_path = \"/usr/sbin/sendmail -t -i -f web@shop.example\"\n",
		"etc/php/8.2/cli/conf.d/10-a.ini":     "",
		"etc/php/7.4/fpm/php.ini":             "sendmail_path = /usr/sbin/sendmail -t\n",
		"etc/php/7.4/fpm/conf.d/99-own.ini":   "sendmail_path = /usr/bin/msmtp -t\n",
		"opt/plesk/php/8.3/etc/php.ini":       "",
		"opt/plesk/php/8.3/etc/php.d/aps.ini": "",
	}), testPrograms())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range p.Steps {
		if s.Kind != spoor.StepEdit || s.Edit.Was != "" || s.Edit.Mode != 0o644 {
			t.Errorf("%+v", s)
		}
		_, got[s.Edit.Path], _ = strings.Cut(strings.TrimSpace(*s.Edit.Content), "\n")
	}
	want := map[string]string{
		"/etc/php/8.2/fpm/conf.d/" + phpName:      `sendmail_path = "/usr/lib/spoor/spoor-sendmail -t -i"`,
		"/etc/php/8.2/cli/conf.d/" + phpName:      `sendmail_path = "/usr/lib/spoor/spoor-sendmail -t -i -f web@shop.example"`,
		"/opt/plesk/php/8.3/etc/php.d/" + phpName: `sendmail_path = "/usr/lib/spoor/spoor-sendmail -t -i"`,
	}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
	for name, line := range want {
		if got[name] != line {
			t.Errorf("%s: %q, want %q", name, got[name], line)
		}
	}
	if by := strings.Join(p.ByHand, "\n"); !strings.Contains(by, "7.4") || !strings.Contains(by, "/usr/bin/msmtp") {
		t.Errorf("a PHP that calls no sendmail: %s", by)
	}
	if _, err := InPHP(rootWith(t, nil), testPrograms()); !errors.Is(err, ErrNoPHP) {
		t.Error(err)
	}
}
