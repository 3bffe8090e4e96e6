package spoor

import "fmt"

// Class is the outcome of a judgement.
type Class uint8

// The classes, mildest first.
const (
	Normal Class = iota
	Suspect
	Spam
)

var classNames = [...]string{"normal", "suspect", "spam"}

// String returns the word for c.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Family groups the symbols that rest on the same kind of observation. Spam
// needs two families: symbols of one family confirm nothing about each other.
type Family uint8

// The families of evidence.
const (
	FamilyVolume Family = iota
	FamilyRecipients
	FamilyContent
	FamilySender
	FamilyClient
	FamilyBounce
	FamilyTrace
	FamilyOutcome // what receivers answered, from the mail log
	FamilyHistory // volume and logins over time, from the mail log
)

var familyNames = [...]string{"volume", "recipients", "content", "sender", "client", "bounce", "trace", "outcome", "history"}

// String returns the word for f.
func (f Family) String() string {
	if int(f) < len(familyNames) {
		return familyNames[f]
	}
	return fmt.Sprintf("family(%d)", uint8(f))
}

// Reason is one named symbol that speaks for spam (Weight > 0) or against it.
type Reason struct {
	Symbol   string
	Family   Family
	Weight   float64
	Count    int    // the number that Text rests on
	Text     string // in words, with numbers that Evidence lets the reader recount
	Check    string // the spoor command that recounts Count; "" where Evidence shows it all
	Evidence []Evidence
}

// Verdict is the judgement of one source.
type Verdict struct {
	Source     Source
	Class      Class
	Confidence float64 // that the source sends spam, from 0 to 1
	Score      float64 // the sum of the weights
	Reasons    []Reason
}

// Finding is a weakness of the server that lets spam happen.
type Finding struct {
	Check    string
	Severity string // "high", "medium" or "low"
	Subject  string // the domain, file or range it is about
	Text     string
	Fix      string // the command that repairs it; "" where there is none
	Evidence []Evidence
}

// Obstacle is a reason why mail is slow or stuck on this server.
type Obstacle struct {
	Name     string // for example "remote-concurrency", "blocked-by-receiver", "todo-backlog"
	Severity string // "high", "medium" or "low"
	Count    int    // the number that Text rests on
	Text     string // in words, with its numbers
	Try      string // what to do, in words or as a command that is safe; "" where nothing is known
	Evidence []Evidence
}

// ParseClass is the inverse of Class.String.
func ParseClass(word string) (Class, bool) {
	for i, name := range classNames {
		if name == word {
			return Class(i), true
		}
	}
	return Normal, false
}
