package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
	"spoor/internal/vault"
)

// cabinet is a state folder with a store and a vault, as one process sees it.
type cabinet struct {
	state, vaults *disk.Dir
	store         *Store
	vault         *vault.Vault
}

func openCabinet(dir string, seam disk.Seam) (c *cabinet, err error) {
	c = &cabinet{}
	if c.state, err = disk.Open(dir, seam); err != nil {
		return c, err
	}
	if c.store, err = OpenStore(c.state); err != nil {
		return c, err
	}
	if c.vaults, err = c.state.MakeDir(vault.FolderName, 0o700); err != nil {
		return c, err
	}
	c.vault, err = vault.Open(c.vaults)
	return c, err
}

func (c *cabinet) close() {
	if c.store != nil {
		_ = c.store.Close()
	}
	for _, d := range []*disk.Dir{c.vaults, c.state} {
		if d != nil {
			_ = d.Close()
		}
	}
}

func (c *cabinet) takeIn() (Taken, error) {
	in, err := OpenIntake(c.state, c.vault, time.Now)
	if err != nil {
		return Taken{}, err
	}
	defer func() { _ = in.Close() }()
	return in.Take(context.Background(), 0)
}

// inMemory is a folder whose syncs cost nothing.
func inMemory(t *testing.T) string {
	t.Helper()
	name, err := os.MkdirTemp("/dev/shm", "spoor-intake-") //nolint:usetesting // in memory, where thousands of syncs cost nothing
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { check(t, os.RemoveAll(name)) })
	return name
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// letters are held messages of two days.
func letters() (list []Held, texts []string) {
	day := time.Date(2026, 11, 26, 23, 59, 0, 123456789, time.UTC)
	for i, text := range []string{
		"Subject: one\r\nTo: a@x.test,\r\n b@x.test\r\n\r\nhello\r\n", "no header at all", "", "Subject: big\n\n" + strings.Repeat("0123456789", 30_000),
	} {
		h := Held{
			Name: fmt.Sprintf("20261126T235900-%016x", i), ID: fmt.Sprintf("1.abc.10003.%d.x", i), Time: day.Add(time.Duration(i) * 40 * time.Second),
			UID: 10003, GID: 10004, Args: []string{"sendmail", "-t", "-fw\xe9b@x.test", "c@x.test"}, Limit: "50/h", Script: "/srv/a\x1b.php",
		}
		list, texts = append(list, h), append(texts, text)
	}
	list[3].Script, list[3].User = "", "web3"
	return list, texts
}

// fill puts the letters into the store of a folder; the second one may have been sent.
func fill(t *testing.T, dir string) {
	t.Helper()
	c, err := openCabinet(dir, nil)
	check(t, err)
	defer c.close()
	list, texts := letters()
	for i := range list {
		in, err := c.store.begin(list[i].Name)
		check(t, err)
		_, err = in.Write([]byte(texts[i]))
		check(t, err)
		check(t, in.commit(&list[i]))
		if i == 1 {
			check(t, c.store.Sweep()) // as after a crash
		} else {
			check(t, in.told())
		}
	}
}

// all tells what is held below a folder, and reads it to its end. A crash may have left
// a half-written stretch behind the last message, until the next intake.
func all(t *testing.T, dir string) (list []Held, damaged int) {
	t.Helper()
	c, err := openCabinet(dir, nil)
	check(t, err)
	defer c.close()
	list, damaged, err = Waiting(c.state, c.vault)
	check(t, err)
	_, texts := letters()
	for i := range list {
		if got := c.text(t, &list[i]); i < len(texts) && got != texts[i] {
			t.Errorf("message %s has %d bytes, not %d", list[i].Name, len(got), len(texts[i]))
		}
	}
	return list, damaged
}

func (c *cabinet) text(t *testing.T, h *Held) string {
	t.Helper()
	if h.Entry == nil {
		text, err := c.store.dir.Get(h.Name+messageEnd, 1<<20)
		check(t, err)
		return string(text)
	}
	p, err := c.vault.Parcel(*h.Entry)
	check(t, err)
	in, err := Message(p)
	check(t, err)
	text, err := io.ReadAll(in)
	check(t, errors.Join(err, in.Close()))
	return string(text)
}

// complete wants each letter exactly once, as it was held.
func complete(t *testing.T, got []Held) {
	t.Helper()
	want, texts := letters()
	if len(got) != len(want) {
		t.Fatalf("%d messages of %d", len(got), len(want))
	}
	for i := range want {
		w, g := &want[i], &got[i]
		if g.Name != w.Name || !g.Time.Equal(w.Time) || g.UID != w.UID || g.GID != w.GID || !slices.Equal(g.Args, w.Args) || g.ID != w.ID ||
			g.Limit != w.Limit || g.Script != w.Script || g.SizeBytes != int64(len(texts[i])) || g.InDoubt != (i == 1) {
			t.Errorf("%+v, want %+v", *g, *w)
		}
	}
}

