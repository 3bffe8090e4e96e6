// Plainwrapper is the wrapper around sendmail that one writes first: it logs the
// working directory, adds a header field and pipes the message into the real one. It
// is the peer of bench/shim.sh.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	if err := run(os.Getenv("REAL_SENDMAIL"), os.Getenv("WRAPPER_LOG")); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Exit(exit.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "plainwrapper:", err)
		os.Exit(1)
	}
}

func run(sendmail, log string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	fmt.Fprintln(f, dir)
	cmd := exec.Command(sendmail, os.Args[1:]...) //nolint:noctx // as a plain wrapper does
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	fmt.Fprintf(in, "X-Additional-Header: %s\n", dir)
	_, _ = io.Copy(in, os.Stdin)
	_ = in.Close()
	return errors.Join(cmd.Wait(), f.Close())
}
