package postfix

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"spoor/internal/host"
	"spoor/internal/mta"
)

// commands are Postfix' own programs, for one instance.
type commands struct {
	run    mta.Runner
	folder string // where they are
	config string // config_directory of the instance
}

var errNoCommands = errors.New("postsuper is neither in /usr/sbin nor in command_directory")

// findCommands looks where the programs are: in /usr/sbin, or where main.cf says.
// PATH is the caller's, and not asked.
func findCommands(root *host.Root, main *MainCF, run mta.Runner) (commands, error) {
	for _, folder := range []string{"/usr/sbin", main.Get("command_directory")} {
		if path.IsAbs(folder) && root.Exists(path.Join(folder, "postsuper")) {
			return commands{run, folder, main.folder}, nil
		}
	}
	return commands{}, errNoCommands
}

// commandIDs is how many messages one postsuper is given.
const commandIDs = 4000

// postsuper runs postsuper(1) for queue IDs. Its failure says little: it may have
// acted on most of them, so what it did is to be found in the queue.
func (c commands) postsuper(ctx context.Context, ids []string, action string, queues ...string) error {
	var errs []error
	for len(ids) > 0 && ctx.Err() == nil {
		n := min(len(ids), commandIDs)
		input := strings.Join(ids[:n], "\n") + "\n"
		ids = ids[n:]
		args := append([]string{"-c", c.config, action, "-"}, queues...)
		output, err := c.run.Run(ctx, []byte(input), path.Join(c.folder, "postsuper"), args...)
		if err != nil {
			errs = append(errs, fmt.Errorf("postsuper %s: %w: %q", action, err, lastLine(output)))
		}
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// postqueue runs postqueue(1).
func (c commands) postqueue(ctx context.Context, args ...string) error {
	output, err := c.run.Run(ctx, nil, path.Join(c.folder, "postqueue"), append([]string{"-c", c.config}, args...)...)
	if err != nil {
		return fmt.Errorf("postqueue %s: %w: %q", args[0], err, lastLine(output))
	}
	return nil
}

// lastLine is where a program of Postfix says why it gave up.
func lastLine(output []byte) string {
	text := strings.TrimSpace(string(output))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
