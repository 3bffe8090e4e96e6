// Queuegen writes a synthetic server with a full queue of Postfix or Exim.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"spoor/bench/queuegen"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		_, _ = fmt.Fprintln(os.Stderr, "queuegen:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	o := queuegen.Options{Now: time.Now()} // the MTAs' own tools have no other clock
	flags := flag.NewFlagSet("queuegen", flag.ContinueOnError)
	mta := flags.String("mta", "postfix", "postfix or exim")
	flags.StringVar(&o.Dir, "out", "", "root of the server to write; must not hold a queue yet")
	flags.IntVar(&o.Messages, "messages", 50000, "messages in the queue")
	flags.Uint64Var(&o.Seed, "seed", 1, "what the messages are drawn from")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.Dir == "" {
		return errors.New("--out is missing")
	}
	generate := map[string]func(queuegen.Options) error{"postfix": queuegen.Postfix, "exim": queuegen.Exim}[*mta]
	if generate == nil {
		return fmt.Errorf("--mta %s: want postfix or exim", *mta)
	}
	start := time.Now()
	if err := generate(o); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%d messages in %.1f s\n", o.Messages, time.Since(start).Seconds())
	return err
}
