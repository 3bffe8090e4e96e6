package report

import (
	"errors"
	"io"

	"spoor"
)

// Problem tells err to an operator. A *spoor.Problem takes up to three lines:
// what failed, what that means, the next safe command. Any other error takes
// one. A command that cannot be copied as it stands is left out.
func Problem(out io.Writer, err error) error {
	lines := append(AppendEscaped([]byte("spoor: "), err.Error()), '\n')
	var problem *spoor.Problem
	if errors.As(err, &problem) {
		if problem.So != "" {
			lines = append(AppendEscaped(append(lines, "  so:  "...), problem.So), '\n')
		}
		if copyable(problem.Try) {
			lines = append(append(append(lines, "  try: "...), problem.Try...), '\n')
		}
	}
	_, err = out.Write(lines)
	return err
}
