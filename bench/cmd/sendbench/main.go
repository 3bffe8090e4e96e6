// Sendbench measures what programs in front of sendmail cost: it runs them in turn,
// once for each message, A B A B, so that what else the machine does meanwhile hits
// all of them, and compares each with the first.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "sendbench:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("sendbench", flag.ContinueOnError)
	rounds := flags.Int("n", 1000, "messages for each program, after 20 that are not measured")
	size := flags.Int("size", 4000, "bytes of a message's body")
	if err := flags.Parse(args); err != nil {
		return err
	}
	programs := flags.Args()
	if len(programs) == 0 || *rounds < 1 {
		return errors.New("want NAME=PROGRAM...: the first is the one without anything in front")
	}
	letter := "From: a@shop.example\nTo: b@takes.test\nMessage-ID: <1@shop.example>\nSubject: hello\n\n" + strings.Repeat(strings.Repeat("x", 69)+"\n", *size/70)
	times := make([][]time.Duration, len(programs))
	const warm = 20
	for round := range *rounds + warm {
		for i, program := range programs {
			_, path, _ := strings.Cut(program, "=")
			took, err := send(path, letter)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if round >= warm {
				times[i] = append(times[i], took)
			}
		}
	}
	return table(out, programs, times)
}

// send hands one message over, as PHP's mail() does: it writes all of it, then waits.
func send(program, letter string) (time.Duration, error) {
	cmd := exec.Command(program, "-t", "-i") //nolint:noctx // it reads what it gets, and ends
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(in, letter); err != nil {
		return 0, err
	}
	if err := in.Close(); err != nil {
		return 0, err
	}
	err = cmd.Wait()
	return time.Since(start), err
}

func table(out io.Writer, programs []string, times [][]time.Duration) error {
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	base := time.Duration(0)
	_, _ = fmt.Fprintf(out, "%-20s %8s %8s %8s %8s %7s\n", "in front", "p10 ms", "median", "p90", "added", "ratio")
	for i, program := range programs {
		slices.Sort(times[i])
		at := func(percent int) time.Duration { return times[i][(len(times[i])-1)*percent/100] }
		if i == 0 {
			base = at(50)
		}
		name, _, _ := strings.Cut(program, "=")
		if _, err := fmt.Fprintf(out, "%-20s %8.3f %8.3f %8.3f %+8.3f %7.2f\n", name, milliseconds(at(10)), milliseconds(at(50)), milliseconds(at(90)),
			milliseconds(at(50)-base), float64(at(50))/float64(base)); err != nil {
			return err
		}
	}
	return nil
}
