// Postfixrm removes everything from a queue of Postfix the way spoor does, without
// a vault: what is packed is read and thrown away. It is set against postsuper -d
// ALL on an equal queue.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/host"
	"spoor/internal/mta"
	"spoor/internal/mta/postfix"
)

func main() {
	dir := flag.String("root", "", "root of the server, with the programs of Postfix in it")
	stopped := flag.Bool("stopped", false, "as if Postfix were stopped; otherwise as if it ran")
	flag.Parse()
	if err := run(*dir, *stopped); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "postfixrm:", err)
		os.Exit(1)
	}
}

// batchSize is how many messages are acted on at once.
const batchSize = 1000

// inRoot runs programs below a root.
type inRoot string

func (r inRoot) Run(ctx context.Context, input []byte, name string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.SysProcAttr, command.Dir = &syscall.SysProcAttr{Chroot: string(r)}, "/"
	command.Stdin = bytes.NewReader(input)
	return command.CombinedOutput()
}

func run(dir string, stopped bool) error {
	if !stopped {
		lock, err := os.OpenFile(filepath.Join(dir, "var/spool/postfix/pid/master.pid"), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		defer func() { _ = lock.Close() }()
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			return err
		}
	}
	root, err := host.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	passwd, err := root.Passwd(&spoor.Gaps{})
	if err != nil {
		return err
	}
	top, err := disk.Open(dir, nil)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	server := &mta.Server{Root: root, Passwd: passwd, Gaps: &spoor.Gaps{}}
	targets, err := list(server)
	if err != nil {
		return err
	}
	start := time.Now()
	c, err := postfix.Adapter().Control(server, mta.Control{Top: top, Live: true, Plan: "bench", Run: inRoot(dir)})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	spent := map[string]time.Duration{}
	for from := 0; from < len(targets); from += batchSize {
		if err := remove(c, targets[from:min(from+batchSize, len(targets))], spent); err != nil {
			return err
		}
	}
	_, err = fmt.Printf("%d messages in %.2f s: take %.2f, pack %.2f, settle %.2f, discard %.2f\n", len(targets), time.Since(start).Seconds(),
		spent["take"].Seconds(), spent["pack"].Seconds(), spent["settle"].Seconds(), spent["discard"].Seconds())
	return err
}

// list reads the queue.
func list(server *mta.Server) ([]spoor.Target, error) {
	q, err := postfix.Adapter().Open(server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = q.Close() }()
	scan, err := q.Scan(context.Background(), mta.Want{})
	if err != nil {
		return nil, err
	}
	var targets []spoor.Target
	for _, part := range scan.Parts {
		for m, err := range part {
			if err != nil {
				return nil, err
			}
			targets = append(targets, spoor.TargetOf(m))
		}
	}
	return targets, nil
}

var errLeft = errors.New("not everything was removed")

func remove(c mta.Controller, batch []spoor.Target, spent map[string]time.Duration) error {
	step := func(name string, do func() error) error {
		start := time.Now()
		defer func() { spent[name] += time.Since(start) }()
		return do()
	}
	return errors.Join(
		step("take", func() error { return done(c.Take(context.Background(), batch)) }),
		step("pack", func() error { return pack(c, batch) }),
		step("settle", c.Settle),
		step("discard", func() error { return done(c.Discard(context.Background(), batch)) }),
	)
}

func done(outcomes []spoor.Outcome, err error) error {
	for _, one := range outcomes {
		if one.Result != spoor.ResultDone {
			return errors.Join(errLeft, one.Err, err)
		}
	}
	return err
}

func pack(c mta.Controller, batch []spoor.Target) error {
	for i := range batch {
		p, err := c.Pack(&batch[i])
		if err != nil {
			return err
		}
		for j := range p.Files {
			content, err := p.Files[j].Open()
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, content)
			if err := errors.Join(err, content.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}
