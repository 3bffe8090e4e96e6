package mta

import (
	"spoor"
)

// Mender is implemented by queues whose MTA has settings that mend what an audit
// finds. It only reads, and proposes steps; the caller journals and does them.
type Mender interface {
	Mend(m *spoor.Mending) spoor.Measures
	// Mends reports whether findings of a check can be mended by the MTA's own files:
	// Mend may still find that one cannot.
	Mends(check string) bool
}
