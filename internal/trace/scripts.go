package trace

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"spoor"
)

// How messages are set against requests and against lines of PHP mail logs.
const (
	scriptBefore = 3 * time.Second // a request may come so long before the message
	scriptAfter  = time.Second     // or after it: clocks of logs are cut to the second
	scriptIdle   = time.Minute     // a burst begins when there was nothing for so long

	scriptMaxConfidence  = 0.95 // the log proves a request, never what it did
	scriptHitConfidence  = 0.85 // at most, from requests alone
	scriptMailConfidence = 0.93 // at most, from PHP mail logs alone: whole servers may write to them
	scriptMinConfidence  = 0.05 // below this a candidate is noise
	scriptMaxCandidates  = 10
	scriptQuotes         = 3   // of each log, as evidence
	scriptURLBytes       = 200 // of a URL, in the text
)

// RankScripts ranks the scripts and sites that may have sent mail that was
// queued under the web server's UID, likeliest first. Injections are when the
// messages were queued; hits are all POST requests of that time to all sites,
// with some minutes before and after; mails are PHP mail-log lines of the same
// time. Their order does not matter, and they are not changed.
//
// A candidate is no fact: its Confidence is at most 0.95. It rests on how many
// messages have a request within seconds, less how many would have one by
// chance; chance is what remains when the messages are moved in time by up to
// two minutes, so a URL that is requested every second explains nothing. A site
// stands for requests that name no file, by the URL that explains most.
func RankScripts(injections []time.Time, hits []spoor.WebHit, mails []spoor.ScriptMail) []spoor.Candidate {
	clock := newScriptClock(injections, hits)
	if len(clock.messages) == 0 {
		return nil
	}
	traces := clock.traces(hits, mails)
	best := map[spoor.Source]spoor.Candidate{}
	for _, t := range traces {
		candidate := t.candidate(clock, len(traces))
		old, known := best[candidate.Source]
		if candidate.Confidence >= scriptMinConfidence && (!known || compareScriptCandidates(candidate, old) < 0) {
			best[candidate.Source] = candidate
		}
	}
	ranked := make([]spoor.Candidate, 0, len(best))
	for _, candidate := range best {
		ranked = append(ranked, candidate)
	}
	slices.SortFunc(ranked, compareScriptCandidates)
	return ranked[:min(len(ranked), scriptMaxCandidates)]
}

func compareScriptCandidates(a, b spoor.Candidate) int {
	return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), a.Source.Compare(b.Source), strings.Compare(a.Text, b.Text))
}

// scriptMark is one line of a log: a request, or a call of mail().
type scriptMark struct {
	at    time.Duration // since the clock's zero
	place spoor.Evidence
}

// scriptTrace is what the logs tell of one candidate.
type scriptTrace struct {
	source spoor.Source
	url    string // where the source is a site
	posts  []scriptMark
	mails  []scriptMark
}

// traces groups the lines by file, or by site and URL where the file is not
// known.
func (c scriptClock) traces(hits []spoor.WebHit, mails []spoor.ScriptMail) []*scriptTrace {
	type key struct {
		source spoor.Source
		url    string
	}
	traces := map[key]*scriptTrace{}
	of := func(k key) *scriptTrace {
		if traces[k] == nil {
			traces[k] = &scriptTrace{source: k.source, url: k.url}
		}
		return traces[k]
	}
	for _, hit := range hits {
		k := key{source: spoor.Source{Kind: spoor.KindScript, Name: hit.Script}}
		if hit.Script == "" {
			k = key{source: spoor.Source{Kind: spoor.KindSite, Name: hit.Site}, url: hit.URL}
		}
		if k.source.Name != "" && !hit.Time.IsZero() {
			t := of(k)
			t.posts = append(t.posts, scriptMark{at: c.at(hit.Time), place: hit.Place})
		}
	}
	for _, mail := range mails {
		if mail.Script != "" && !mail.Time.IsZero() {
			t := of(key{source: spoor.Source{Kind: spoor.KindScript, Name: mail.Script}})
			t.mails = append(t.mails, scriptMark{at: c.at(mail.Time), place: mail.Place})
		}
	}
	list := make([]*scriptTrace, 0, len(traces))
	for _, t := range traces {
		slices.SortFunc(t.posts, compareScriptMarks)
		slices.SortFunc(t.mails, compareScriptMarks)
		list = append(list, t)
	}
	return list
}

