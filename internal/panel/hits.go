package panel

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"spoor"
)

// Query says of which sites and of what time requests and mails are wanted.
type Query struct {
	Window Window
	UIDs   []int    // the sites of these users; the web server's user means every site
	Sites  []string // domains; a main domain means its whole subscription
	// With neither UIDs nor Sites, every site is meant.
}

const (
	logBytes    = 16 << 20  // read of one log
	allLogBytes = 512 << 20 // read of all logs together
	maxHits     = 200_000
)

// WebHits returns the POST requests of a query, by time. Script is the file that
// the path of the request names in a document root. The error is that of ctx,
// with the hits found until then; everything else that is missing is a gap.
func (w *Web) WebHits(ctx context.Context, q Query) ([]spoor.WebHit, error) {
	budget := &Budget{PerFile: logBytes, Left: allLogBytes}
	var hits []spoor.WebHit
	sites, _ := w.selected(q)
	for _, site := range sites {
		if ctx.Err() != nil {
			break
		}
		found := w.siteHits(site, q.Window, budget)
		if room := maxHits - len(hits); len(found) > room {
			w.gaps.Add("(access logs)", fmt.Sprintf("more than %d POST requests: the rest was left out", maxHits))
			hits = append(hits, found[:room]...)
			break
		}
		hits = append(hits, found...)
	}
	slices.SortStableFunc(hits, func(a, b spoor.WebHit) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Site, b.Site))
	})
	return hits, ctx.Err()
}

// selected lists the sites that a query means, and tells whether it means all.
func (w *Web) selected(q Query) ([]Site, bool) {
	if len(q.UIDs) == 0 && len(q.Sites) == 0 {
		return w.panel.Sites(), true
	}
	wanted := map[string]bool{}
	for _, domain := range q.Sites {
		wanted[domain] = true
	}
	for _, uid := range q.UIDs {
		owner := w.panel.Owner(uid)
		if owner.Role == spoor.RoleWebServer {
			return w.panel.Sites(), true
		}
		for _, domain := range owner.Sites {
			wanted[domain] = true
		}
	}
	var sites []Site
	for _, site := range w.panel.Sites() {
		ofUser := site.UID >= 0 && slices.Contains(q.UIDs, site.UID)
		if ofUser || wanted[site.Domain] || slices.Contains(q.Sites, site.Subscription) {
			sites = append(sites, site)
		}
	}
	return sites, false
}

// siteHits reads the logs of Apache; those of nginx only where Apache's tell of
// no POST, since nginx logs again what it hands on.
func (w *Web) siteHits(site Site, window Window, budget *Budget) []spoor.WebHit {
	var hits []spoor.WebHit
	files := w.scriptFinder(site)
	for _, proxy := range []bool{false, true} {
		for _, name := range site.AccessLogs {
			if isProxyLog(name) != proxy {
				continue
			}
			log := Log{Folder: w.folder, Name: name, Budget: budget, Gaps: w.gaps}
			for hit := range log.Posts(site.Domain, window) {
				if len(hits) > maxHits {
					return hits
				}
				hit.Script = files.find(hit.URL, strings.Contains(name, "ssl"))
				hits = append(hits, hit)
			}
		}
		if len(hits) > 0 {
			break
		}
	}
	return hits
}
