package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
	"spoor/internal/remedy"
	"spoor/internal/report"
)

// stopFlags are those of stop and fix.
type stopFlags struct {
	changeFlags
	lasts     string
	withQueue bool
	lockLogin bool
	keepLegit bool
	verify    time.Duration
}

func (f *stopFlags) add(cmd *cobra.Command) {
	f.changeFlags.add(cmd)
	cmd.Flags().StringVar(&f.lasts, "for", "", "take it back by itself after `TIME`, for example 24h or 7d")
	cmd.Flags().BoolVar(&f.lockLogin, "lock-login", false, "lock the password of an account too: no IMAP, no webmail")
}

func stopCommand(o *options) *cobra.Command {
	f := &stopFlags{}
	cmd := &cobra.Command{
		Use:   "stop SOURCE",
		Short: "keep a source from sending, until it is taken back",
		Long: `stop keeps one source, named as "spoor" prints it, from handing over more mail:
a login is refused, a site's system user may run no program that submits mail and
reach no mail server, a script is sealed, a network is refused, a forward is taken
out of its table. Which steps these are on this server, how each is undone and
what stays possible is in the plan, which is shown first.

"spoor unstop SOURCE" takes it back, and leaves everything as it was. With --for it
takes itself back.`,
		Example: `  spoor stop -n account:info@shop.test      what would be done
  spoor stop account:info@shop.test
  spoor stop site:shop.test --for 24h
  spoor unstop site:shop.test`,
		Args: oneArg("name one source, such as account:info@shop.test"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.stop(cmd.Context(), spoor.ActionStop, args[0], f)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.withQueue, "with-queue", false, "its messages leave the queue for the vault, too")
	return cmd
}

// stop makes the plan of a stop or fix, and carries it out.
func (o *options) stop(ctx context.Context, action spoor.Action, name string, f *stopFlags) error {
	source, err := spoor.ParseSource(name)
	if err != nil {
		return usageTry(err, o.spoor(""))
	}
	s, err := o.examineForStop(ctx, &f.changeFlags)
	if err != nil {
		return err
	}
	defer s.close()
	if err := o.notStopped(s, source); err != nil {
		return err
	}
	p, err := o.stopPlan(ctx, s, action, source, f)
	if err != nil {
		return err
	}
	if action != spoor.ActionFix || f.dryRun {
		return o.carryOut(ctx, s, p, &f.changeFlags)
	}
	return o.fix(ctx, s, p, f)
}

// examineForStop examines a server on which nothing waits to be finished, and no stop
// whose time is over stands in the way of another one.
func (o *options) examineForStop(ctx context.Context, f *changeFlags) (*server, error) {
	s, err := o.examine(ctx)
	if err != nil {
		return nil, err
	}
	if _, err = o.finishCutOff(ctx, s, f); err != nil {
		s.close()
		return nil, err
	}
	over, err := o.anyOver(s)
	if err == nil && over && !f.dryRun {
		if err = o.answerable(f); err == nil {
			_, err = o.locked(ctx, s, func(*remedy.State, *disk.Dir) (*spoor.Receipt, error) { return nil, nil })
		}
	} else if err == nil {
		return s, nil
	}
	s.close()
	if err != nil {
		return nil, err
	}
	return o.examine(ctx) // the configuration is another one now
}

// stopPlan is the plan against a source.
func (o *options) stopPlan(ctx context.Context, s *server, action spoor.Action, source spoor.Source, f *stopFlags) (*spoor.Plan, error) {
	p, err := o.stopSteps(ctx, s, action, source, f)
	if err == nil && (action == spoor.ActionFix || f.withQueue) {
		err = o.withQueue(ctx, s, p, source, f)
	}
	return p, err
}

// stopSteps is the same without messages.
func (o *options) stopSteps(ctx context.Context, s *server, action spoor.Action, source spoor.Source, f *stopFlags) (*spoor.Plan, error) {
	until, err := o.expiry(f.lasts)
	if err != nil {
		return nil, err
	}
	c, err := s.culprit(ctx, o, source)
	if err != nil {
		return nil, err
	}
	c.Until, c.LockLogin = until, f.lockLogin
	m, err := s.measures(ctx, c)
	if err != nil {
		return nil, err
	}
	if !effectual(m.Steps) {
		return nil, s.cannotStop(ctx, o, c, &m)
	}
	p := &spoor.Plan{
		Action: action, Host: s.host, Root: s.root.Dir(), MTA: s.adapter.Name, Selector: f.words(source),
		Steps: m.Steps, Open: append(m.Open, m.Refused...), ByHand: m.ByHand, Expires: until,
	}
	return p, o.moreSteps(ctx, s, p, c)
}

// effectual reports whether steps do anything.
func effectual(steps []spoor.Step) bool {
	for i := range steps {
		if steps[i].What != "" {
			return true
		}
	}
	return false
}

// cannotStop says why nothing can be done against a source here, and what can be
// done by hand.
func (s *server) cannotStop(ctx context.Context, o *options, c *spoor.Culprit, m *spoor.Measures) error {
	so, try := "nothing was changed", ""
	if len(m.Refused) > 0 {
		so += ": " + strings.Join(m.Refused, "; ")
	}
	if len(m.ByHand) > 0 {
		so += "; by hand: " + strings.Join(m.ByHand, "; ")
	}
	if prefix, ok := c.Network(); ok && mta.OfThisMachine(prefix, c.Addresses) {
		also := append([]string{so}, s.relayedBy(ctx, o, prefix)...)
		if c.Live {
			try = o.spoor("live")
			also = append(also, "who on this machine talks to port 25 is told by: "+try)
		}
		so = strings.Join(also, "; ")
	}
	return refuse("spoor knows no way to stop "+c.Source.String()+" on this server", so, try)
}

// relayedBy names the entries of the relay list by which a network sends without a
// login, with the commands that show what would break without them.
func (s *server) relayedBy(ctx context.Context, o *options, network netip.Prefix) []string {
	var words []string
	policy, _ := s.relayPolicy(ctx) // what cannot be read is a gap of the audit
	for i := range policy.Relay {
		entry := &policy.Relay[i]
		if entry.Temporary || !entry.Prefix.Overlaps(network) {
			continue
		}
		place := entry.Place.File
		if entry.Place.Line > 0 {
			place += ":" + strconv.Itoa(entry.Place.Line)
		}
		words = append(words, "it may send without a login by the entry "+entry.Prefix.String()+" of "+place+
			", and what breaks without that is told by: "+o.spoor("audit fix relay-list "+entry.Prefix.String()+" -n"))
	}
	return words
}

// words are the command line of the plan, to be shown and to be run again.
func (f *stopFlags) words(source spoor.Source) []string {
	words := []string{source.String()}
	if f.lasts != "" {
		words = append(words, "--for", f.lasts)
	}
	for _, one := range f.switches() {
		if *one.set {
			words = append(words, one.flag)
		}
	}
	return words
}

// stopSwitch is a flag without a value.
type stopSwitch struct {
	flag string
	set  *bool
}

func (f *stopFlags) switches() []stopSwitch {
	return []stopSwitch{{"--with-queue", &f.withQueue}, {"--lock-login", &f.lockLogin}, {"--keep-legit", &f.keepLegit}}
}

// parse is the inverse of words.
func (f *stopFlags) parse(words []string) (spoor.Source, error) {
	if len(words) == 0 {
		return spoor.Source{}, errors.New("the plan does not say what was stopped")
	}
	for i, word := range words {
		if word == "--for" && i+1 < len(words) {
			f.lasts = words[i+1]
		}
		for _, one := range f.switches() {
			*one.set = *one.set || word == one.flag
		}
	}
	return spoor.ParseSource(words[0])
}

// moreSteps adds those that rest on the running machine: open sessions are ended
// when nothing new can begin, and a timer takes the plan back.
func (o *options) moreSteps(ctx context.Context, s *server, p *spoor.Plan, c *spoor.Culprit) error {
	if c.Source.Kind == spoor.KindAccount {
		open, err := s.sessions(ctx, o, c.Source.Name)
		if err != nil {
			return err
		}
		if open != nil {
			p.Steps = append(p.Steps, spoor.Step{
				Kind: spoor.StepSessions, Sessions: open, Optional: true,
				What: fmt.Sprintf("open SMTP sessions of addresses that have used this login end (now: %d)", len(open.List)),
			})
		}
	}
	o.timer(s, p)
	return nil
}

// withQueue adds the messages of the source to the plan.
func (o *options) withQueue(ctx context.Context, s *server, p *spoor.Plan, source spoor.Source, f *stopFlags) error {
	if s.noQueue != nil {
		return s.noQueue
	}
	all, err := s.plan(ctx, o, spoor.ActionRemove, []string{"age:>0s"}) // a name may have signs that mean something in a selector
	if err != nil {
		return err
	}
	all.Targets = slices.DeleteFunc(all.Targets, func(t spoor.Target) bool { return t.Source != source })
	p.Targets, p.QueueMessages = all.Targets, all.QueueMessages
	if f.keepLegit {
		p.Targets = o.doubtless(s, all.Targets)
		if kept := len(all.Targets) - len(p.Targets); kept > 0 {
			p.Open = append(p.Open, fmt.Sprintf("%d messages stay in the queue: it is less than 90 %% sure that they are of this source (--keep-legit)", kept))
		}
	}
	if f.most == 0 && len(p.Targets) <= defaultMost {
		f.most = max(1, len(p.Targets)) // a source that was named may fill the queue
	}
	sumUp(p)
	return nil
}

// notStopped refuses to stop a source twice: the first stop could not be told from
// the second when one of them is taken back.
func (o *options) notStopped(s *server, source spoor.Source) error {
	past, err := o.stopOf(s, source.String(), (*remedy.Journal).InForce)
	if err != nil || past == nil {
		return err
	}
	return refuse(source.String()+" is stopped already, by "+past.Plan, "nothing was changed", o.spoor("unstop "+past.Plan))
}

// stopOf is the plan among some that has stopped a source, or that has this ID; nil
// if there is none.
func (o *options) stopOf(s *server, word string, among func(*remedy.Journal) []*remedy.Past) (*remedy.Past, error) {
	plans, err := o.stepwise(s, among)
	if err != nil {
		return nil, err
	}
	for _, past := range plans {
		if past.Plan == word || len(past.Record.Selector) > 0 && past.Record.Selector[0] == word {
			return past, nil
		}
	}
	return nil, nil
}

// shownInForce are the stops in force, for the answer.
func (s *server) shownInForce(o *options) ([]report.InForce, error) {
	plans, err := o.inForce(s)
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil // the state folder is root's, and the answer is for everybody
	}
	if err != nil {
		return nil, err
	}
	overdue, err := o.overdueStops(s)
	if err != nil {
		return nil, err
	}
	why := map[string]string{}
	for i := range overdue {
		one := &overdue[i]
		why[one.Plan] = one.Last.Why
		if !slices.ContainsFunc(plans, func(past *remedy.Past) bool { return past.Plan == one.Plan }) {
			plans = append(plans, one.Past)
		}
	}
	var list []report.InForce
	for _, past := range plans {
		if past.Action != spoor.ActionStop.String() && past.Action != spoor.ActionFix.String() {
			continue // what was mended is meant to stay
		}
		one := report.InForce{Plan: past.Plan, Action: past.Action, Since: past.Start, Expires: past.Record.Expires, Stuck: why[past.Plan]}
		if len(past.Record.Selector) > 0 {
			one.Subject = past.Record.Selector[0]
		}
		list = append(list, one)
	}
	return list, nil
}

// inForce are the plans whose steps are done, oldest first.
func (o *options) inForce(s *server) ([]*remedy.Past, error) {
	return o.stepwise(s, (*remedy.Journal).InForce)
}

// stepwise are some plans of the journal, of this server.
func (o *options) stepwise(s *server, among func(*remedy.Journal) []*remedy.Past) ([]*remedy.Past, error) {
	state, top, err := o.lookState(s)
	var known *statusError
	if errors.As(err, &known) && known.status == exitNothing {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = top.Close() }()
	defer state.Close()
	return slices.DeleteFunc(among(state.Journal), func(past *remedy.Past) bool { return o.ofAnother(s, past) }), nil
}

// ofAnother reports whether a plan is another server's: a state folder that was named can
// be of several.
func (o *options) ofAnother(s *server, past *remedy.Past) bool {
	return o.state != "" && past.Record.Root != s.root.Dir()
}
