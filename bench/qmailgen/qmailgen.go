// Package qmailgen makes a synthetic hosting server with a full qmail queue,
// for benchmarks: options go in, a directory tree that spoor can take as its
// root and a table of the truth beside it come out.
//
// Names, addresses and networks are those reserved for documentation (RFC 2606,
// RFC 5737). The messages have the form of a captured notqmail server.
package qmailgen

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what to generate. The same options give the same messages, in
// other inodes and so under other IDs.
type Options struct {
	Dir      string // root of the server; must not hold a queue yet
	Messages int
	Seed     uint64
	Split    int       // conf-split of the qmail build; 23 is the usual one
	BigTodo  bool      // split todo and intd too, as the big-todo patch does
	Now      time.Time // the moment at which the queue is caught
	Workers  int       // goroutines; at least 1
}

// ErrExists is returned where there is a queue already.
var ErrExists = errors.New("there is a queue already")

// Count sums up what was generated.
type Count struct {
	Messages   int
	Todo       int // of Messages: not yet preprocessed
	Bouncing   int // of Messages: with a file in bounce
	Recipients int
	Done       int   // of Recipients: delivered or failed for good
	Bytes      int64 // of all messages, headers included
}

func (c *Count) add(l *letter) {
	c.Messages++
	c.Bytes += int64(len(l.content))
	c.Recipients += len(l.recipients)
	c.Done += l.done()
	if l.todo {
		c.Todo++
	}
	if len(l.failures) > 0 {
		c.Bouncing++
	}
}

func (c *Count) merge(d Count) {
	c.Messages += d.Messages
	c.Todo += d.Todo
	c.Bouncing += d.Bouncing
	c.Recipients += d.Recipients
	c.Done += d.Done
	c.Bytes += d.Bytes
}

// Generate writes the server below o.Dir and the truth to TruthFile(o.Dir). It
// returns ErrExists rather than add to a queue. Owners are set only if the
// caller is root.
func Generate(ctx context.Context, o Options) (Count, error) {
	if o.Messages < 0 || o.Split < 1 || o.Workers < 1 {
		return Count{}, fmt.Errorf("generate %d messages, split %d, %d workers: out of range", o.Messages, o.Split, o.Workers)
	}
	folder := filepath.Join(o.Dir, "var/qmail/queue")
	if _, err := os.Lstat(folder); err == nil {
		return Count{}, fmt.Errorf("%s: %w", folder, ErrExists)
	}
	s := newServer()
	if err := s.write(o.Dir); err != nil {
		return Count{}, fmt.Errorf("write server: %w", err)
	}
	q, err := createQueue(folder, o)
	if err != nil {
		return Count{}, fmt.Errorf("create queue: %w", err)
	}
	defer q.close()
	r := run{options: o, server: s, queue: q, truth: make(truth, o.Messages)}
	count, err := r.all(ctx)
	if err != nil {
		return count, err
	}
	return count, r.truth.write(TruthFile(o.Dir))
}

// run is one generation: its workers take message numbers from next.
type run struct {
	options Options
	server  *server
	queue   *queue
	next    atomic.Int64
	truth   truth // by message number: no two workers write to the same place
}

func (r *run) all(ctx context.Context) (Count, error) {
	counts := make([]Count, r.options.Workers)
	errs := make([]error, r.options.Workers)
	var wait sync.WaitGroup
	for i := range r.options.Workers {
		wait.Go(func() { counts[i], errs[i] = r.work(ctx) })
	}
	wait.Wait()
	total := Count{}
	for _, c := range counts {
		total.merge(c)
	}
	return total, errors.Join(errs...)
}

func (r *run) work(ctx context.Context) (Count, error) {
	count := Count{}
	a := newAuthor(r.server, r.options)
	for {
		i := r.next.Add(1) - 1
		if i >= int64(r.options.Messages) {
			return count, nil
		}
		if err := ctx.Err(); err != nil {
			return count, err
		}
		l := a.compose(uint64(i))
		id, err := r.queue.put(l)
		if err != nil {
			return count, fmt.Errorf("queue message number %d: %w", i, err)
		}
		r.truth[i] = fact{id: id, source: l.source, recipients: len(l.recipients), done: l.done()}
		count.add(l)
	}
}
