package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/measure"
	"spoor/internal/mta"
	"spoor/internal/remedy"
	"spoor/internal/vault"
)

// smallServer is a captured server with only a few messages left in its queue.
type smallServer struct {
	mta  string
	dir  string
	keep []spoor.QueueID // all that are in the queue
	pick []spoor.QueueID // those that plans are about
}

// smallServers are one of each MTA: partly delivered messages, and others.
func smallServers(t *testing.T) []smallServer {
	t.Helper()
	var list []smallServer
	for _, adapter := range adapters() {
		if adapter.Control == nil {
			continue
		}
		name := adapter.Name
		dir := hosttest.Unpack(t, name)
		s := smallServer{mta: name, dir: dir}
		all := messagesOf(t, dir, name)
		for _, m := range all {
			partly := m.Recipients.Done() > 0 && m.Recipients.Done() < m.Recipients.Len()
			if m.State != spoor.StateIncomplete && m.State != spoor.StateCorrupt && (partly && len(s.pick) < 2 || len(s.pick) >= 2 && len(s.pick) < 3) {
				s.pick = append(s.pick, m.ID)
			} else if len(s.keep) < 2 {
				s.keep = append(s.keep, m.ID)
			}
		}
		s.keep = append(s.keep, s.pick...)
		if len(s.pick) != 3 || len(s.keep) != 5 {
			t.Fatalf("%s: %d of %d messages are picked", name, len(s.pick), len(s.keep))
		}
		thin(t, dir, all, s.keep)
		list = append(list, s)
	}
	return list
}