func compareScriptMarks(a, b scriptMark) int {
	return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.place.File, b.place.File),
		cmp.Compare(a.place.Line, b.place.Line), strings.Compare(a.place.Text, b.place.Text))
}

// candidate judges one trace among so many.
func (t *scriptTrace) candidate(clock scriptClock, among int) spoor.Candidate {
	posts, mails := clock.fit(t.posts), clock.fit(t.mails)
	byPosts := posts.confidence(among) * scriptHitConfidence
	byMails := mails.confidence(among) * scriptMailConfidence
	confidence := 1 - (1-byPosts)*(1-byMails)
	return spoor.Candidate{
		Source:     t.source,
		Confidence: min(scriptMaxConfidence, math.Round(confidence*100)/100),
		Text:       t.text(posts, mails),
		Evidence:   append(clock.quote(t.posts), clock.quote(t.mails)...),
	}
}

func (t *scriptTrace) text(posts, mails scriptFit) string {
	var parts []string
	if posts.marks > 0 {
		to := "it"
		if t.url != "" {
			to = t.url[:min(len(t.url), scriptURLBytes)]
		}
		parts = append(parts,
			fmt.Sprintf("%d of %d messages have a POST to %s within %d s", posts.matched, posts.messages, to, int(scriptBefore.Seconds())),
			scriptCount(posts.marks, "POST")+" in all",
			fmt.Sprintf("chance explains %.1f messages", posts.chance))
		if posts.starts > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d bursts of mail begin with a burst of POSTs", posts.starts, posts.bursts))
		}
	}
	if mails.marks > 0 {
		parts = append(parts,
			fmt.Sprintf("the PHP mail log names it for %d of %d messages", mails.matched, mails.messages),
			scriptCount(mails.marks, "line")+" in all")
	}
	return strings.Join(parts, "; ")
}

