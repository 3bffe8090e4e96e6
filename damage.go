package spoor

import (
	"cmp"
	"slices"
)

// Severity says what a damage does to mail.
type Severity uint8

// The severities, worst first.
const (
	SeverityHigh   Severity = iota // mail is lost, stuck or sent twice
	SeverityMedium                 // mail may get stuck, or a protection is off
	SeverityLow                    // untidy: nothing happens to mail
)

var severityNames = [...]string{"high", "medium", "low"}

// Severities lists every Severity, worst first.
func Severities() []Severity { return []Severity{SeverityHigh, SeverityMedium, SeverityLow} }

// String returns the word that reports use.
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return "unknown"
}

// Damage is one way in which a queue is not as its MTA wants it.
type Damage struct {
	Check    string // a word for programs: "misnamed"
	Severity Severity
	Means    string // what it does to mail, for people
	Count    int
	Examples []string // the first MaxExamples, raw
	Repair   string   // a command, or ""
	Advice   string   // what to do where no command of spoor does it, or ""
}

// MaxExamples is how many examples a Damage keeps.
const MaxExamples = 3

// QueueCheck is what was found out about the soundness of a queue.
type QueueCheck struct {
	Queue    string   // where it is, below the root
	Layout   string   // for people: "split 23, todo flat"
	Messages int      // files that hold a message
	Files    int      // looked at
	Notes    []string // what is worth knowing and no damage, raw
	Damages  []Damage // worst first
	Unread   []Gap    // what could not be looked at
}

// Clean reports whether nothing is wrong with the queue, and all of it was seen.
func (c *QueueCheck) Clean() bool { return len(c.Damages) == 0 && len(c.Unread) == 0 }

// Sort puts the worst first; among equals, the most frequent.
func (c *QueueCheck) Sort() {
	slices.SortStableFunc(c.Damages, func(a, b Damage) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Check, b.Check))
	})
}

// Damages collects damage of the kinds of a catalogue. Of each kind it counts all
// and keeps the first examples.
type Damages struct {
	kinds map[string]Damage
	found map[string]*Damage
	order []string
}

// NewDamages collects damage of these kinds, whose Check, Severity, Means, Repair
// and Advice are set.
func NewDamages(catalogue []Damage) *Damages {
	d := &Damages{kinds: map[string]Damage{}, found: map[string]*Damage{}}
	for _, kind := range catalogue {
		d.kinds[kind.Check] = kind
	}
	return d
}

// Add counts one damage. A word that is not in the catalogue is a high one.
func (d *Damages) Add(check, example string) {
	one, ok := d.found[check]
	if !ok {
		kind := d.kinds[check]
		kind.Check = check
		one = &kind
		d.found[check] = one
		d.order = append(d.order, check)
	}
	one.Count++
	if len(one.Examples) < MaxExamples {
		one.Examples = append(one.Examples, example)
	}
}

// List returns what was counted, in the order in which it was first found.
func (d *Damages) List() []Damage {
	list := make([]Damage, 0, len(d.order))
	for _, check := range d.order {
		list = append(list, *d.found[check])
	}
	return list
}
