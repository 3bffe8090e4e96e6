package cli

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/mta"
	"spoor/internal/origin"
	"spoor/internal/panel"
	"spoor/internal/panel/plesk"
	"spoor/internal/report"
	"spoor/internal/trace"
)

// server is the examined server, with its adapters open.
type server struct {
	root    *host.Root
	passwd  *host.Passwd
	panel   panel.Panel
	plesk   *plesk.Panel   // panel, where it is Plesk; else nil
	psa     *plesk.Answers // what its database has answered, for an archive; else nil
	adapter mta.Adapter    // of the MTA
	queue   mta.Queue
	owners  sync.Map // UID to spoor.Owner, asked of panel once
	tracer  *trace.Tracer
	origins *origin.Book
	log     *maillog // nil until it is read, and where there is none
	gaps    *spoor.Gaps
	noQueue error // there is a log and no queue: what to say if the log is not the MTA's either
	host    string

	background sync.WaitGroup // of what close waits for

	spoor func(words string) string // a command to try, for this root

	partial bool // something that every answer rests on could not be read
}

// examine opens the server below --root.
func (o *options) examine(ctx context.Context) (*server, error) {
	s, err := o.openRoot()
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx, o); err != nil {
		s.close()
		return nil, err
	}
	o.tellOverdue(s)
	return s, nil
}

// openRoot opens the root alone.
func (o *options) openRoot() (*server, error) {
	root, err := host.Open(o.root)
	if err != nil {
		return nil, &statusError{status: exitNoMTA, err: &spoor.Problem{
			What: "cannot open the root " + o.root + ": " + cause(err), So: "there is no server to examine", Err: err,
		}}
	}
	return &server{root: root, gaps: &spoor.Gaps{}, spoor: o.spoor}, nil
}

// openPeople reads who is who: users and sites.
func (s *server) openPeople(ctx context.Context, o *options) error {
	var err error
	if s.passwd, err = s.root.Passwd(s.gaps); err != nil {
		s.partial = true
		s.gaps.Add("/etc/passwd", "cannot be read ("+cause(err)+"): users and sites are known by their UID only")
	}
	return s.openPanel(ctx, o.panel)
}

func (s *server) open(ctx context.Context, o *options) error {
	if err := s.openPeople(ctx, o); err != nil {
		return err
	}
	if err := s.openQueue(ctx, o); err != nil {
		return err
	}
	s.host = s.hostName()
	s.origins = origin.Open(s.root, s.stateBelow(o))
	s.tracer = trace.New(s.facts())
	return nil
}

func (s *server) openPanel(ctx context.Context, want string) error {
	on := &panel.Server{Root: s.root, Passwd: s.passwd}
	found := panelsFor(on, want)
	if len(found) == 0 {
		return usage(errors.New("--panel " + want + ": want " + orList(panelWords())))
	}
	for i, a := range found {
		p, err := a.Open(ctx, on)
		if err != nil {
			return err
		}
		if i < len(found)-1 && !hasUsers(p) {
			if err := p.Close(); err != nil {
				return err
			}
			continue
		}
		s.panel = p
		s.plesk, _ = p.(*plesk.Panel)
		return nil
	}
	return nil
}

// panelsFor are the panels that a server may have, the last one for want of a better:
// of several, what is left of one that was there before has no users any more.
func panelsFor(on *panel.Server, want string) []panel.Adapter {
	var found []panel.Adapter
	for _, a := range panels() {
		if want == a.Name || want == "auto" && a.Detect(on) {
			found = append(found, a)
		}
	}
	switch {
	case len(found) < 2:
		return found
	case len(found) == 2: // one, and plain, which always fits
		return found[:1]
	}
	return append(found[:len(found)-1], found[0])
}

// hasUsers reports whether a panel has a site of a user whom the server knows.
func hasUsers(p panel.Panel) bool {
	return slices.ContainsFunc(p.Sites(), func(site panel.Site) bool { return site.UID > 0 })
}

// stateBelow is the state folder below the root: --state is one of this machine.
func (s *server) stateBelow(o *options) string {
	if s.root.Live() && o.state != "" {
		return o.state
	}
	return "/" + defaultState
}

func (s *server) isMailSystem(uid int) bool {
	return s.owner(uid).Role == spoor.RoleMailSystem
}

// owner tells whose UID it is. A user of the server is a part of the mail system if
// the MTA runs its content filter under that login, whatever it is called.
func (s *server) owner(uid int) spoor.Owner {
	owner := s.panelOwner(uid)
	if q, ok := s.queue.(mta.Filters); ok && owner.Role == spoor.RoleUser && q.FiltersMail(uid) {
		owner.Role = spoor.RoleMailSystem
	}
	return owner
}

