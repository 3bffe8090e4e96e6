// Qmailgen writes a synthetic hosting server with a full qmail queue.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"spoor/bench/qmailgen"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		_, _ = fmt.Fprintln(os.Stderr, "qmailgen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	// A fixed moment, so that one seed always gives the same queue.
	o := qmailgen.Options{Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Workers: 2}
	flags := flag.NewFlagSet("qmailgen", flag.ContinueOnError)
	flags.StringVar(&o.Dir, "out", "", "root of the server to write; must not hold a queue yet")
	flags.IntVar(&o.Messages, "messages", 300000, "messages in the queue")
	flags.Uint64Var(&o.Seed, "seed", 1, "what the messages are drawn from")
	flags.IntVar(&o.Split, "split", 23, "conf-split of the qmail build")
	flags.BoolVar(&o.BigTodo, "bigtodo", false, "split todo and intd too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.Dir == "" {
		return errors.New("--out is missing")
	}
	start := time.Now()
	c, err := qmailgen.Generate(ctx, o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d messages (%d unprocessed, %d bouncing), %d recipients (%d done), %d bytes, in %.1f s\ntruth: %s\n",
		c.Messages, c.Todo, c.Bouncing, c.Recipients, c.Done, c.Bytes, time.Since(start).Seconds(), qmailgen.TruthFile(o.Dir))
	return err
}
