package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/mta"
	"spoor/internal/origin"
	"spoor/internal/recorder"
	"spoor/internal/remedy"
	"spoor/internal/report"
	"spoor/internal/shim"
)

// releaseFlags say which held messages are released.
type releaseFlags struct {
	changeFlags
	all   bool
	again bool
}

func shimReleaseCommand(o *options) *cobra.Command {
	f := &releaseFlags{}
	cmd := &cobra.Command{
		Use:   "release SELECTOR…|NAME…",
		Short: "hand held messages to the real sendmail",
		Long: `release hands held messages to the real sendmail, with the arguments and as the user
of the one who sent them. They are named as "spoor shim held" names them, or selected
as for "spoor vault ls".

It shows a plan first. Each message is journalled before it is handed over and after
that. One whose release was cut off may have been sent: it stays in the vault, marked,
and is sent once more only with --again. "spoor undo" takes out of the queue what
still waits there; what has left is gone.`,
		Example: `  spoor shim held
  spoor shim release -n --all
  spoor shim release 20261126T101500-9f86d081884c7d65
  spoor shim release script:/var/www/shop/form.php --yes --reason "newsletter, known"`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.shimRelease(cmd.Context(), args, f) },
	}
	f.addAsking(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all", false, "all that are held")
	flags.BoolVar(&f.again, "again", false, "also those that may have been sent, since their release was cut off")
	flags.IntVar(&f.most, "max", 0, "refuse if more than `N` messages are selected (default 50000)")
	return cmd
}

