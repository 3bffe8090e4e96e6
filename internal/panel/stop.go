package panel

import (
	"context"

	"spoor"
)

// Stopper is implemented by panels that can be told to take nothing more from a
// source. It only reads: programs are run to see what they can do, and nothing
// else. What that has not proven is proposed to be done by hand.
type Stopper interface {
	Stop(ctx context.Context, run Runner, c *spoor.Culprit) spoor.Measures
	// Stops reports whether sources of a kind can be stopped by the panel's own means:
	// Stop may still find that one cannot.
	Stops(kind spoor.Kind) bool
}

// Runner runs one program without a shell, with input on its standard input, and
// returns what it wrote on both outputs.
type Runner interface {
	Run(ctx context.Context, input []byte, name string, args ...string) (output []byte, err error)
}

// Managed is implemented by panels that write the configuration of the MTA, and
// would undo other people's changes to it.
type Managed interface {
	// ManagesMail is not called for another reason than to be there.
	ManagesMail()
}
