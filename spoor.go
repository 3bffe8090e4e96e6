// Package spoor holds the nouns that every room of the program speaks in:
// messages, recipients, the trail in a message's header, sources, evidence,
// verdicts, findings and problems. Facts enter from the adapters (mta, panel),
// pass through trace and verdict, and leave through report.
//
// The package does no input or output, reads no clock and starts no goroutine.
package spoor

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// Kind says what sort of thing a Source is.
type Kind uint8

// The kinds of source, as docs/architecture.md defines them.
const (
	KindUnknown Kind = iota // nothing in queue, log or panel proves a source
	KindAccount             // an authenticated SMTP login
	KindScript              // a script file, by its path
	KindSite                // a subscription, by its system UID
	KindUser                // a system user that owns no site
	KindNetwork             // a client address that did not authenticate
	KindBounce              // a bounce made on this server (backscatter)
	KindForward             // a forwarder, alias or catch-all address
	KindList                // a mailing list run on this server
)

var kindNames = [...]string{"unknown", "account", "script", "site", "user", "network", "bounce", "forward", "list"}

// Kinds lists every Kind, in the order of their constants.
func Kinds() []Kind {
	kinds := make([]Kind, len(kindNames))
	for i := range kinds {
		kinds[i] = Kind(i)
	}
	return kinds
}

// String returns the word that stands before the colon in a source's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// ParseKind is the inverse of Kind.String.
func ParseKind(word string) (Kind, bool) {
	for i, name := range kindNames {
		if name == word {
			return Kind(i), true
		}
	}
	return KindUnknown, false
}

// Source is what is to blame for a message. It is comparable: two messages have
// the same source exactly when their Source values are equal.
type Source struct {
	Kind Kind
	Name string // account, path, domain, login, address; never escaped
}

// ErrNotASource is returned by ParseSource for text that is not kind:name.
var ErrNotASource = errors.New("not a source")

// String returns kind:name, or the bare kind where there is no name.
func (s Source) String() string {
	if s.Name == "" {
		return s.Kind.String()
	}
	return s.Kind.String() + ":" + s.Name
}

// ParseSource reads what Source.String writes. It returns ErrNotASource for
// anything else.
func ParseSource(text string) (Source, error) {
	word, name, _ := strings.Cut(text, ":")
	kind, ok := ParseKind(word)
	if !ok || (name == "" && kind != KindUnknown) {
		return Source{}, fmt.Errorf("%q: %w (want kind:name, for example site:shop.example)", text, ErrNotASource)
	}
	return Source{Kind: kind, Name: name}, nil
}

// Compare orders sources by kind, then by name.
func (s Source) Compare(t Source) int {
	return cmp.Or(cmp.Compare(s.Kind, t.Kind), strings.Compare(s.Name, t.Name))
}
