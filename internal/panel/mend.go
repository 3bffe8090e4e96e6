package panel

import (
	"context"

	"spoor"
)

// Mender is implemented by panels that have a command for what an audit finds. It
// only reads: programs are run to see what they can do, and nothing else. What that
// has not proven is proposed to be done by hand.
type Mender interface {
	Mend(ctx context.Context, run Runner, m *spoor.Mending) spoor.Measures
}
