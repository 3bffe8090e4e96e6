package spoor

// Problem is an error told to an operator: what failed, with its exact path or
// line; what it means for the answer; the next safe command.
type Problem struct {
	What string
	So   string
	Try  string // never a command that is unsafe, or that would need quoting
	Err  error  // the cause, for errors.Is; may be nil
}

// Error returns What.
func (p *Problem) Error() string { return p.What }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }
