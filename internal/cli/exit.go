package cli

import (
	"context"
	"errors"
	"io/fs"

	"spoor"
	"spoor/internal/mta"
	"spoor/internal/report"
)

// The exit statuses, as the manual lists them.
const (
	exitDone        = 0
	exitFailure     = 1
	exitUsage       = 2
	exitNothing     = 3
	exitPartial     = 4
	exitRefused     = 5
	exitNoMTA       = 6
	exitLocked      = 7
	exitInterrupted = 130
)

// statusError ends the program with a status of its own.
type statusError struct {
	status int
	err    error // what to tell; nil if everything is said
}

func (e *statusError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

// usage makes err the fault of the command line.
func usage(err error) error { return usageTry(err, "spoor --help") }

func usageTry(err error, try string) error {
	return &statusError{status: exitUsage, err: &spoor.Problem{What: err.Error(), Try: try, Err: err}}
}

func isUsage(err error) bool {
	var known *statusError
	return errors.As(err, &known) && known.status == exitUsage && known.err != nil
}

// partial is returned after an answer that could not be complete.
func partial() error { return &statusError{status: exitPartial} }

// nothing is returned where no message or source matches.
func nothing(what, try string) error {
	return &statusError{status: exitNothing, err: &spoor.Problem{What: what, Try: try}}
}

// isNothing reports whether an error only says that nothing matches.
func isNothing(err error) bool {
	var known *statusError
	return errors.As(err, &known) && known.status == exitNothing
}

// refused is returned where something is not done because it is not safe, or not
// confirmed.
func refused(p *spoor.Problem) error { return &statusError{status: exitRefused, err: p} }

// refuse says what was refused, and why.
func refuse(what, so, try string) error {
	return refused(&spoor.Problem{What: what, So: so, Try: try})
}

// exitStatus tells a failure on standard error and returns the exit status.
func exitStatus(ctx context.Context, err error, env Environment) int {
	if err == nil {
		return exitDone
	}
	status := statusOf(ctx, err)
	var known *statusError
	if errors.As(err, &known) {
		if err = known.err; err == nil {
			return status
		}
	}
	_ = report.Problem(env.Err, err)
	return status
}

// statusOf is the status that an error ends the program with.
func statusOf(ctx context.Context, err error) int {
	var known *statusError
	switch {
	case errors.As(err, &known):
		return known.status
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.Is(err, mta.ErrGone):
		return exitNothing
	case errors.Is(err, fs.ErrPermission):
		return exitNoMTA
	}
	return exitFailure
}