// thin removes the files of all messages but a few.
func thin(t *testing.T, dir string, all []*spoor.Message, keep []spoor.QueueID) {
	t.Helper()
	gone := map[string]bool{}
	for _, m := range all {
		if !slices.Contains(keep, m.ID) {
			gone[string(m.ID)] = true
		}
	}
	must(t, filepath.WalkDir(filepath.Join(dir, "var"), func(name string, entry fs.DirEntry, err error) error {
		base, _, _ := strings.Cut(entry.Name(), "-H")
		for _, suffix := range []string{"-D", "-J"} {
			base = strings.TrimSuffix(base, suffix)
		}
		if err == nil && entry.Type().IsRegular() && gone[base] && !strings.Contains(name, "/log/") {
			return os.Remove(name)
		}
		return err
	}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// opened is a server with its adapter, below a directory.
type opened struct {
	adapter mta.Adapter
	server  *mta.Server
	queue   mta.Queue
}

func openServer(t *testing.T, dir, name string) *opened {
	t.Helper()
	root, err := host.Open(dir)
	must(t, err)
	passwd, err := root.Passwd(&spoor.Gaps{})
	must(t, err)
	i := slices.IndexFunc(adapters(), func(a mta.Adapter) bool { return a.Name == name })
	o := &opened{adapter: adapters()[i], server: &mta.Server{Root: root, Passwd: passwd, MailSystem: func(int) bool { return false }, Gaps: &spoor.Gaps{}}}
	o.queue, err = o.adapter.Open(o.server)
	must(t, err)
	return o
}

func (o *opened) close() {
	_ = o.queue.Close()
	_ = o.server.Root.Close()
}

func messagesOf(t *testing.T, dir, name string) []*spoor.Message {
	t.Helper()
	o := openServer(t, dir, name)
	defer o.close()
	scan, err := o.queue.Scan(t.Context(), mta.Want{Addresses: true})
	must(t, err)
	var all []*spoor.Message
	for _, part := range scan.Parts {
		for m, err := range part {
			must(t, err)
			all = append(all, m.Clone())
		}
	}
	return all
}

// place is where a copy of a message is, and who would get it from there.
type place struct {
	where  string // "queue" or "vault"
	undone string
}

// world finds every copy of every message, by its content.
func world(t *testing.T, dir, name string) map[string][]place {
	t.Helper()
	found := map[string][]place{}
	o := openServer(t, dir, name)
	defer o.close()
	for _, m := range messagesOf(t, dir, name) {
		if m.State == spoor.StateIncomplete {
			continue // not a message in the eyes of the MTA
		}
		content, err := o.queue.Content(m.ID)
		must(t, err)
		var undone []string
		for r := range m.Recipients.All() {
			if !r.Done {
				undone = append(undone, o.queue.LocalAddress(r.Address))
			}
		}
		add(t, found, content, "queue", undone)
	}
	for entry := range vaultOf(t, dir) {
		if !waits(&entry.Entry) {
			continue
		}
		content, err := o.adapter.Message(entry.parcel)
		must(t, err)
		var undone []string
		for _, r := range entry.parcel.Envelope {
			if !r.Done {
				undone = append(undone, o.queue.LocalAddress(r.Address))
			}
		}
		add(t, found, content, "vault", undone)
	}
	return found
}

func add(t *testing.T, found map[string][]place, content io.ReadCloser, where string, undone []string) {
	t.Helper()
	defer func() { must(t, content.Close()) }()
	data, err := io.ReadAll(content)
	must(t, err)
	slices.Sort(undone)
	key := fmt.Sprintf("%x", sha256.Sum256(data))
	found[key] = append(found[key], place{where: where, undone: strings.Join(undone, " ")})
}

type storedEntry struct {
	vault.Entry
	parcel *spoor.Parcel
}

// vaultOf yields what is in the vault of a server.
func vaultOf(t *testing.T, dir string) func(yield func(storedEntry) bool) {
	t.Helper()
	return func(yield func(storedEntry) bool) {
		top, err := disk.Open(dir, nil)
		must(t, err)
		defer func() { must(t, top.Close()) }()
		state, err := remedy.LookState(top, defaultState)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		must(t, err)
		defer state.Close()
		plans, err := state.Vault.Plans()
		must(t, err)
		for _, plan := range plans {
			for entry, err := range state.Vault.Entries(plan) {
				must(t, err)
				parcel, err := state.Vault.Parcel(entry)
				must(t, err)
				if !yield(storedEntry{entry, parcel}) {
					return
				}
			}
		}
	}
}

// compare tells what is lost, doubled or changed between two worlds.
func compare(before, after map[string][]place) error {
	for key, was := range before {
		now := after[key]
		if len(now) != 1 {
			return fmt.Errorf("message %.8s is in %d places: %v", key, len(now), now)
		}
		if now[0].undone != was[0].undone {
			return fmt.Errorf("message %.8s would go to %q, and before to %q", key, now[0].undone, was[0].undone)
		}
	}
	for key := range after {
		if len(before[key]) == 0 {
			return fmt.Errorf("message %.8s is new", key)
		}
	}
	return nil
}

// run carries out a plan, or what was cut off, on a server whose disk may fail.
type run struct {
	t     *testing.T
	dir   string
	name  string
	seam  disk.Seam
	batch int
}

// do opens everything anew, as another process would, and finishes old plans
// before a new one. makes may be nil.
func (r *run) do(makes func(o *opened, state *remedy.State) (*spoor.Plan, error)) error {
	o := openServer(r.t, r.dir, r.name)
	defer o.close()
	top, err := disk.Open(r.dir, r.seam)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	state, err := remedy.OpenState(top, defaultState)
	if err != nil {
		return err
	}
	defer state.Close()
	if err := state.Lock(); err != nil {
		return err
	}
	for _, past := range state.Journal.Unfinished() {
		p, err := state.Plan(past.Plan)
		if err != nil {
			return err
		}
		if err := r.apply(o, top, state, p); err != nil {
			return err
		}
	}
	if makes == nil {
		return nil
	}
	p, err := makes(o, state)
	if err != nil {
		return err
	}
	if err := (&remedy.Work{State: state, Now: at}).Propose(p); err != nil {
		return err
	}
	return r.apply(o, top, state, p)
}

func (r *run) apply(o *opened, top *disk.Dir, state *remedy.State, p *spoor.Plan) error {
	c, err := o.adapter.Control(o.server, mta.Control{Top: top, Plan: p.ID, Run: programs{}, State: state.Dir()})
	if err != nil {
		return err
	}
	steps := &measure.Server{Top: top, Now: at}
	receipt, err := (&remedy.Work{State: state, Controller: c, Steps: steps, Now: at, BatchSize: max(r.batch, 2)}).Apply(context.WithoutCancel(r.t.Context()), p)
	err = errors.Join(err, c.Close())
	if err == nil && receipt.SkippedBy[spoor.ResultFailed] > 0 {
		err = fmt.Errorf("%d messages failed: %v", receipt.SkippedBy[spoor.ResultFailed], receipt.Skipped)
	}
	return err
}

// removal makes the plan that removes the picked messages.
func (s *smallServer) removal(dir string, t *testing.T) func(*opened, *remedy.State) (*spoor.Plan, error) {
	t.Helper()
	return func(*opened, *remedy.State) (*spoor.Plan, error) {
		p := &spoor.Plan{Action: spoor.ActionRemove, Time: at(), MTA: s.mta, Root: dir}
		for _, m := range messagesOf(t, dir, s.mta) {
			if slices.Contains(s.pick, m.ID) {
				p.Targets = append(p.Targets, spoor.TargetOf(m))
			}
		}
		return p, nil
	}
}

// restoration makes the plan that puts everything back.
func (s *smallServer) restoration(dir string, t *testing.T) func(*opened, *remedy.State) (*spoor.Plan, error) {
	t.Helper()
	return func(_ *opened, state *remedy.State) (*spoor.Plan, error) {
		p := &spoor.Plan{Action: spoor.ActionRestore, Time: at(), MTA: s.mta, Root: dir}
		plans, err := state.Vault.Plans()
		for _, plan := range plans {
			targets, failed := storedOf(state, plan)
			p.Targets = append(p.Targets, targets...)
			err = errors.Join(err, failed)
		}
		return p, err
	}
}

// copyTree copies a server to a file system in memory, where there is one: what is
// tested are the calls, and thousands of them sync.
func copyTree(t *testing.T, from string) string {
	t.Helper()
	to, err := os.MkdirTemp("/dev/shm", "spoor-crash-") //nolint:usetesting // in memory, where thousands of syncs cost nothing
	if err != nil {
		to = t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(to)) })
	must(t, exec.CommandContext(t.Context(), "cp", "-a", from+"/.", to).Run())
	return to
}

// TestNothingIsLostAtAnyCall lets every fault happen at every call of removing
// and of restoring, runs spoor again, and looks where every message is.
func TestNothingIsLostAtAnyCall(t *testing.T) {
	if testing.Short() {
		t.Skip("it goes through thousands of crashes")
	}
	for _, s := range smallServers(t) {
		for _, fault := range disktest.Faults() {
			t.Run(s.mta+" rm "+fault.Name, func(t *testing.T) {
				crashEverywhere(t, s, s.dir, fault, s.removal)
			})
			t.Run(s.mta+" restore "+fault.Name, func(t *testing.T) {
				removed := copyTree(t, s.dir)
				must(t, (&run{t: t, dir: removed, name: s.mta}).do(s.removal(removed, t)))
				crashEverywhere(t, s, removed, fault, s.restoration)
			})
		}
	}
}

// stride makes the matrix coarser for everyday runs: SPOOR_CRASH_ALL=1 takes
// every call.
func stride() int {
	if os.Getenv("SPOOR_CRASH_ALL") != "" {
		return 1
	}
	return 7
}

func crashEverywhere(t *testing.T, s smallServer, from string, fault disktest.Fault, plan func(string, *testing.T) func(*opened, *remedy.State) (*spoor.Plan, error)) {
	t.Helper()
	before := world(t, from, s.mta)
	for n := 1; ; n += stride() {
		dir := copyTree(t, from)
		script := &disktest.Script{Fault: fault, N: n}
		_ = (&run{t: t, dir: dir, name: s.mta, seam: script.Seam}).do(plan(dir, t))
		if err := (&run{t: t, dir: dir, name: s.mta}).do(nil); err != nil {
			t.Fatalf("%s: the next run fails: %v", script, err)
		}
		if err := compare(before, world(t, dir, s.mta)); err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		holdingIsGone(t, dir, script)
		must(t, os.RemoveAll(dir))
		if script.Calls() < n {
			return
		}
	}
}

// TestNothingIsLostByManyAtOnce removes all of a captured queue in one batch, which
// several goroutines share, and lets faults happen here and there.
func TestNothingIsLostByManyAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it goes through hundreds of crashes")
	}
	for _, adapter := range adapters() {
		s := wholeServer(t, adapter.Name)
		if len(s.pick) < 80 {
			t.Fatalf("%s: %d messages are too few to be shared", s.mta, len(s.pick))
		}
		for _, fault := range disktest.Faults() {
			t.Run(s.mta+" "+fault.Name, func(t *testing.T) { crashMany(t, s, fault) })
		}
	}
}

