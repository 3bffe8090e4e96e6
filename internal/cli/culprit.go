package cli

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/host"
	"spoor/internal/measure"
	"spoor/internal/mta"
	"spoor/internal/panel"
)

// culprit finds out what has to be known of a source to stop it.
func (s *server) culprit(ctx context.Context, o *options, source spoor.Source) (*spoor.Culprit, error) {
	c := &spoor.Culprit{Source: source, UID: -1, Live: s.root.Live(), Now: o.env.Now().UTC()}
	_, c.Managed = s.panel.(panel.Managed)
	switch source.Kind {
	case spoor.KindSite:
		c.UID = s.siteUID(source.Name)
	case spoor.KindUser:
		c.UID = s.userUID(source.Name)
	case spoor.KindScript:
		return c, s.homeOf(c)
	case spoor.KindNetwork:
		if c.Live {
			c.Addresses = ownAddresses()
		}
		return c, nil
	case spoor.KindAccount, spoor.KindForward:
		return c, nil
	default:
		return nil, refuse(source.Kind.String()+" is no source that can be stopped", stoppable(source.Kind), o.spoor("show "+source.String()))
	}
	if c.UID < 0 {
		a, err := s.answer(ctx, o)
		if err != nil {
			return nil, err
		}
		if line, ok := a.find(source); ok {
			c.UID = line.Traffic.UID
		}
	}
	if c.UID <= 0 {
		return nil, nothing("the system user of "+source.String()+" is not known", o.spoor(""))
	}
	owner := s.owner(c.UID)
	c.Login, c.WebServer = owner.Login, owner.Role == spoor.RoleWebServer
	if owner.Role == spoor.RoleMailSystem || owner.Role == spoor.RoleRoot {
		return nil, refuse(source.String()+" is the mail system itself, or root: all mail of this server would stop", "nothing was changed", "")
	}
	return c, nil
}

// ownAddresses are those of this machine's network devices, the loopback's among them: a
// service address is often there. One that cannot be read is passed over: a network that
// is named is stopped all the same.
func ownAddresses() []netip.Addr {
	devices, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var list []netip.Addr
	for _, device := range devices {
		addresses, err := device.Addrs()
		if err != nil {
			continue
		}
		for _, one := range addresses {
			if prefix, err := netip.ParsePrefix(one.String()); err == nil {
				list = append(list, prefix.Addr().Unmap().WithZone(""))
			}
		}
	}
	return list
}

// stoppable says what to do about a source that nothing stops.
func stoppable(kind spoor.Kind) string {
	switch kind {
	case spoor.KindBounce:
		return "bounces end when mail to mailboxes that do not exist is refused, automatic replies when their mailbox does not answer any more: see spoor audit"
	case spoor.KindList:
		return "close the list, or stop who writes to it"
	default:
		return "it is not known who is behind the mail"
	}
}

func (s *server) siteUID(name string) int {
	for _, site := range s.panel.Sites() {
		if site.UID > 0 && (strings.EqualFold(site.Domain, name) || strings.EqualFold(site.Subscription, name)) {
			return site.UID
		}
	}
	return -1
}

func (s *server) userUID(name string) int {
	if uid, ok := s.uidOf(name); ok {
		return uid
	}
	if uid, err := strconv.Atoi(strings.TrimPrefix(name, "uid ")); err == nil {
		return uid
	}
	return -1
}

// homeOf finds the site in whose folder a script lies.
func (s *server) homeOf(c *spoor.Culprit) error {
	name := c.Source.Name
	for _, site := range s.panel.Sites() {
		for _, home := range append([]string{site.Home}, site.DocumentRoots...) {
			if home == "" || !strings.HasPrefix(name, home+"/") {
				continue
			}
			resolved, err := s.root.Resolve(home)
			if err != nil || resolved == "." {
				continue
			}
			c.Home, c.UID = host.Abs(resolved), site.UID
			c.Source.Name = c.Home + strings.TrimPrefix(name, home)
			return nil
		}
	}
	return refuse(name+" lies in no site's folder", "nothing was changed: only scripts of sites are sealed", s.spoor(""))
}

// measures are the steps against a culprit that panel and MTA propose. The panel's
// own come first.
func (s *server) measures(ctx context.Context, c *spoor.Culprit) (spoor.Measures, error) {
	var m spoor.Measures
	if c.Source.Kind == spoor.KindScript {
		return s.sealing(c)
	}
	if p, ok := s.panel.(panel.Stopper); ok {
		m.Add(p.Stop(ctx, programs{}, c))
	}
	if q, ok := s.queue.(mta.Stopper); ok {
		m.Add(q.Stop(c))
	}
	if c.WebServer {
		m.Open = append([]string{"nothing is spared: all sites whose scripts run as " + c.Login + " send no more mail, not one of them alone"}, m.Open...)
	}
	if c.LockLogin {
		m.Add(mta.LockLogin(s.root, s.passwd, c))
	}
	return onlyPossible(m, c.Live), nil
}

// stops reports whether sources of a kind can be stopped on this server.
func (s *server) stops(kind spoor.Kind) bool {
	_, managed := s.panel.(panel.Managed)
	q, ok := s.queue.(mta.Stopper)
	byMTA := ok && q.Stops(kind)
	p, ok := s.panel.(panel.Stopper)
	byPanel := ok && p.Stops(kind)
	switch kind {
	case spoor.KindScript:
		return true
	case spoor.KindSite, spoor.KindUser, spoor.KindNetwork:
		return byMTA || byPanel
	case spoor.KindAccount, spoor.KindForward:
		return byPanel || byMTA && !managed
	default:
		return false
	}
}

