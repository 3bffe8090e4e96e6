package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// command is what is measured. Its standard output is thrown away.
type command struct {
	name string
	argv []string
}

// usage is what one run took.
type usage struct {
	wall time.Duration
	cpu  time.Duration // user and system
	rss  int64         // bytes, at the most
}

// result is all measured runs of one command, one a round.
type result struct {
	name string
	runs []usage
}

// measure runs the commands in turn. The first round only warms the caches.
func measure(ctx context.Context, commands []command, rounds int) ([]result, error) {
	results := make([]result, len(commands))
	for i, c := range commands {
		results[i].name = c.name
	}
	for round := range rounds + 1 {
		for i, c := range commands {
			one, err := c.run(ctx)
			if err != nil {
				return nil, err
			}
			if round > 0 {
				results[i].runs = append(results[i].runs, one)
			}
		}
	}
	return results, nil
}

func (c command) run(ctx context.Context) (usage, error) {
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return usage{}, fmt.Errorf("run %s: %w", c.name, err)
	}
	wall := time.Since(start)
	state := cmd.ProcessState
	one := usage{wall: wall, cpu: state.UserTime() + state.SystemTime()}
	if r, ok := state.SysUsage().(*syscall.Rusage); ok {
		one.rss = r.Maxrss << 10 // Linux counts in KiB, getrusage(2)
	}
	return one, nil
}

// ownRSS is the most memory that this process ever had, in bytes. Linux counts
// it for every child too, since a child starts as a copy of its parent: smaller
// children cannot be told apart.
func ownRSS() int64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return r.Maxrss << 10
}
