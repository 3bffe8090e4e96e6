package live

import (
	"context"
	"path"
	"slices"
	"time"

	"spoor"
	"spoor/internal/host"
)

// Servers asks the web servers of this machine what their processes do. Only
// pages that are configured are asked, and only on this machine. It is for one
// goroutine.
type Servers struct {
	pools  []*page
	apache []*page
	now    func() time.Time
	gaps   spoor.Gaps
}

// page is one status page with its last answer.
type page struct {
	name    string
	ask     func(context.Context) ([]Worker, error)
	workers []Worker
	asked   time.Time // when it answered last
	tried   time.Time
	wait    time.Duration // until it is tried again
}

const (
	askAgain = 200 * time.Millisecond // the least time between two questions
	askLater = 10 * time.Second       // after one that was not answered
	tooOld   = 2 * time.Second        // an answer says nothing of now any more
)

// FindServers looks for status pages in the configuration of php-fpm and Apache.
func FindServers(root *host.Root, now func() time.Time) *Servers {
	s := &Servers{now: now}
	for _, pool := range findFPMPools(root, &s.gaps) {
		s.pools = append(s.pools, &page{name: "php-fpm pool " + pool.name, ask: pool.workers})
	}
	for _, one := range findApachePages(root, &s.gaps) {
		s.apache = append(s.apache, &page{name: "Apache http://" + one.address + one.path, ask: one.workers})
	}
	return s
}

func (p *fpmPool) workers(ctx context.Context) ([]Worker, error) {
	status, err := p.ask(ctx)
	var workers []Worker
	for i := range status.Processes {
		if w, ok := status.Processes[i].worker(p.status); ok {
			workers = append(workers, w)
		}
	}
	return workers, err
}

func (p apachePage) workers(ctx context.Context) ([]Worker, error) {
	rows, err := p.ask(ctx)
	var workers []Worker
	for i := range rows {
		workers = append(workers, rows[i].worker())
	}
	return workers, err
}

// Pages names the pages that are asked.
func (s *Servers) Pages() []string {
	var names []string
	for _, p := range slices.Concat(s.pools, s.apache) {
		names = append(names, p.name)
	}
	return names
}

// Gaps lists what could not be read or asked.
func (s *Servers) Gaps() []spoor.Gap { return s.gaps.List() }

// Of tells what the worker does that a sighting descends from.
func (s *Servers) Of(ctx context.Context, seen *spoor.Sighting) (Worker, bool) {
	for _, process := range append([]spoor.Process{seen.Process}, seen.Parents...) {
		server := path.Base(process.Exe)
		switch {
		case isFPM(server):
			if w, ok := s.find(ctx, s.pools, seen.Time, func(w *Worker) bool { return w.PID == process.PID }); ok {
				return s.withClient(ctx, w, seen.Time), true
			}
		case isApache(server):
			if w, ok := s.find(ctx, s.apache, seen.Time, func(w *Worker) bool { return w.PID == process.PID && !w.Ended }); ok {
				return w, true
			}
		}
	}
	return Worker{}, false
}

// find looks for a worker in the pages, and asks those that have not answered
// since.
func (s *Servers) find(ctx context.Context, pages []*page, at time.Time, is func(*Worker) bool) (Worker, bool) {
	for _, p := range pages {
		s.refresh(ctx, p, at)
		if at.Sub(p.asked) > tooOld {
			continue
		}
		before := p.asked.Before(at) // a request that had ended then is not the one
		i := slices.IndexFunc(p.workers, func(w Worker) bool { return is(&w) && (!w.Ended || !before) })
		if i >= 0 {
			return p.workers[i], true
		}
	}
	return Worker{}, false
}

// refresh asks a page that has not answered since a time.
func (s *Servers) refresh(ctx context.Context, p *page, at time.Time) {
	now := s.now()
	if !p.asked.Before(at) || now.Sub(p.tried) < p.wait {
		return
	}
	p.tried, p.wait = now, askAgain
	workers, err := p.ask(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.gaps.Add(p.name, "status page does not answer: scripts and clients may not be known")
			p.wait = askLater
		}
		return
	}
	p.workers, p.asked = workers, s.now()
}

// withClient asks Apache who made a request that php-fpm works on. Of several that
// ask for the same at once none is taken.
func (s *Servers) withClient(ctx context.Context, w Worker, at time.Time) Worker {
	if w.Ended || len(s.apache) == 0 {
		return w
	}
	same := func(other *Worker) bool { return !other.Ended && other.Method == w.Method && other.Path == w.Path }
	first, ok := s.find(ctx, s.apache, at, same)
	if !ok {
		return w
	}
	second := func(other *Worker) bool { return same(other) && other.Client != first.Client }
	if _, ambiguous := s.find(ctx, s.apache, at, second); !ambiguous {
		w.Client, w.Host, w.Asked = first.Client, first.Host, first.Server
	}
	return w
}

// isFPM and isApache know the servers by the program that they run, which a
// tenant cannot forge for a process of the server.
func isFPM(program string) bool {
	for _, prefix := range []string{"php-fpm", "lsphp"} {
		if len(program) >= len(prefix) && program[:len(prefix)] == prefix {
			return true
		}
	}
	return false
}

func isApache(program string) bool {
	return slices.Contains([]string{"apache2", "httpd", "apache", "httpd-prefork", "httpd2-prefork", "httpd.worker"}, program)
}
