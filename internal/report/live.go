package report

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"spoor"
)

// LiveSchema names the contract of what spoor live writes as JSON.
const LiveSchema = "spoor.live/1"

// Live is who sends now: what an observation has seen so far.
type Live struct {
	Head
	Started   time.Time
	Mechanism string   // "ebpf", "audit", "fanotify", "proc"
	Misses    string   // what that can miss, in words
	Refused   []string // mechanisms that do not work here, each with why
	Programs  []string // that are watched
	Pages     []string // status pages that are asked

	Doings   []spoor.Doing // the busiest first
	Count    int           // sightings in all
	Folded   int           // sightings whose script has no line
	Own      []OwnCount    // what the mail system did itself
	Complete bool          // nothing was lost
	Gaps     []spoor.Gap
}

// OwnCount is how often a user of the mail system did its work.
type OwnCount struct {
	Login string
	Count int
}

// Text writes the summary: the sources, worst first, and what to do next.
func (l *Live) Text(out io.Writer, style Style) error {
	p := l.page(style)
	p.end()
	p.row(0, "Seen", plural(l.Count, "sighting")+" in "+l.span())
	l.means(p)
	l.sources(p)
	for i := range l.Doings[:min(len(l.Doings), maxDoings)] {
		p.end()
		writeDoing(p, &l.Doings[i])
	}
	if more := len(l.Doings) - maxDoings; more > 0 {
		p.end()
		p.para(0, "and "+count(more)+" more: see -o ndjson")
	}
	writeGaps(p, l.Gaps, l.Complete)
	return p.writeTo(out)
}

// maxDoings is how many lines the summary tells of.
const maxDoings = 20

func (l *Live) span() string {
	if d := age(l.Time, l.Started); d != "" {
		return d
	}
	return "0s"
}

// means tells what the answer rests on.
func (l *Live) means(p *page) {
	p.row(0, "Mechanism", clip(l.Mechanism, maxQuote)+": "+clip(l.Misses, maxQuote))
	for _, refused := range l.Refused {
		p.row(0, "", "not used: "+clip(refused, maxQuote))
	}
	watched := "none is installed: submissions are not seen"
	if len(l.Programs) > 0 {
		watched = clip(strings.Join(l.Programs, ", "), maxQuote)
	}
	p.row(0, "Programs", watched)
	if len(l.Pages) > 0 {
		p.row(0, "Asked", clip(strings.Join(l.Pages, ", "), maxQuote))
	}
	if own := l.own(); own != "" {
		p.row(0, "Mail system", own+" (mail from the network, bounces, forwards): not shown")
	}
	if l.Folded > 0 {
		p.row(0, "Left out", plural(l.Folded, "name")+" of scripts: there were too many")
	}
}

func (l *Live) own() string {
	var words []string
	for _, one := range l.Own {
		words = append(words, clip(one.Login, maxLogin)+" "+count(one.Count))
	}
	return strings.Join(words, ", ")
}

// liveSource is a source with all that it did, but having scripts open.
type liveSource struct {
	source spoor.Source
	known  spoor.Known
	uid    int
	count  int
}

// stop is the command that stops it; "" where there is none that helps: nobody is
// named, or it is the administrator.
func (s *liveSource) stop() string {
	if s.source.Kind == spoor.KindUnknown || s.uid == 0 {
		return ""
	}
	return Command("spoor", "stop", s.source.String())
}

// ranked are the sources that sent something, the busiest first.
func (l *Live) ranked() []liveSource {
	var list []liveSource
	for i := range l.Doings {
		d := &l.Doings[i]
		if d.Activity == spoor.ActivityOpenScript {
			continue
		}
		at := slices.IndexFunc(list, func(s liveSource) bool { return s.source == d.Source })
		if at < 0 {
			list = append(list, liveSource{source: d.Source, known: d.Known, uid: d.UID})
			at = len(list) - 1
		}
		list[at].count += d.Count
		if d.Known.Certainty > list[at].known.Certainty {
			list[at].known = d.Known
		}
	}
	slices.SortStableFunc(list, func(a, b liveSource) int { return cmp.Compare(b.count, a.count) })
	return list
}

// sources ranks them, each with the next command.
func (l *Live) sources(p *page) {
	list := l.ranked()
	if len(list) == 0 {
		p.end()
		p.para(0, "Nobody was seen to send mail.")
		return
	}
	p.heading("Who sends now")
	for _, one := range list[:min(len(list), maxDoings)] {
		digits := count(one.count)
		p.tab(max(7-len(digits), 0))
		p.put(digits + "  ")
		p.flow(clip(one.source.String(), maxQuote) + "  " + knownWords(one.known))
		p.end()
		if command := one.stop(); command != "" {
			p.tab(9)
			p.put("stop it: ")
			p.command(command)
		}
	}
}

func knownWords(k spoor.Known) string {
	if k.How == "" {
		return k.Certainty.String()
	}
	return k.Certainty.String() + " (" + clip(k.How, maxQuote) + ")"
}

// writeDoing tells of one line of the table how it is known.
func writeDoing(p *page, d *spoor.Doing) {
	p.paint(sgrBold, count(d.Count)+" "+activityWords(d))
	p.end()
	p.row(2, "Source", clip(d.Source.String(), maxQuote)+"  "+knownWords(d.Known))
	if d.Script != "" {
		p.row(2, "Script", clip(d.Script, maxQuote)+"  "+knownWords(d.ScriptKnown))
	}
	p.row(2, "Runs as", userWords(d))
	if d.Client != "" {
		words := clip(d.Client, maxAddress) + "  " + knownWords(d.ClientKnown)
		if d.Clients > 1 {
			words += ", the last of " + count(d.Clients)
		}
		p.row(2, "Client", words)
	}
	p.row(2, "Seen", p.style.moment(d.First)+" to "+p.style.format(d.Last, "15:04:05"))
}

func activityWords(d *spoor.Doing) string {
	switch d.Activity {
	case spoor.ActivityConnection:
		return noun(d.Count, "connection") + " to a mail server"
	case spoor.ActivityOpenScript:
		return noun(d.Count, "process", "processes") + " with a script open (it need not send)"
	case spoor.ActivitySubmission:
	}
	return noun(d.Count, "submission") + " to the mail system"
}

// noun is a noun in the number of n.
func noun(n int, one string, many ...string) string {
	switch {
	case n == 1:
		return one
	case len(many) > 0:
		return many[0]
	}
	return one + "s"
}

func userWords(d *spoor.Doing) string {
	if d.UID < 0 {
		return "unknown: the process had ended"
	}
	words := "uid " + strconv.Itoa(d.UID)
	if d.Login != "" {
		words += " (" + clip(d.Login, maxLogin) + ")"
	}
	return words
}
