package verdict

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"spoor"
)

// minWaiting is how many recipients have to wait for it to be worth a line. A
// handful of dead domains is in every queue.
const minWaiting = 10

// manyWaiting is how many of the recipients that wait make a block grave: one in
// so many.
const manyWaiting = 10

// blocked: receivers that refuse this server, by name.
func blocked(f *Flow) []spoor.Obstacle {
	o := f.grouped(refusesServer, "refuse or slow down this server")
	if o.Count < minWaiting {
		return nil
	}
	o.Name, o.Severity = "blocked-by-receiver", medium
	if o.Count*manyWaiting >= f.Waiting {
		o.Severity = high
	}
	o.Try = "stop the source of the spam before asking to be taken off a list: it would be listed again"
	return []spoor.Obstacle{o}
}

// refusesServer reports whether an answer is about this server's reputation. One
// that calls mail spam is, as long as the mail is only put off.
func refusesServer(a spoor.Answer) bool {
	return a == spoor.AnswerBlocked || a == spoor.AnswerSpam || a == spoor.AnswerRate
}

// deferred: receivers that cannot be reached, or will take the mail later.
func deferred(f *Flow) []spoor.Obstacle {
	o := f.grouped(func(a spoor.Answer) bool { return !refusesServer(a) }, "cannot be reached or put the mail off")
	if o.Count < minWaiting {
		return nil
	}
	o.Name, o.Severity = "deferrals", medium
	o.Try = "spoor queue reasons"
	return []spoor.Obstacle{o}
}

// grouped sums up what waits for some answers.
func (f *Flow) grouped(of func(spoor.Answer) bool, what string) spoor.Obstacle {
	var o spoor.Obstacle
	counts := map[string]int{}
	groups := slices.DeleteFunc(slices.Clone(f.Stuck), func(s Stuck) bool { return !of(s.Answer) })
	slices.SortStableFunc(groups, func(a, b Stuck) int { return cmp.Compare(b.Recipients, a.Recipients) })
	for i := range groups {
		s := &groups[i]
		o.Count += s.Recipients
		counts[s.destination()] += s.Recipients
		if len(o.Evidence) < maxQuoted {
			o.Evidence = append(o.Evidence, s.Example)
		}
	}
	o.Text = fmt.Sprintf("%s wait for receivers that %s: %s",
		partOf(o.Count, f.Waiting, "recipients that were put off"), what, mostWaited(counts))
	return o
}

// destination names where mail waits to go, and why if it is not this server's
// fault. Domains are of the author's choice and are named only if they are plain.
func (s *Stuck) destination() string {
	name := cmp.Or(s.Receiver, s.Domain)
	if !plain(name) {
		name = "domains with odd names"
	}
	if refusesServer(s.Answer) {
		return name
	}
	return name + " (" + s.Answer.String() + ")"
}

// mostWaited lists the destinations with most recipients.
func mostWaited(counts map[string]int) string {
	list := slices.Collect(maps.Keys(counts))
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b)) })
	var words []string
	for _, name := range list[:min(maxNamed, len(list))] {
		words = append(words, name+" "+thousands(counts[name]))
	}
	if more := len(list) - len(words); more > 0 {
		words = append(words, counted(more, "other"))
	}
	return strings.Join(words, ", ")
}
