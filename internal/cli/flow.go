package cli

import (
	"syscall"
	"time"

	"spoor"
	"spoor/internal/trace"
	"spoor/internal/verdict"
)

// flow gathers what tells why mail is slow.
func (s *server) flow(o *options, survey *survey) verdict.Flow {
	f := verdict.Flow{
		Daemon: s.adapter.Daemon, Unseen: s.adapter.Unseen,
		Now:   o.env.Now().UTC(),
		Queue: survey.count,
		Disk:  s.disk(),
		Live:  s.root.Live(),

		Leftovers: survey.leftovers,
	}
	f.Newest = newestArrival(survey.traffic)
	if s.log == nil {
		return f
	}
	j := s.log.journal
	_, last := j.Last()
	f.LastLine = last.Time()
	f.Concurrency = s.concurrency(&j.Load)
	for _, one := range j.Stuck() {
		f.Stuck = append(f.Stuck, s.stuck(&one))
		f.Waiting += one.Recipients
	}
	for _, one := range j.Troubles.List() {
		f.Troubles = append(f.Troubles, verdict.Trouble{
			Text: one.Text, Count: one.Count, First: one.First.Time(), Last: one.Last.Time(),
			Example: s.log.quote("log-trouble", "", one.Place),
		})
	}
	return f
}

func (s *server) stuck(one *trace.Stuck) verdict.Stuck {
	return verdict.Stuck{
		Receiver: receiverName(one.Domain, one.Text), Domain: one.Domain, Answer: one.Answer, Text: one.Text,
		Recipients: one.Recipients, Messages: one.Messages, Oldest: one.Oldest.Time(),
		Example: s.log.quote("log-answer", one.ID, one.Place),
	}
}

func (s *server) concurrency(l *trace.Load) verdict.Concurrency {
	c := verdict.Concurrency{
		Samples: l.RecentSize, Saturated: l.RecentFull, MaxRemote: int(l.MaxRemote),
		LimitRemote: int(l.Last.Load.RemoteMax), LastRemote: int(l.Last.Load.Remote),
		Since: l.First.Time.Time(), Until: l.Last.Time.Time(),
	}
	if l.Saturated > 0 {
		c.Evidence = append(c.Evidence, s.log.quote("log-status", "", l.LastFull.Place))
	}
	if l.Samples > 0 && l.Last.Place != l.LastFull.Place {
		c.Evidence = append(c.Evidence, s.log.quote("log-status", "", l.Last.Place))
	}
	return c
}

func newestArrival(traffic []spoor.Traffic) time.Time {
	var newest time.Time
	for i := range traffic {
		if traffic[i].Last.After(newest) {
			newest = traffic[i].Last
		}
	}
	return newest
}

// disk asks how full the file system of the queue is. For a captured root that
// would be the examiner's own disk, which says nothing.
func (s *server) disk() verdict.Disk {
	d := verdict.Disk{Path: s.adapter.Place(s.mtaServer())}
	if !s.root.Live() {
		return d
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.Path, &fs); err != nil {
		return d
	}
	d.Known = true
	d.FreeBytes, d.TotalBytes = int64(fs.Bavail)*fs.Bsize, int64(fs.Blocks)*fs.Bsize
	d.FreeInodes, d.TotalInodes = int64(fs.Ffree), int64(fs.Files)
	return d
}