func scriptCount(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// scriptFit says how well the marks of one trace fit the messages.
type scriptFit struct {
	messages int
	matched  int     // messages with a mark near them
	chance   float64 // messages that have one when they are moved in time; the mean
	near     int     // marks with a message near them
	marks    int
	episodes int // of messages, that may count as independent
	bursts   int // of messages
	starts   int // bursts of messages that begin with a burst of marks
}

// confidence is between 0 and 1, of one candidate among so many.
func (f scriptFit) confidence(among int) float64 {
	if f.matched == 0 {
		return 0
	}
	share := float64(f.matched) / float64(f.messages)
	trials := float64(f.episodes * len(scriptShifts()))
	chance := (f.chance/float64(f.messages)*trials + 0.5) / (trials + 1)
	fit := max(0, share-chance)
	if f.bursts > 0 { // marks as dense as the messages show themselves only where they begin
		fit += (1 - fit) * 0.6 * share * float64(f.starts) / float64(f.bursts)
	}
	// How surprising the fit is, in nats, if the candidate had nothing to do with
	// the mail; less what trying many candidates finds anyway.
	surprise := float64(f.episodes)*scriptDivergence(share, chance) +
		float64(f.starts)*math.Log(scriptIdle.Seconds()/(scriptBefore+scriptAfter).Seconds()) -
		math.Log(float64(among))
	if surprise <= 0 {
		return 0
	}
	useful := 0.6 + 0.4*float64(f.near)/float64(f.marks) // requests that send nothing speak mildly against it
	return fit * (1 - math.Exp(-surprise/3)) * useful
}

// scriptDivergence is the Kullback-Leibler divergence of two coins in nats; 0 where
// the first shows heads no more often than the second.
func scriptDivergence(p, q float64) float64 {
	if p <= q {
		return 0
	}
	d := p * math.Log(p/q)
	if p < 1 {
		d += (1 - p) * math.Log((1-p)/(1-q))
	}
	return d
}

// scriptShifts are the moves in time, in either direction, that show what
// chance alone matches. They have no common period with requests of a robot.
func scriptShifts() []time.Duration {
	var shifts []time.Duration
	for _, seconds := range []int{7, 11, 17, 23, 31, 43, 59, 83, 113} {
		shift := time.Duration(seconds) * time.Second
		shifts = append(shifts, shift, -shift)
	}
	return shifts
}

// scriptClock is when messages were queued. Times are counted from the first
// message.
type scriptClock struct {
	zero     time.Time
	messages []time.Duration // sorted
	starts   []time.Duration // of bursts of messages
	episodes int
	first    time.Duration // of all that is known
}

func newScriptClock(injections []time.Time, hits []spoor.WebHit) scriptClock {
	known := slices.DeleteFunc(slices.Clone(injections), time.Time.IsZero)
	if len(known) == 0 {
		return scriptClock{}
	}
	c := scriptClock{zero: slices.MinFunc(known, time.Time.Compare)}
	for _, t := range known {
		c.messages = append(c.messages, c.at(t))
	}
	slices.Sort(c.messages)
	for _, hit := range hits {
		if !hit.Time.IsZero() {
			c.first = min(c.first, c.at(hit.Time))
		}
	}
	c.starts = scriptStarts(c.messages, c.first)
	episode := time.Duration(0)
	for i, at := range c.messages {
		if i == 0 || at-episode > scriptBefore+scriptAfter {
			c.episodes++
			episode = at
		}
	}
	return c
}

// at is when t was on the clock. Years that only a damaged log can name are cut
// off.
func (c scriptClock) at(t time.Time) time.Duration {
	const century = 100 * 365 * 24 * time.Hour
	return max(-century, min(century, t.Sub(c.zero)))
}

// scriptStarts lists the times with nothing for scriptIdle before them. What is
// not known to have been idle, at the beginning of all that is known, counts
// for none.
func scriptStarts(times []time.Duration, first time.Duration) []time.Duration {
	var starts []time.Duration
	last := first
	for _, at := range times {
		if at-last >= scriptIdle {
			starts = append(starts, at)
		}
		last = at
	}
	return starts
}

// fit sets marks, sorted by time, against the messages.
func (c scriptClock) fit(marks []scriptMark) scriptFit {
	times := make([]time.Duration, len(marks))
	for i, mark := range marks {
		times[i] = mark.at
	}
	f := scriptFit{messages: len(c.messages), marks: len(marks), episodes: c.episodes, bursts: len(c.starts)}
	f.matched = matchScriptTimes(c.messages, times, 0)
	if f.matched == 0 {
		return f
	}
	shifts := scriptShifts()
	for _, shift := range shifts {
		f.chance += float64(matchScriptTimes(c.messages, times, shift)) / float64(len(shifts))
	}
	for _, at := range times {
		if c.isNear(at) {
			f.near++
		}
	}
	f.starts = matchScriptTimes(c.starts, scriptStarts(times, c.first), 0)
	return f
}

// matchScriptTimes counts the messages that, moved by shift, have a mark near
// them. Both lists are sorted.
func matchScriptTimes(messages, marks []time.Duration, shift time.Duration) int {
	count := 0
	for _, mark := range marks {
		from, _ := slices.BinarySearch(messages, mark-scriptAfter-shift)
		messages = messages[from:]
		near, _ := slices.BinarySearch(messages, mark+scriptBefore-shift+1)
		count += near
		messages = messages[near:]
	}
	return count
}

func (c scriptClock) isNear(mark time.Duration) bool {
	i, _ := slices.BinarySearch(c.messages, mark-scriptAfter)
	return i < len(c.messages) && c.messages[i] <= mark+scriptBefore
}

// quote cites the first, the last and a middle one of the marks near messages.
func (c scriptClock) quote(marks []scriptMark) []spoor.Evidence {
	var near []spoor.Evidence
	for _, mark := range marks {
		if c.isNear(mark.at) {
			near = append(near, mark.place)
		}
	}
	if len(near) > scriptQuotes {
		near = []spoor.Evidence{near[0], near[len(near)/2], near[len(near)-1]}
	}
	return near
}
