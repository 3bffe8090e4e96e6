package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"spoor"
	"spoor/internal/live"
	"spoor/internal/panel"
	"spoor/internal/report"
)

// liveView is an observation on its way to whoever reads it: sightings come in,
// are attributed, summed up, and shown.
type liveView struct {
	server  *server
	options *options
	flags   liveFlags
	watch   *live.Watch
	servers *live.Servers
	who     live.Attributor

	mu     sync.Mutex // of what follows: the screen is drawn while sightings come
	tally  *live.Tally
	page   *report.Live
	broken error // standard output does not take any more
}

func newLiveView(s *server, o *options, watch *live.Watch, flags liveFlags) *liveView {
	servers := live.FindServers(s.root, o.env.Now)
	v := &liveView{server: s, options: o, flags: flags, watch: watch, servers: servers, tally: live.NewTally()}
	v.page = s.livePage(o, watch, servers)
	v.who = live.Attributor{Owner: s.owner, SiteAt: s.siteAt(), Workers: servers.Of, Interpreted: live.NewInterpreters(s.root).Script, ScriptAt: func(string, string) string { return "" }}
	if scripts, ok := s.panel.(panel.Scripts); ok {
		v.who.ScriptAt = scripts.ScriptAt
	}
	return v
}

// onScreen reports whether the table is drawn in place.
func (v *liveView) onScreen() bool {
	return v.flags.format == "table" && v.options.env.OutColumns > 0 && v.options.env.Getenv("TERM") != "dumb"
}

// run observes until ctx ends, and writes the summary. Its end is no
// interruption: Ctrl-C is how an observation ends.
func (v *liveView) run(ctx context.Context) error {
	if v.flags.permission {
		signal.Ignore(syscall.SIGTSTP) // mail of local users would wait
		defer signal.Reset(syscall.SIGTSTP)
	}
	if err := v.begin(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var drawing sync.WaitGroup
	if v.onScreen() {
		drawing.Go(func() { v.draw(ctx) })
	}
	v.watch.Run(ctx, func(s *spoor.Sighting) {
		v.who.Attribute(ctx, s)
		if err := v.add(s); err != nil {
			cancel()
		}
	})
	cancel()
	drawing.Wait()
	if v.broken != nil {
		return v.broken
	}
	return v.end()
}

// begin tells what is watched, and by what.
func (v *liveView) begin() error {
	for _, refused := range v.page.Refused {
		_, _ = fmt.Fprintf(v.options.env.Err, "spoor: not used: %s\n", report.Escape(refused))
	}
	_, _ = fmt.Fprintf(v.options.env.Err, "spoor: %s: %s\n", v.page.Mechanism, v.page.Misses)
	if v.flags.format == "ndjson" {
		return v.page.StartJSON(v.options.env.Out)
	}
	return nil
}

// add shows a sighting.
func (v *liveView) add(s *spoor.Sighting) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tally.Add(s)
	if v.flags.format == "ndjson" && v.broken == nil {
		v.broken = report.SightingJSON(v.options.env.Out, s)
	}
	return v.broken
}

// state brings the page up to date.
func (v *liveView) state() {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.options.env.Now().UTC()
	v.page.Time, v.page.Doings, v.page.Count, v.page.Folded = now, v.tally.Lines(now), v.tally.Count, v.tally.Folded
	v.page.Gaps = v.watch.Lost()
}

// drawEvery is the time between two screens.
const drawEvery = 500 * time.Millisecond

// draw draws the screen until ctx ends, and at once where its size changes.
func (v *liveView) draw(ctx context.Context) {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	ticker := time.NewTicker(drawEvery)
	defer ticker.Stop()
	_, _ = v.options.env.Out.Write(report.ScreenOpen())
	defer func() { _, _ = v.options.env.Out.Write(report.ScreenClose()) }()
	for {
		v.state()
		style := v.options.style()
		columns, rows := v.options.env.size()
		style.Columns = columns
		_, _ = v.options.env.Out.Write(v.page.Screen(style, rows))
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-resized:
		}
	}
}

// size is that of the terminal behind Out, now.
func (e Environment) size() (columns, rows int) {
	if e.OutSize != nil {
		return e.OutSize()
	}
	return e.OutColumns, 24
}

// end writes the summary.
func (v *liveView) end() error {
	v.state()
	v.joinHits()
	v.own()
	v.page.Complete = len(v.page.Gaps) == 0
	if err := v.watch.Failed(); err != nil {
		v.page.Complete = false
		v.page.Gaps = append(v.page.Gaps, spoor.Gap{File: "(" + v.page.Mechanism + ")", Reason: err.Error(), Count: 1})
	}
	v.page.Gaps = append(v.page.Gaps, v.servers.Gaps()...)
	if v.flags.format == "ndjson" {
		return v.page.SummaryJSON(v.options.env.Out)
	}
	return v.page.Text(v.options.env.Out, v.options.style())
}

// own counts what the mail system did itself.
func (v *liveView) own() {
	for uid, n := range v.watch.Own() {
		v.page.Own = append(v.page.Own, report.OwnCount{Login: v.server.loginOf(uid), Count: n})
	}
	slices.SortFunc(v.page.Own, func(a, b report.OwnCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Login, b.Login))
	})
}