// wholeServer is a captured server with all of its messages that can be told apart
// by their content.
func wholeServer(t *testing.T, name string) smallServer {
	t.Helper()
	s := smallServer{mta: name, dir: hosttest.Unpack(t, name)}
	o := openServer(t, s.dir, name)
	defer o.close()
	all, seen := messagesOf(t, s.dir, name), map[string]bool{}
	for _, m := range all {
		content, err := o.queue.Content(m.ID)
		if err != nil || m.State == spoor.StateIncomplete {
			continue
		}
		data, err := io.ReadAll(content)
		must(t, content.Close())
		if err == nil && !seen[string(data)] {
			seen[string(data)] = true
			s.pick = append(s.pick, m.ID)
		}
	}
	thin(t, s.dir, all, s.pick)
	return s
}

func crashMany(t *testing.T, s smallServer, fault disktest.Fault) {
	t.Helper()
	before := world(t, s.dir, s.mta)
	const step = 211 // calls between two crashes
	for n := 1; ; n += step {
		dir := copyTree(t, s.dir)
		script := &disktest.Script{Fault: fault, N: n}
		_ = (&run{t: t, dir: dir, name: s.mta, seam: script.Seam, batch: 1000}).do(s.removal(dir, t))
		if err := (&run{t: t, dir: dir, name: s.mta, batch: 1000}).do(nil); err != nil {
			t.Fatalf("%s: the next run fails: %v", script, err)
		}
		if err := compare(before, world(t, dir, s.mta)); err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		holdingIsGone(t, dir, script)
		must(t, os.RemoveAll(dir))
		if script.Calls() < n {
			return
		}
	}
}