func (o *options) shimRelease(ctx context.Context, words []string, f *releaseFlags) error {
	if f.all == (len(words) > 0) {
		return usageTry(errors.New("name or select held messages, or give --all"), o.spoor("shim held"))
	}
	if o.root != "/" {
		return usage(errors.New("held messages are handed to the running server's sendmail: without --root"))
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := o.finishCutOff(ctx, s, &f.changeFlags); err != nil {
		return err
	}
	if !f.dryRun {
		if err := o.takeIn(ctx, changeWait); err != nil {
			fmt.Fprintln(o.env.Err, "spoor: not all that is held can be released:", report.Escape(err.Error()))
		}
	}
	list, _, err := o.heldMail()
	if err != nil {
		return err
	}
	p, err := o.releasePlan(s, list, words, f)
	if err != nil {
		return err
	}
	if !f.dryRun {
		p.Targets = slices.DeleteFunc(p.Targets, func(t spoor.Target) bool { return t.Vault == "" })
	}
	if len(p.Targets) == 0 {
		return nothing("no held message matches", o.spoor("shim held"))
	}
	return o.carryOut(ctx, s, p, &f.changeFlags)
}

// releasePlan is the plan that releases those of the held messages that are named or
// selected.
func (o *options) releasePlan(s *server, list []recorder.Held, words []string, f *releaseFlags) (*spoor.Plan, error) {
	picks, err := o.heldPicker(list, words)
	if err != nil {
		return nil, err
	}
	p := &spoor.Plan{
		Action: spoor.ActionShimRelease, Host: s.host, Root: s.root.Dir(), MTA: s.adapter.Name, Selector: slices.Clone(words), Again: f.again,
	}
	if f.all {
		p.Selector = append(p.Selector, "--all")
	}
	if f.again {
		p.Selector = append(p.Selector, "--again")
	}
	var chosen []recorder.Held
	left := 0
	for i := range list {
		h := &list[i]
		switch {
		case !picks(h):
		case h.InDoubt && !f.again:
			left++
		default:
			chosen = append(chosen, *h)
			p.Targets = append(p.Targets, heldTarget(h))
		}
	}
	if len(chosen) == 0 && left > 0 {
		return nil, refuse(fmt.Sprintf("%d messages match, and may have been sent already: what was done with them was cut off", left),
			"nothing was changed: to send them again, at the risk of second copies, add --again", o.spoor("shim held"))
	}
	p.Method = releaseMethod(chosen, left)
	p.Remarks = []string{"what sendmail has accepted cannot be called back: spoor undo takes out of the queue what still waits there then"}
	return p, nil
}

// heldPicker decides by name or by selectors.
func (o *options) heldPicker(list []recorder.Held, words []string) (func(h *recorder.Held) bool, error) {
	names := map[string]bool{}
	for i := range list {
		if slices.Contains(words, list[i].Name) {
			names[list[i].Name] = true
		}
	}
	if len(names) > 0 {
		for _, word := range words {
			if !names[word] {
				return nil, nothing(fmt.Sprintf("%q is no held message; names and selectors do not go together", word), o.spoor("shim held"))
			}
		}
		return func(h *recorder.Held) bool { return names[h.Name] }, nil
	}
	if len(words) > 0 && slices.IndexFunc(words, isHeldName) >= 0 {
		return nil, nothing(fmt.Sprintf("%q is not held", words[slices.IndexFunc(words, isHeldName)]), o.spoor("shim held"))
	}
	selector, err := spoor.ParseSelector(words, o.env.Now())
	if err != nil {
		return nil, usageTry(err, "spoor shim release --help")
	}
	return func(h *recorder.Held) bool {
		m := heldMessage(h)
		return selector.Match(m, heldSource(h), h.UID)
	}, nil
}

// isHeldName knows a word that is no selector.
func isHeldName(word string) bool { return remedy.ValidPlanID(word) }

// heldMessage is what selectors see of a held message.
func heldMessage(h *recorder.Held) *spoor.Message {
	m := &spoor.Message{
		ID: spoor.QueueID(h.Name), Arrived: h.Time, SizeBytes: h.SizeBytes, State: spoor.StateHold, Held: true,
		HasEnvelope: true, Sender: h.Sender, CallerUID: h.UID, CallerGID: h.GID,
	}
	if h.Entry != nil {
		m.Sender, m.Subject = h.Entry.Sender, h.Entry.Subject
	}
	for _, one := range h.Addresses {
		m.Recipients.Add(spoor.ChannelUndecided, false, []byte(one))
	}
	return m
}

func heldSource(h *recorder.Held) spoor.Source {
	if h.Entry != nil {
		return h.Entry.Source
	}
	return recorder.SourceOf(h)
}

// heldTarget is a held message in a plan.
func heldTarget(h *recorder.Held) spoor.Target {
	if h.Entry != nil {
		t := targetOf(h.Entry)
		t.UID = h.UID
		return t
	}
	return spoor.Target{
		ID: spoor.QueueID(h.Name), Arrived: h.Time, SizeBytes: h.SizeBytes, UID: h.UID, State: spoor.StateHold, Held: true,
		Sender: h.Sender, Recipients: h.Recipients, Source: recorder.SourceOf(h),
	}
}

// maxHeldGroups is how many kinds of held messages a plan names.
const maxHeldGroups = 10

// heldGroup is held messages with the same user, script and limit.
type heldGroup struct{ user, script, limit string }

// releaseMethod says what is about to be sent, of whom and how.
func releaseMethod(list []recorder.Held, left int) []string {
	counts := map[heldGroup]int{}
	var groups []heldGroup
	doubtful := 0
	for i := range list {
		h := &list[i]
		g := heldGroup{user: "uid " + strconv.Itoa(h.UID), script: h.Script, limit: h.Limit}
		if h.User != "" {
			g.user = h.User + " (" + g.user + ")"
		}
		if counts[g]++; counts[g] == 1 {
			groups = append(groups, g)
		}
		if h.InDoubt {
			doubtful++
		}
	}
	slices.SortStableFunc(groups, func(a, b heldGroup) int { return cmp.Compare(counts[b], counts[a]) })
	var lines []string
	for _, g := range groups[:min(len(groups), maxHeldGroups)] {
		line := fmt.Sprintf("%d of %s", counts[g], g.user)
		if g.script != "" {
			line += ", by " + g.script
		}
		lines = append(lines, line+", over the limit of "+cmp.Or(g.limit, "an earlier configuration"))
	}
	if more := len(groups) - maxHeldGroups; more > 0 {
		lines = append(lines, fmt.Sprintf("and more, of %d other users, scripts or limits", more))
	}
	lines = append(lines, "each is handed to the real sendmail, as its user and with the arguments that it came with")
	if doubtful > 0 {
		lines = append(lines, fmt.Sprintf("%d may have been sent already: recipients may get a second copy", doubtful))
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("%d more may have been sent already, and are left out: --again sends them too", left))
	}
	return lines
}

