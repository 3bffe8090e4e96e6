package plesk

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/panel"
)

func TestParseConf(t *testing.T) {
	want := func(name, text string, want Conf, wantGaps int) {
		t.Run(name, func(t *testing.T) {
			var gaps spoor.Gaps
			if got := ParseConf([]byte(text), &gaps); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if gaps.Total() != wantGaps {
				t.Errorf("gaps: %v", gaps.List())
			}
		})
	}
	full := Conf{Product: "/opt/psa", VHosts: "/srv/www/vhosts", Qmail: "/var/qmail", MailNames: "/var/qmail/mailnames"}
	want("as installed", "# Plesk tree\nPRODUCT_ROOT_D /opt/psa\n\nHTTPD_VHOSTS_D\t/srv/www/vhosts/\r\n"+
		"QMAIL_ROOT_D   /var/qmail\nPLESK_MAILNAMES_D /var/qmail/mailnames\nMYSQL_BIN_D /usr/bin", full, 0)
	want("old name of the mail names", "QMAIL_MAILNAMES_D /mail\n", Conf{MailNames: "/mail"}, 0)
	want("new name wins", "PLESK_MAILNAMES_D /new\nQMAIL_MAILNAMES_D /old\n", Conf{MailNames: "/new"}, 0)
	want("last one counts", "HTTPD_VHOSTS_D /a\nHTTPD_VHOSTS_D /b\n", Conf{VHosts: "/b"}, 0)
	want("empty", "", Conf{}, 0)
	want("no folders", "HTTPD_VHOSTS_D\nPRODUCT_ROOT_D psa\nQMAIL_ROOT_D /\nPLESK_MAILNAMES_D /a /b\n", Conf{}, 0)
	want("dots", "HTTPD_VHOSTS_D /../../a/./b//\n", Conf{VHosts: "/a/b"}, 0)
	want("garbage", "\x00\xff\xfe\n<?xml?>\nHTTPD_VHOSTS_D /a\x00b\n", Conf{}, 2)
}

func FuzzParseConf(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		var gaps spoor.Gaps
		conf := ParseConf(data, &gaps)
		for _, folder := range []string{conf.Product, conf.VHosts, conf.Qmail, conf.MailNames} {
			if folder != "" && (folder[0] != '/' || folder == "/" || strings.Contains(folder+"/", "/../") || strings.ContainsRune(folder, 0)) {
				t.Fatalf("folder %q", folder)
			}
		}
		if gaps.Total() > len(data) {
			t.Fatalf("%d gaps", gaps.Total())
		}
	})
}

func TestOpenAssumesTheVendorsFolders(t *testing.T) {
	want := func(files map[string]string, conf Conf, version string) {
		t.Helper()
		p := open(t, files)
		if p.Conf() != conf || p.Version() != version {
			t.Errorf("got %+v, version %q, want %+v, %q", p.Conf(), p.Version(), conf, version)
		}
	}
	want(map[string]string{"var/www/vhosts/": "", "usr/local/psa/version": "12.0.18 CentOS 6 1200140606.15\n"},
		Conf{Product: "/usr/local/psa", VHosts: "/var/www/vhosts", Qmail: "/var/qmail", MailNames: "/var/qmail/mailnames"}, "12.0.18")
	want(map[string]string{"srv/www/vhosts/": "", "opt/psa/version": "18.0.64.1\t\nx"},
		Conf{Product: "/opt/psa", VHosts: "/srv/www/vhosts", Qmail: "/var/qmail", MailNames: "/var/qmail/mailnames"}, "18.0.64.1")
	want(map[string]string{"var/www/vhosts/": "", "usr/local/psa/version": "\n"},
		Conf{Product: "/usr/local/psa", VHosts: "/var/www/vhosts", Qmail: "/var/qmail", MailNames: "/var/qmail/mailnames"}, "")
}

func TestOpenWithoutPlesk(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"etc/passwd": ""})
	if Detect(root) {
		t.Error("Plesk was detected")
	}
	if _, err := Open(t.Context(), root, &host.Passwd{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open gave %v", err)
	}
}

func TestOpenStopsWithItsContext(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"etc/psa/psa.conf": ""})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, root, &host.Passwd{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open gave %v", err)
	}
}

func TestOpenOfADamagedServer(t *testing.T) {
	p := open(t, map[string]string{"etc/psa/psa.conf": "\x00garbage\n", "etc/passwd": "a:b\nsite1:x:10003:2523::/var/www/vhosts/site1.example:/bin/false\n"})
	if owner := p.Owner(10003); owner.Site != "site1.example" {
		t.Errorf("owner %+v", owner)
	}
	if sites := p.Sites(); len(sites) != 0 {
		t.Errorf("sites %+v", sites)
	}
	if _, err := p.WebHits(t.Context(), panel.Query{}); err != nil {
		t.Error(err)
	}
	wantGaps(t, p, "/etc/psa/psa.conf: line is not KEY VALUE",
		"/var/www/vhosts: folder of the sites cannot be read: their files and logs are not known")
}
