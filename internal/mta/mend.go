package mta

import (
	"spoor"
)

// Mender is implemented by queues whose MTA has settings that mend what an audit
// finds. It only reads, and proposes steps; the caller journals and does them.
type Mender interface {
	Mend(m *spoor.Mending) spoor.Measures
}