// panelOwner asks the panel whose UID it is, and remembers the answer.
func (s *server) panelOwner(uid int) spoor.Owner {
	if known, ok := s.owners.Load(uid); ok {
		if owner, ok := known.(spoor.Owner); ok {
			return owner
		}
	}
	owner := s.panel.Owner(uid)
	s.owners.Store(uid, owner)
	return owner
}

// hostName is the server's own name for itself, not the machine's that runs
// spoor: they differ for a captured root.
func (s *server) hostName() string { return cmp.Or(s.hostFile(), s.queue.Host()) }

// hostFile is what /etc/hostname says, or "".
func (s *server) hostFile() string {
	data, err := s.root.ReadFile("/etc/hostname", 4096)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// pageHead says which server a page is about.
func (s *server) pageHead(o *options) report.Head {
	return report.Head{Root: s.root.Dir(), Host: s.host, Time: o.env.Now().UTC(), MTA: s.queue.MTA(), Panel: s.panel.Name()}
}

func (s *server) facts() trace.Facts {
	groups := map[int][]int{}
	for _, account := range s.passwd.All() {
		groups[account.GID] = append(groups[account.GID], account.UID)
	}
	sites := s.siteNames()
	realm := ""
	if q, ok := s.queue.(mta.Realms); ok {
		realm = q.Realm()
	}
	var copies []string
	if q, ok := s.queue.(mta.Copiers); ok {
		copies = q.Copies()
	}
	return trace.Facts{
		Copies:       copies,
		Owner:        s.owner,
		UID:          s.uidOf,
		PrimaryGroup: func(gid int) []int { return groups[gid] },
		CallerGroup:  s.queue.CallerGroup,
		Via:          s.queue.Via,
		SiteAt:       s.siteAt(),
		LocalAddress: s.queue.LocalAddress,
		Serves:       func(domain string) bool { return s.queue.Serves(domain) || sites()[strings.ToLower(domain)] },
		Realm:        realm,
		Origin:       s.origins.Lookup,
		Host:         s.queue.Host(),
	}
}

// uidOf returns the UID of a login in passwd.
func (s *server) uidOf(login string) (int, bool) {
	account, ok := s.passwd.ByLogin(login)
	return account.UID, ok
}

// siteAt returns a function that names the site that a folder belongs to. It asks
// the panel when it is first called.
func (s *server) siteAt() func(dir string) string {
	folders := sync.OnceValue(func() map[string]string {
		known, roots := map[string]string{}, map[string]bool{}
		for _, site := range s.panel.Sites() {
			if site.Home != "" {
				known[site.Home] = cmp.Or(site.Subscription, site.Domain)
			}
		}
		for _, site := range s.panel.Sites() {
			for _, dir := range site.DocumentRoots {
				if other, ok := known[dir]; ok && other != site.Domain && roots[dir] {
					known[dir] = "" // two sites share it
					continue
				}
				known[dir], roots[dir] = site.Domain, true
			}
		}
		return known
	})
	return func(dir string) string {
		known := folders()
		for dir = path.Clean("/" + dir); dir != "/"; dir = path.Dir(dir) {
			if site, ok := known[dir]; ok {
				return site
			}
		}
		return ""
	}
}

// siteNames finds the domains of all sites, beside the reading of the queue: the
// function that it returns waits for them.
func (s *server) siteNames() func() map[string]bool {
	names := sync.OnceValue(func() map[string]bool {
		sites := map[string]bool{}
		for _, site := range s.panel.Sites() {
			sites[strings.ToLower(site.Domain)] = true
		}
		return sites
	})
	s.background.Go(func() { names() })
	return names
}

// allGaps lists what was not read, with the paths that were refused.
func (s *server) allGaps(scan *mta.Scan) []spoor.Gap {
	s.background.Wait()
	var all spoor.Gaps
	for _, list := range [][]spoor.Gap{s.gaps.List(), s.panel.Gaps(), s.origins.Gaps(), s.root.Refused()} {
		all.AddAll(list)
	}
	if scan != nil {
		all.AddAll(scan.Gaps.List())
	}
	return all.List()
}

func (s *server) close() {
	s.background.Wait()
	if s.queue != nil {
		_ = s.queue.Close()
	}
	if s.panel != nil {
		_ = s.panel.Close()
	}
	_ = s.root.Close()
}

// cause is the innermost reason of an error on a file.
func cause(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}
