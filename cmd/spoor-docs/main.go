// Command spoor-docs writes spoor's man pages, from the same definitions that
// make its help and its completion.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"spoor/internal/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: spoor-docs DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "spoor-docs:", err)
		os.Exit(1)
	}
}

// write makes one page for each command. The date is fixed, so that the pages
// change only when the commands do.
func write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // documents are for everybody
		return err
	}
	root := cli.Command(cli.System())
	dropCompletion(root)
	date := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for _, command := range []*cobra.Command{root, sendmailPage()} {
		if err := doc.GenManTree(command, &doc.GenManHeader{Section: "8", Source: "spoor", Manual: "spoor manual", Date: &date}, dir); err != nil {
			return err
		}
	}
	return nil
}

// dropCompletion leaves out cobra's own pages: spoor completion --help says it
// all.
func dropCompletion(root *cobra.Command) {
	for _, command := range root.Commands() {
		if command.Name() == "completion" {
			root.RemoveCommand(command)
		}
	}
}
