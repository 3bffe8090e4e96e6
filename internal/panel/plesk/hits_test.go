package plesk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"spoor/internal/panel"
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// hour is the window of every query here.
var hour = panel.Window{From: noon, Until: noon.Add(time.Hour)}

func posts(paths ...string) string {
	var log strings.Builder
	for i, path := range paths {
		fmt.Fprintf(&log, "203.0.113.7 - - [%s] \"POST %s HTTP/1.1\" 200 1\n", noon.Add(time.Duration(i)*time.Second).Format("02/Jan/2006:15:04:05 -0700"), path)
	}
	return log.String()
}

// wantHits compares the hits, one a line: site, URL and script; folders of the
// sites written as ~.
func wantHits(t *testing.T, p *Panel, q panel.Query, want ...string) {
	t.Helper()
	hits, err := p.WebHits(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, hit := range hits {
		got = append(got, strings.ReplaceAll(hit.Site+" "+hit.URL+" "+hit.Script, "/var/www/vhosts/", "~"))
		if !hour.Contains(hit.Time) || hit.Place.File == "" || hit.Place.Text == "" || hit.Client != "203.0.113.7" {
			t.Errorf("hit %+v", hit)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("hits:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWebHitsNameTheScript(t *testing.T) {
	p := open(t, map[string]string{
		"etc/passwd": passwdText,
		"var/www/vhosts/shop.example/statistics/logs/access_log": posts("/x.php?a=1", "/forum/", "/forum", "/x.php/info/more",
			"/%78.php", "/a/../x.php", "/../../../../etc/passwd", "/none.php", "/out.php", "/loop.php", "/next.php", "/cgi-bin/m.pl",
			"/m.pl", "/~anna/y.php", "/empty/", "/%00", "/%zz", "/a%20\\\"b.php", "*"),
		"var/www/vhosts/shop.example/statistics/logs/access_ssl_log": posts("/x.php", "/tls.php"),
		"var/www/vhosts/shop.example/httpdocs/x.php":                 "",
		"var/www/vhosts/shop.example/httpdocs/a \"b.php":             "",
		"var/www/vhosts/shop.example/httpdocs/forum/index.php":       "",
		"var/www/vhosts/shop.example/httpdocs/empty/":                "",
		"var/www/vhosts/shop.example/httpdocs/tls.php":               "",
		"var/www/vhosts/shop.example/httpsdocs/x.php":                "",
		"var/www/vhosts/shop.example/httpdocs/out.php":               "-> /etc/passwd",
		"var/www/vhosts/shop.example/httpdocs/next.php":              "-> ../../other.example/httpdocs/o.php",
		"var/www/vhosts/shop.example/httpdocs/loop.php":              "-> loop.php",
		"var/www/vhosts/shop.example/cgi-bin/m.pl":                   "",
		"var/www/vhosts/shop.example/web_users/anna/y.php":           "",
		"var/www/vhosts/other.example/httpdocs/o.php":                "",
	})
	wantHits(t, p, panel.Query{Window: hour},
		"shop.example /x.php ~shop.example/httpdocs/x.php",
		"shop.example /x.php ~shop.example/httpsdocs/x.php",
		"shop.example /forum/ ~shop.example/httpdocs/forum/index.php",
		"shop.example /tls.php ~shop.example/httpdocs/tls.php",
		"shop.example /forum ~shop.example/httpdocs/forum/index.php",
		"shop.example /x.php/info/more ~shop.example/httpdocs/x.php",
		"shop.example /%78.php ~shop.example/httpdocs/x.php",
		"shop.example /a/../x.php ~shop.example/httpdocs/x.php",
		"shop.example /../../../../etc/passwd ",
		"shop.example /none.php ",
		"shop.example /out.php ",
		"shop.example /loop.php ",
		"shop.example /next.php ",
		"shop.example /cgi-bin/m.pl ~shop.example/cgi-bin/m.pl",
		"shop.example /m.pl ",
		"shop.example /~anna/y.php ~shop.example/web_users/anna/y.php",
		"shop.example /empty/ ",
		"shop.example /%00 ",
		"shop.example /%zz ",
		`shop.example /a%20\"b.php ~shop.example/httpdocs/a "b.php`,
		"shop.example * ",
	)
	wantGaps(t, p)
}

func TestWebHitsOfTheSitesThatAreMeant(t *testing.T) {
	files := map[string]string{"etc/passwd": "apache:x:48:48::/var/www:/bin/false\n" +
		"a:x:10001:1::/var/www/vhosts/a.example:/bin/false\nb:x:10002:1::/var/www/vhosts/b.example:/bin/false\n"}
	for _, domain := range []string{"a.example", "b.example", "addon.example"} {
		files["var/www/vhosts/system/"+domain+"/logs/access_ssl_log"] = posts("/x.php")
	}
	files["var/www/vhosts/a.example/httpdocs/"] = ""
	files["var/www/vhosts/a.example/addon.example/"] = ""
	files["var/www/vhosts/b.example/httpdocs/"] = ""
	p := open(t, files)
	a, addon, b := "a.example /x.php ", "addon.example /x.php ", "b.example /x.php "
	wantHits(t, p, panel.Query{Window: hour}, a, addon, b)
	wantHits(t, p, panel.Query{Window: hour, UIDs: []int{48}}, a, addon, b)
	wantHits(t, p, panel.Query{Window: hour, UIDs: []int{10001}}, a, addon)
	wantHits(t, p, panel.Query{Window: hour, UIDs: []int{10002, 4711}}, b)
	wantHits(t, p, panel.Query{Window: hour, UIDs: []int{4711}})
	wantHits(t, p, panel.Query{Window: hour, Sites: []string{"a.example"}}, a, addon)
	wantHits(t, p, panel.Query{Window: hour, Sites: []string{"addon.example"}}, addon)
	wantHits(t, p, panel.Query{Window: hour, Sites: []string{"addon.example"}, UIDs: []int{10002}}, addon, b)
	wantHits(t, p, panel.Query{Window: panel.Window{From: noon.Add(time.Minute), Until: noon.Add(time.Hour)}})
}

func TestWebHitsReadNginxOnlyWhereApacheSaysNothing(t *testing.T) {
	p := open(t, map[string]string{
		"etc/passwd":                                            "",
		"var/www/vhosts/a.example/httpdocs/":                    "",
		"var/www/vhosts/b.example/httpdocs/":                    "",
		"var/www/vhosts/system/a.example/logs/access_log":       posts("/behind"),
		"var/www/vhosts/system/a.example/logs/proxy_access_log": posts("/behind", "/static"),
		"var/www/vhosts/system/b.example/logs/access_log":       "",
		"var/www/vhosts/system/b.example/logs/proxy_access_log": posts("/fpm.php"),
	})
	wantHits(t, p, panel.Query{Window: hour}, "a.example /behind ", "b.example /fpm.php ")
}

func TestWebHitsStopWithTheirContext(t *testing.T) {
	p := open(t, map[string]string{
		"etc/passwd":                                      "",
		"var/www/vhosts/a.example/httpdocs/":              "",
		"var/www/vhosts/system/a.example/logs/access_log": posts("/x"),
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if hits, err := p.WebHits(ctx, panel.Query{Window: hour}); len(hits) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d hits, %v", len(hits), err)
	}
}

func TestScriptMailsOfEveryLogThatPHPIsToldOf(t *testing.T) {
	call := func(script string) string {
		return "[01-May-2024 12:00:01 UTC] mail() on [" + script + ":7]: To: a@b.example -- Headers: \n"
	}
	p := open(t, map[string]string{
		"etc/passwd":                         "a:x:10001:1::/var/www/vhosts/a.example:/bin/false\n",
		"etc/php.ini":                        "[mail function]\n;mail.log = /var/log/off\nmail.log=/var/log/one ; here\n",
		"etc/php/8.2/fpm/php.ini":            "mail.log = \"/var/log/two\"\r\nmail.add_x_header = On\n",
		"etc/php/8.2/cli/php.ini":            "mail.log = syslog\n",
		"etc/php5/apache2/php.ini":           "mail.log = relative.log\n",
		"opt/plesk/php/8.1/etc/php.ini":      "mail.log = /var/log/php-errors\nmail.log = /var/log/same-as-two\n",
		"etc/php.d/50-mail.ini":              "mail.log = /var/log/none\n",
		"etc/php.d/README":                   "mail.log = /var/log/off\n",
		"var/log/off":                        call("/off.php"),
		"var/log/one":                        call("/var/www/vhosts/a.example/httpdocs/1.php"),
		"var/log/two":                        call("/var/www/vhosts/b.example/httpdocs/2.php"),
		"var/log/same-as-two":                "-> two",
		"var/log/phpmail.log":                call("/usr/share/webmail/3.php"),
		"var/log/messages":                   "May  1 12:00:00 web1 php: mail() on [/var/www/vhosts/a.example/addon/4.php:1]: To: x@y.example -- Headers: \n",
		"var/www/vhosts/a.example/httpdocs/": "",
		"var/www/vhosts/b.example/httpdocs/": "",
	})
	want := func(q panel.Query, want ...string) {
		t.Helper()
		q.Window = hour
		mails, err := p.ScriptMails(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, mail := range mails {
			got = append(got, mail.Script+" "+mail.Place.Place())
		}
		if !slices.Equal(got, want) {
			t.Errorf("calls:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	one, two := "/var/www/vhosts/a.example/httpdocs/1.php /var/log/one:1", "/var/www/vhosts/b.example/httpdocs/2.php /var/log/same-as-two:1"
	four := "/var/www/vhosts/a.example/addon/4.php /var/log/messages:1"
	two = strings.Replace(two, "same-as-two", "two", 1)
	want(panel.Query{}, four, "/usr/share/webmail/3.php /var/log/phpmail.log:1", one, two)
	want(panel.Query{UIDs: []int{10001}}, four, one)
	want(panel.Query{Sites: []string{"b.example"}}, two)
	want(panel.Query{UIDs: []int{4711}})
	wantGaps(t, p)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if mails, err := p.ScriptMails(ctx, panel.Query{Window: hour}); len(mails) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d calls, %v", len(mails), err)
	}
}

func TestScriptMailsAreInTheServersZone(t *testing.T) {
	p := open(t, map[string]string{
		"etc/passwd": "", "var/www/vhosts/": "",
		// TZif of two hours east, RFC 8536
		"etc/localtime": "TZif2" + strings.Repeat("\x00", 15) + strings.Repeat("\x00\x00\x00\x00", 4) + "\x00\x00\x00\x01\x00\x00\x00\x04" +
			"\x00\x00\x1c\x20\x00\x00EST\x00" +
			"TZif2" + strings.Repeat("\x00", 15) + strings.Repeat("\x00\x00\x00\x00", 4) + "\x00\x00\x00\x01\x00\x00\x00\x04" +
			"\x00\x00\x1c\x20\x00\x00EST\x00\n<EST>-2\n",
		"etc/php.ini":    "mail.log = syslog\n",
		"var/log/syslog": "May  1 14:30:00 web1 php: mail() on [/x.php:1]: To: x@y.example -- Headers: \n",
	})
	mails, err := p.ScriptMails(t.Context(), panel.Query{Window: hour})
	if err != nil || len(mails) != 1 || !mails[0].Time.Equal(noon.Add(30*time.Minute)) {
		t.Errorf("%+v, %v", mails, err)
	}
}