// holdingIsGone looks for leftovers beside the queue.
func holdingIsGone(t *testing.T, dir string, script fmt.Stringer) {
	t.Helper()
	must(t, filepath.WalkDir(filepath.Join(dir, "var"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(name, "/spoor/") || strings.Contains(name, defaultState) {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		if st.Nlink == 1 { // a second name of what is in the queue costs nothing
			t.Fatalf("%s: %s is left in the holding place", script, name)
		}
		return nil
	}))
}

// TestRemoveAndRestoreIsTheIdentity compares every file of the tree, by content,
// mode, owner and time, names aside where the MTA forces new ones.
func TestRemoveAndRestoreIsTheIdentity(t *testing.T) {
	for _, s := range smallServers(t) {
		dir := copyTree(t, s.dir)
		before := tree(t, dir)
		must(t, (&run{t: t, dir: dir, name: s.mta}).do(s.removal(dir, t)))
		if slices.Equal(before, tree(t, dir)) {
			t.Fatalf("%s: removing changed nothing", s.mta)
		}
		must(t, (&run{t: t, dir: dir, name: s.mta}).do(s.restoration(dir, t)))
		after := tree(t, dir)
		if !slices.Equal(before, after) {
			t.Errorf("%s: the tree is not what it was:\n%s", s.mta, difference(before, after))
		}
	}
}

// tree describes the files of the queue, without their names.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var lines []string
	must(t, filepath.WalkDir(filepath.Join(dir, "var"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || strings.Contains(name, defaultState) || strings.Contains(name, "/log/") || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		folder := strings.TrimRight(filepath.Dir(strings.TrimPrefix(name, dir)), "0123456789ABCDEFabcdefghijklmnopqrstuvwxyz")
		modified := time.Unix(st.Mtim.Unix()).UTC()
		lines = append(lines, fmt.Sprintf("%s %o %d:%d %s %x", folder, st.Mode, st.Uid, st.Gid, modified.Format(time.RFC3339Nano), sha256.Sum256(data)))
		return nil
	}))
	slices.Sort(lines)
	return lines
}

func difference(before, after []string) string {
	var out bytes.Buffer
	for _, line := range before {
		if !slices.Contains(after, line) {
			fmt.Fprintf(&out, "- %s\n", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			fmt.Fprintf(&out, "+ %s\n", line)
		}
	}
	return out.String()
}
