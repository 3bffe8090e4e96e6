package panel

import (
	"context"
	"path"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// Scripts is implemented by panels that can look for the scripts behind mail.
type Scripts interface {
	// WebHits returns the POST requests of a query, by time.
	WebHits(ctx context.Context, q Query) ([]spoor.WebHit, error)
	// ScriptMails returns the calls of mail() of a query that PHP mail logs tell
	// of, by time.
	ScriptMails(ctx context.Context, q Query) ([]spoor.ScriptMail, error)
	// FindScript searches document roots for files called name.
	FindScript(ctx context.Context, name string, documentRoots []string) ([]string, error)
	// ScriptAt returns the path of the file below the root that a path of a
	// request to a site names, or "".
	ScriptAt(domain, path string) string
}

// Directory is what a search needs to know of a panel.
type Directory interface {
	Owner(uid int) spoor.Owner
	Sites() []Site
}

// Web looks for scripts in the logs and document roots of a panel's sites. It
// implements Scripts for the panel that embeds it.
type Web struct {
	root   *host.Root
	panel  Directory
	folder Folder // that logs and document roots lie in
	gaps   *spoor.Gaps
}

var _ Scripts = (*Web)(nil)

// NewWeb returns a Web for the sites of a panel, whose logs and document roots
// lie in folder. Gaps gets what could not be read.
func NewWeb(root *host.Root, panel Directory, folder Folder, gaps *spoor.Gaps) *Web {
	return &Web{root: root, panel: panel, folder: folder, gaps: gaps}
}

// ScriptAt implements Scripts. A leading "www." of the domain may be left out by
// the panel.
func (w *Web) ScriptAt(domain, path string) string {
	domain = strings.ToLower(domain)
	for _, site := range w.panel.Sites() {
		if site.Domain == domain || site.Domain == strings.TrimPrefix(domain, "www.") {
			if script := w.scriptFinder(site).find(path, false); script != "" {
				return script
			}
		}
	}
	return ""
}

// homes maps document roots to the home folders of their sites.
func (w *Web) homes() map[string]string {
	homes := map[string]string{}
	for _, site := range w.panel.Sites() {
		for _, root := range site.DocumentRoots {
			homes[root] = site.Home
		}
	}
	return homes
}

// openRoot opens a document root. The links of a customer do not lead out of the
// home folder.
func (w *Web) openRoot(name, home string) (*host.Dir, error) {
	folder := w.folder
	if home != "" {
		sub, err := w.folder.Sub(home)
		if err != nil {
			return nil, err
		}
		folder = sub
	}
	return folder.OpenDir(name)
}

// isProxyLog reports whether a log is that of an nginx, which logs again what it
// hands to Apache.
func isProxyLog(name string) bool {
	return strings.HasPrefix(path.Base(name), "proxy_") || strings.HasPrefix(name, "/var/log/nginx/")
}