// onlyPossible turns steps that need the running machine into commands to be run by
// hand, where another tree is examined. They come before the MTA is told to read again
// what they make.
func onlyPossible(m spoor.Measures, live bool) spoor.Measures {
	var steps []spoor.Step
	var commands []string
	for i := range m.Steps {
		step := m.Steps[i]
		switch {
		case measure.Possible(step.Kind, live):
			steps = append(steps, step)
		case step.Command != nil && len(step.Command.Do) > 0:
			commands = append(commands, byHand(step.Command))
		}
	}
	m.Steps, m.ByHand = steps, append(commands, m.ByHand...)
	return m
}

// byHand is a command as it is typed.
func byHand(c *spoor.Command) string {
	words := strings.Join(c.Do, " ")
	if c.Input != "" {
		words += " < " + c.Input
	}
	return words
}

// sealing is the step that takes a script away.
func (s *server) sealing(c *spoor.Culprit) (spoor.Measures, error) {
	top, err := disk.Open(s.root.Dir(), nil)
	if err != nil {
		return spoor.Measures{}, err
	}
	defer func() { _ = top.Close() }()
	script, err := measure.LookAtScript(top, c.Source.Name, c.Home)
	if err != nil {
		return spoor.Measures{}, refuse(err.Error(), "nothing was changed", "")
	}
	m := spoor.Measures{
		Steps: []spoor.Step{{
			Kind: spoor.StepSeal, Seal: script, Shared: "seal " + script.Path,
			What:    script.Path + " can be neither read nor run, renamed or replaced: root owns it, mode 000, immutable",
			Inverse: "owner, mode, flags and times are as they were; a copy is kept meanwhile",
		}},
		Open: []string{
			"other scripts of the same site: stop the site if they send too",
			"the owner of the site can rename the folder of the script and put a copy into a new one",
			"a request that runs it now goes on to its end, and PHP may run what it has compiled some seconds more (opcache.revalidate_freq)",
		},
	}
	m.Add(panel.Recompile(s.root, c.Live))
	return m, nil
}

// recent is how long ago an account has last used an address from which an open
// session is thought to be its.
const recent = 24 * time.Hour

// sessions are the processes that serve open sessions of an account: those of which
// the log has their number with the login, and those whose client has used the login.
// Its clients may open more until it is stopped. nil where there is nothing to look for.
func (s *server) sessions(ctx context.Context, o *options, account string) (*spoor.Sessions, error) {
	if !s.root.Live() || len(s.adapter.Servers) == 0 {
		return nil, nil
	}
	open, err := measure.Sessions(s.adapter.Servers)
	if err != nil {
		return nil, err
	}
	seen := logins{served: map[served]bool{}, clients: map[netip.Addr]bool{}}
	since := spoor.StampOf(o.env.Now().Add(-recent))
	_, err = s.scanLog(ctx, o, func(b *spoor.Block) error {
		for i := range b.Events {
			if e := &b.Events[i]; e.Time >= since && ofAccount(e, account) {
				seen.add(e)
			}
		}
		return nil
	})
	open = slices.DeleteFunc(open, func(one spoor.Session) bool { return !seen.has(one) })
	clients := seen.strangers()
	if err != nil || len(open) == 0 && len(clients) == 0 {
		return nil, err
	}
	return &spoor.Sessions{List: open, Programs: s.adapter.Servers, Clients: clients}, nil
}

// logins are the sessions in which an account was used.
type logins struct {
	served  map[served]bool
	clients map[netip.Addr]bool
}

// served is a client of a process. A process serves one after the other, of other
// accounts too.
type served struct {
	pid    int
	client netip.Addr
}

func (l *logins) add(e *spoor.Event) {
	addr, err := netip.ParseAddr(string(e.Client))
	if err != nil {
		return
	}
	l.clients[addr.Unmap()] = true
	if e.PID > 0 {
		l.served[served{int(e.PID), addr.Unmap()}] = true
	}
}

// has reports whether a session is one of them: by its process and client, or by the
// client alone, unless that is this machine. Mail of its programs, a webmail's for
// example, has its address.
func (l *logins) has(one spoor.Session) bool {
	client := one.Client.Unmap()
	return l.served[served{one.PID, client}] || l.clients[client] && !ownAddress(client)
}

// strangers are the clients but this machine, in order.
func (l *logins) strangers() []netip.Addr {
	clients := slices.SortedFunc(maps.Keys(l.clients), netip.Addr.Compare)
	return slices.DeleteFunc(clients, ownAddress)
}

// ownAddress reports whether an address is this machine's, of its programs.
func ownAddress(a netip.Addr) bool {
	return a == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || a == netip.IPv6Loopback()
}

// ofAccount reports whether an event is of a session with a login.
func ofAccount(e *spoor.Event, account string) bool {
	switch e.Kind {
	case spoor.EventSubmitted, spoor.EventAccepted:
		return strings.EqualFold(string(e.Account), account)
	case spoor.EventLogin:
		return strings.EqualFold(string(e.Address), account)
	default:
		return false
	}
}