// TestIntakeLosesAndDoublesNothing lets every fault happen at every call of taking
// messages in. At that moment and after the next run each is held once, whole, with its
// doubt; what is in the vault then is not in the store.
func TestIntakeLosesAndDoublesNothing(t *testing.T) {
	for _, fault := range disktest.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			for n := 1; !t.Failed(); n++ {
				dir := inMemory(t)
				fill(t, dir)
				script := &disktest.Script{Fault: fault, N: n}
				c, err := openCabinet(dir, script.Seam)
				if err == nil {
					_, _ = c.takeIn()
				}
				c.close()
				list, _ := all(t, dir)
				complete(t, list)
				again(t, dir)
				if t.Failed() {
					t.Fatalf("with %s", script)
				}
				check(t, os.RemoveAll(dir))
				if script.Calls() < n {
					if n < 20 {
						t.Fatalf("only %d calls", script.Calls())
					}
					return
				}
			}
		})
	}
}

// again takes in what is left, and looks at what is where.
func again(t *testing.T, dir string) {
	t.Helper()
	c, err := openCabinet(dir, nil)
	check(t, err)
	defer c.close()
	done, err := c.takeIn()
	if err != nil || done.Failed > 0 {
		t.Fatalf("the next run: %v, %+v", err, done)
	}
	list, damaged := all(t, dir)
	complete(t, list)
	if damaged > 0 {
		t.Errorf("%d stretches are damaged", damaged)
	}
	if slices.ContainsFunc(list, func(h Held) bool { return h.Entry == nil }) {
		t.Error("not all are in the vault")
	}
	check(t, c.store.Sweep()) // as the next recorder does
	if names, err := c.store.dir.Names(); err != nil || len(names) > 0 {
		t.Errorf("left in the store: %q %v", names, err)
	}
	// Nothing comes back, and nothing is taken in twice.
	if done, err := c.takeIn(); err != nil || done != (Taken{}) {
		t.Errorf("once more: %+v %v", done, err)
	}
}

func TestHeldMessagesInTheVault(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	c, err := openCabinet(dir, nil)
	check(t, err)
	defer c.close()
	if done, err := c.takeIn(); err != nil || done.Messages != 4 {
		t.Fatal(done, err)
	}
	plans, err := c.vault.Plans()
	if err != nil || !slices.Equal(plans, []string{"20261126-held", "20261127-held"}) {
		t.Fatal(plans, err)
	}
	list, _, err := Waiting(c.state, c.vault)
	check(t, err)
	first, last := list[0].Entry, list[3].Entry
	if first.MTA != MTA || first.Sender != "w\xe9b@x.test" || first.Subject != "one" || first.CallerUID != 10003 || first.Recipients != 3 ||
		first.Source != (spoor.Source{Kind: spoor.KindScript, Name: "/srv/a\x1b.php"}) || !first.Held {
		t.Errorf("%+v", first)
	}
	if last.Source != (spoor.Source{Kind: spoor.KindUser, Name: "web3"}) {
		t.Errorf("%+v", last.Source)
	}
	p, err := c.vault.Parcel(*first)
	check(t, err)
	var to []string
	for _, r := range p.Envelope {
		to = append(to, r.Address)
	}
	if !slices.Equal(to, []string{"c@x.test", "a@x.test", "b@x.test"}) {
		t.Errorf("recipients %q", to)
	}
}

// A message that was released is not held again by a copy that a crash has left in the
// store.
func TestWhatWasReleasedStaysReleased(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	kept := t.TempDir()
	check(t, os.CopyFS(kept, os.DirFS(dir)))
	c, err := openCabinet(dir, nil)
	check(t, err)
	defer c.close()
	_, err = c.takeIn()
	check(t, err)
	list, _, err := Waiting(c.state, c.vault)
	check(t, err)
	w, err := c.vault.Append(list[0].Entry.Plan)
	check(t, err)
	check(t, w.Mark(list[0].Entry.Ref, vault.Mark{Fate: vault.FateRestored}))
	check(t, errors.Join(w.Sync(), w.Close()))
	check(t, os.RemoveAll(dir+"/held"))
	check(t, os.CopyFS(dir+"/held", os.DirFS(kept+"/held")))
	c.close()
	*c = cabinet{}
	back, err := openCabinet(dir, nil)
	check(t, err)
	*c = *back
	if list, _, err := Waiting(c.state, c.vault); err != nil || len(list) != 3 {
		t.Errorf("listed as held: %d, %v", len(list), err)
	}
	_, err = c.takeIn()
	check(t, err)
	if list, _, err := Waiting(c.state, c.vault); err != nil || len(list) != 3 {
		t.Errorf("held after the intake: %d, %v", len(list), err)
	}
}

