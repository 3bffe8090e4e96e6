package live

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// apachePage is a server-status of an Apache on this machine.
type apachePage struct {
	address string // of the loopback, with a port
	path    string
}

// apachePatterns are where Apache's configuration is: Debian, Red Hat, SUSE,
// cPanel.
func apachePatterns() []string {
	return []string{
		"/etc/apache2/apache2.conf", "/etc/apache2/ports.conf", "/etc/apache2/mods-enabled/*", "/etc/apache2/conf-enabled/*",
		"/etc/apache2/sites-enabled/*", "/etc/apache2/conf.d/*", "/etc/apache2/conf/*", "/etc/apache2/listen.conf",
		"/etc/httpd/conf/httpd.conf", "/etc/httpd/conf.d/*", "/etc/httpd/conf.modules.d/*",
	}
}

// findApachePages reads where Apache listens and under which paths its status is.
func findApachePages(root *host.Root, gaps *spoor.Gaps) []apachePage {
	var listens, paths []string
	for _, name := range filesOf(root, apachePatterns()) {
		if !strings.HasSuffix(name, ".conf") {
			continue
		}
		text, err := root.ReadFile(name, poolLimit)
		if err != nil {
			gaps.Add(name, "cannot be read: Apache's status may not be asked")
			continue
		}
		conf := parseApacheConf(string(text))
		listens, paths = append(listens, conf.listens...), append(paths, conf.paths...)
	}
	var pages []apachePage
	for _, listen := range listens {
		for _, path := range paths {
			address, ok := loopback(listen)
			if page := (apachePage{address, path}); ok && !slices.Contains(pages, page) {
				pages = append(pages, page)
			}
		}
	}
	return pages
}

// apacheConf is what of Apache's configuration matters here.
type apacheConf struct {
	listens []string // of Listen, but those for TLS
	paths   []string // of the locations that mod_status handles
}

// parseApacheConf reads lines such as
//
//	Listen 80
//	<Location "/server-status">
//	    SetHandler server-status
func parseApacheConf(text string) apacheConf {
	var conf apacheConf
	location := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 1 {
			continue
		}
		switch name := strings.ToLower(words[0]); {
		case name == "listen" && len(words) == 2 && !strings.HasSuffix(words[1], "443"),
			name == "listen" && len(words) == 3 && words[2] == "http":
			conf.listens = append(conf.listens, words[1])
		case name == "<location" && len(words) == 2:
			location = strings.Trim(words[1], `">`)
		case name == "</location>":
			location = ""
		case name == "sethandler" && len(words) == 2 && strings.Trim(words[1], `"`) == "server-status" && strings.HasPrefix(location, "/"):
			conf.paths = append(conf.paths, location)
		}
	}
	return conf
}

// ask gets the page. Nothing but this address is spoken to, wherever an answer
// points.
func (p apachePage) ask(ctx context.Context) ([]apacheRow, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+p.path, nil)
	if err != nil {
		return nil, err
	}
	request.Host = "localhost"
	client := http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var dialer net.Dialer
				return dialer.DialContext(ctx, "tcp", p.address)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s%s: %s", p.address, p.path, answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, statusLimit))
	return parseApacheStatus(string(text)), err
}