// releaseHeld carries out the release of held messages. Meanwhile nobody moves what is
// held.
func (o *options) releaseHeld(ctx context.Context, s *server, work *remedy.Work, p *spoor.Plan) (*spoor.Receipt, error) {
	in, err := o.intake(ctx, work.State, changeWait)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	program, err := realSendmail()
	if err != nil {
		return nil, err
	}
	bar := o.startMeter(p.Action.String())
	defer bar.stop()
	work.Progress = bar.set
	work.Sender = &sendmail{program: program, intake: in, inQueue: func(ctx context.Context) (map[string]spoor.QueueID, error) {
		found, err := s.releasedInQueue(ctx)
		ids := map[string]spoor.QueueID{}
		for name := range found {
			ids[name] = found[name][0].ID
		}
		return ids, err
	}}
	return work.Apply(ctx, p)
}

// undoRelease is the plan that takes out of the queue what a release has put there and
// that waits there still.
func (s *server) undoRelease(ctx context.Context, past *remedy.Past, p *spoor.Plan) (*spoor.Plan, error) {
	sent := past.Handled(p.Targets)
	found, err := s.releasedInQueue(ctx)
	if err != nil {
		return nil, err
	}
	back := &spoor.Plan{Action: spoor.ActionRemove}
	left := 0
	for i := range sent {
		here := 0
		for _, t := range found[string(sent[i].ID)] {
			if t.UID == sent[i].UID {
				here++
				back.Targets = append(back.Targets, t)
			}
		}
		if here == 0 {
			left++
		}
	}
	if len(back.Targets) == 0 {
		return nil, nothing(fmt.Sprintf("%s cannot be taken back any more: none of the %d messages that it gave to sendmail waits in the queue", past.Plan, len(sent)), s.spoor("journal show "+past.Plan))
	}
	back.Remarks = []string{fmt.Sprintf("of the %d messages that were released, %d have left the queue: they cannot be called back", len(sent), left)}
	return back, nil
}

// releasedInQueue finds the messages in the queue that the shim has marked, by the name
// under which they would be held. The mark is signed; whose UID it is, is left to the
// caller to compare.
func (s *server) releasedInQueue(ctx context.Context) (map[string][]spoor.Target, error) {
	if s.noQueue != nil {
		return nil, s.noQueue
	}
	found := map[string][]spoor.Target{}
	err := s.eachMarked(ctx, func(m *spoor.Message, name string, uid int) {
		t := spoor.TargetOf(m)
		t.UID, t.Source = uid, s.tracer.Name(m).Source
		found[name] = append(found[name], t)
	})
	return found, err
}

// eachMarked goes through the queue, and through its messages with a sound mark.
func (s *server) eachMarked(ctx context.Context, visit func(m *spoor.Message, name string, uid int)) error {
	scan, err := s.queue.Scan(ctx, mta.Want{})
	if err != nil {
		return err
	}
	for _, part := range scan.Parts {
		for m, err := range part {
			if err != nil {
				return err
			}
			if name, uid, ok := s.heldName(m); ok {
				visit(m, name, uid)
			}
		}
	}
	return nil
}

// heldName is the name that a message has, or would have, among those that are held:
// from the topmost mark of the shim, if that is signed for the user who queued it.
func (s *server) heldName(m *spoor.Message) (name string, uid int, ok bool) {
	i := slices.IndexFunc(m.Trail.Claims, func(c spoor.Claim) bool { return c.Field == shim.Field })
	entry := m.Trail.Entry()
	if i < 0 || entry == nil || entry.Via != spoor.ViaUID {
		return "", 0, false
	}
	known := s.origins.Lookup(m.Trail.Claims[i].Value)
	id, _, _, err := origin.Parse(known.ID)
	if err != nil || known.Proof != spoor.OriginSigned || known.UID != entry.UID {
		return "", 0, false
	}
	return id.Name(), known.UID, true
}
