package cli

import (
	"context"
	"path"
	"strings"
	"time"

	"spoor"
	"spoor/internal/panel"
)

// Bounds of the search for the requests behind what was seen.
const (
	hitSearches   = 10 // lines of the summary that it is made for
	hitMargin     = 2 * time.Second
	hitsTime      = 5 * time.Second
	hitRequestMin = time.Minute // a request is logged when it ends, with the time when it began
)

// joinHits looks into the access logs for the requests behind lines of the
// summary whose client or script is not known. What they tell is likely: a
// request of that site, in that time.
func (v *liveView) joinHits() {
	scripts, ok := v.server.panel.(panel.Scripts)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), hitsTime)
	defer cancel()
	searched := 0
	for i := range v.page.Doings {
		d := &v.page.Doings[i]
		if d.Activity == spoor.ActivityOpenScript || d.UID < 0 || d.Client != "" && d.Script != "" && !strings.HasSuffix(d.Script, "/") {
			continue
		}
		if searched++; searched > hitSearches {
			return
		}
		hits, err := scripts.WebHits(ctx, panel.Query{
			Window: panel.Window{From: d.First.Add(-hitRequestMin), Until: d.Last.Add(hitMargin)}, UIDs: []int{d.UID},
		})
		if err != nil {
			return
		}
		joinHits(d, hits)
	}
}

// joinHits takes from the requests what fits a line: the script, if there is only
// one in its folder; the client, if there is only one of the script.
func joinHits(d *spoor.Doing, hits []spoor.WebHit) {
	scripts, clients := map[string]string{}, map[string]string{}
	for i := range hits {
		h := &hits[i]
		if h.Script == "" || !fits(d.Script, h.Script) {
			continue
		}
		scripts[h.Script] = h.Place.Place()
		clients[h.Client] = h.Place.Place()
	}
	if len(scripts) != 1 {
		return
	}
	for script, place := range scripts {
		if d.Script == "" || strings.HasSuffix(d.Script, "/") {
			d.Script = script
			d.ScriptKnown = spoor.Known{Certainty: spoor.CertaintyLikely, How: "the only script there that was asked for with POST: " + place}
		}
	}
	if len(clients) == 1 && d.Client == "" {
		for client, place := range clients {
			d.Client, d.Clients = client, 1
			d.ClientKnown = spoor.Known{Certainty: spoor.CertaintyLikely, How: "the only one that asked for it with POST: " + place}
		}
	}
}

// fits reports whether a request's script may be what a line names: nothing, the
// folder that it lies in, or itself.
func fits(named, script string) bool {
	return named == "" || named == script || named == path.Dir(script)+"/"
}
