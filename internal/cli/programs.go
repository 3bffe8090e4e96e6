package cli

import (
	"bytes"
	"context"
	"os/exec"
	"syscall"
	"time"
)

// programs runs the MTA's own commands. It implements mta.Runner.
type programs struct{}

// Run runs a program by its path, without a shell and with an environment of its
// own. It is not in the terminal's process group: an interrupt must not cut the
// MTA's tool in two.
func (programs) Run(ctx context.Context, input []byte, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // adapters name the MTA's own programs by fixed paths
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(input)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 10 * time.Second
	return cmd.CombinedOutput()
}
