// Pair measures commands against each other: it runs them in turn, A B A B,
// and compares each run with the base's run of the same round, so that what
// else the machine does meanwhile hits both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		_, _ = fmt.Fprintln(os.Stderr, "pair:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("pair", flag.ContinueOnError)
	rounds := flags.Int("n", 5, "measured rounds, after one that is not measured")
	messages := flags.Int("messages", 0, "messages in the queue, for the figures per message")
	base := flags.String("base", "", "name of the command to compare with; the first if empty")
	flags.Usage = func() {
		_, _ = fmt.Fprintln(flags.Output(), "usage: pair [flags] NAME COMMAND ARGUMENT... [-- NAME COMMAND ARGUMENT...]...")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	commands, err := split(flags.Args())
	if err != nil {
		return err
	}
	baseIndex := 0
	if *base != "" {
		baseIndex = slices.IndexFunc(commands, func(c command) bool { return c.name == *base })
	}
	if baseIndex < 0 || *rounds < 1 {
		return fmt.Errorf("--base %s is no command, or -n %d is below 1", *base, *rounds)
	}
	results, err := measure(ctx, commands, *rounds)
	if err != nil {
		return err
	}
	return table{results: results, base: baseIndex, messages: *messages, runnerRSS: ownRSS()}.print(out)
}

// split cuts the arguments into commands at each "--".
func split(args []string) ([]command, error) {
	var list []command
	for len(args) > 0 {
		end := slices.Index(args, "--")
		if end < 0 {
			end = len(args)
		}
		if end < 2 {
			return nil, fmt.Errorf("command %d: a name and a program are needed", len(list)+1)
		}
		list = append(list, command{name: args[0], argv: args[1:end]})
		args = args[min(end+1, len(args)):]
	}
	if len(list) == 0 {
		return nil, errors.New("no command given")
	}
	return list, nil
}
