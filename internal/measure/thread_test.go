package measure

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

func lockThread() { runtime.LockOSThread() }

// resetFolder sets the times of a folder back to what stand.write gives them.
func resetFolder(t *testing.T, name string) {
	t.Helper()
	old := time.Date(2020, 3, 1, 12, 0, 0, 123456789, time.UTC)
	must(t, os.Chtimes(name, old, old.Add(time.Minute)))
}

// shell is a Runner of real programs.
type shell struct{}

func (shell) Run(ctx context.Context, input []byte, name string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Stdin = bytes.NewReader(input)
	return command.CombinedOutput()
}