// TestHostileStore plants in the store what only root could: nothing is followed out
// of it, what is no message stays where it is, and the others are taken in.
func TestHostileStore(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	secret := filepath.Join(t.TempDir(), "secret")
	check(t, os.WriteFile(secret, []byte("Subject: secret\n\n"), 0o600))
	held := dir + "/held/"
	good, err := os.ReadFile(held + "20261126T235900-0000000000000000.json")
	check(t, err)
	as := func(name string) string {
		return strings.ReplaceAll(string(good), "20261126T235900-0000000000000000", name)
	}
	check(t, os.Symlink(secret, held+"a-link.eml"))
	check(t, os.WriteFile(held+"a-link.json", []byte(as("a-link")), 0o600))
	check(t, os.Symlink(held+"20261126T235900-0000000000000000.json", held+"b-link.json"))
	check(t, unix.Mkfifo(held+"pipe.json", 0o600))
	check(t, os.Mkdir(held+"folder.json", 0o700))
	check(t, os.WriteFile(held+"esc\x1b[2J.json", []byte(as("esc\\u001b[2J")), 0o600))
	check(t, os.WriteFile(held+"other.json", []byte(as("20261126T235900-0000000000000003")), 0o600))
	check(t, os.WriteFile(held+"root.json", []byte(strings.ReplaceAll(as("root"), `"uid":10003`, `"uid":-1`)), 0o600))
	check(t, os.WriteFile(held+"half.json", good[:len(good)/2], 0o600))
	check(t, os.WriteFile(held+"alone.json", []byte(as("alone")), 0o600))
	c, err := openCabinet(dir, nil)
	check(t, err)
	defer c.close()
	done, err := c.takeIn()
	if err != nil || done.Messages != 4 || done.Failed != 9 || done.Err == nil {
		t.Fatalf("%+v %v", done, err)
	}
	list, damaged, err := Waiting(c.state, c.vault)
	check(t, err)
	inside := slices.DeleteFunc(list, func(h Held) bool { return h.Entry == nil })
	complete(t, inside)
	if damaged != 7 { // two have a sound envelope
		t.Errorf("%d are damaged", damaged)
	}
	for i := range inside {
		if strings.Contains(c.text(t, &inside[i]), "secret") {
			t.Error("a link was followed")
		}
	}
}

// Only one takes messages in at a time.
func TestOneIntakeAtATime(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	c, err := openCabinet(dir, nil)
	check(t, err)
	defer c.close()
	in, err := OpenIntake(c.state, c.vault, time.Now)
	check(t, err)
	if _, err := OpenIntake(c.state, c.vault, time.Now); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	go func() { _ = in.Close() }()
	second, err := WaitIntake(t.Context(), c.state, c.vault, time.Now, time.Minute)
	check(t, err)
	check(t, second.Close())
}

// The recorder moves what it holds into the vault by itself, counts it there, and
// holds no more of a user than it may.
func TestTheRecorderTakesIn(t *testing.T) {
	s := newStand(t, fmt.Sprintf("[hold]\nmessages = 1\n[[limit]]\nuid = %d\nlimit = \"0/h\"\nover = \"hold\"\n", os.Getuid()))
	if status, said := s.send(os.Getuid(), "To: a\nSubject: x\n\nhello", "-t"); status != 0 {
		t.Fatal(status, said)
	}
	s.took()
	s.stop()
	s.start() // which begins with it
	var list []Held
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		var err error
		if list, _, err = Waiting(s.state, s.vault); err == nil && len(list) == 1 && list[0].Entry != nil {
			break
		}
	}
	if len(list) != 1 || list[0].Entry == nil || list[0].Entry.Subject != "x" || list[0].Limit != fmt.Sprintf("0/h of uid %d", os.Getuid()) {
		t.Fatalf("%+v", list)
	}
	if status, said := s.send(os.Getuid(), "To: a\n\nsecond", "-t"); status != tryLater || !strings.Contains(said, "too many") {
		t.Errorf("%d %q", status, said)
	}
}

// TestTheStoreKeepsWhatIsNotDurable watches the order of calls: a power cut takes what
// was written and not synced, so nothing leaves the store before the vault has it for
// sure, and no message before its envelope.
func TestTheStoreKeepsWhatIsNotDurable(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	loose, names, removed := false, false, 0
	c, err := openCabinet(dir, func(op disk.Op) error {
		inVault, inStore := strings.HasSuffix(op.Path, ".spoorvault"), strings.Contains(op.Path, "/held/")
		_, end := splitName(op.Path)
		switch {
		case inVault && op.Name == "write" && op.Bytes > 100: // less is the mark that it was synced
			loose = true
		case inVault && op.Name == "fsync":
			loose = false
		case op.Name == "fsync" && filepath.Base(op.Path) == "held":
			names = false
		case inStore && op.Name == "unlink" && end == messageEnd && names:
			t.Errorf("%s goes, and its envelope may come back", op.Path)
		case inStore && op.Name == "unlink" && loose:
			t.Errorf("%s goes, and is not durable in the vault", op.Path)
		case inStore && op.Name == "unlink" && isEnvelope(end):
			names = true
			removed++
		}
		return nil
	})
	check(t, err)
	defer c.close()
	if _, err := c.takeIn(); err != nil || removed != 4 {
		t.Errorf("%d messages left the store: %v", removed, err)
	}
}
