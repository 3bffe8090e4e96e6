// Floor prints the least that any tool can spend on a qmail queue.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"spoor/bench/floor"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		_, _ = fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("floor", flag.ContinueOnError)
	queue := flags.String("queue", "/var/qmail/queue", "the queue to read")
	workers := flags.Int("workers", 1, "goroutines")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *workers < 1 {
		return fmt.Errorf("--workers %d: at least 1 is needed", *workers)
	}
	c, err := floor.Measure(*queue, *workers)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d mess and %d info files, %d bytes; listed in %.3f s, read with %d goroutines in %.3f s: %.2f us a message\n",
		c.Mess, c.Info, c.Bytes, c.Listing.Seconds(), *workers, c.Reading.Seconds(), float64(c.PerMessage())/float64(time.Microsecond))
	return err
}
