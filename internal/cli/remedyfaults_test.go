package cli

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
	"spoor/internal/remedy"
	"spoor/internal/vault"
)

// spoor runs the program, and returns its status and what it wrote.
func (s *smallServer) spoor(dir string, words ...string) (status int, text string) {
	var out, problems bytes.Buffer
	status = Main(append([]string{"--root", dir, "--mta", s.mta}, words...), testEnvironment(&out, &problems))
	return status, out.String() + problems.String()
}

func (s *smallServer) must(t *testing.T, dir string, words ...string) {
	t.Helper()
	if status, text := s.spoor(dir, words...); status != 0 {
		t.Fatalf("%s: spoor %q ends with %d:\n%s", s.mta, words, status, text)
	}
}

// serversOf are the small servers of some MTAs.
func serversOf(t *testing.T, names ...string) []smallServer {
	t.Helper()
	return slices.DeleteFunc(smallServers(t), func(s smallServer) bool { return !slices.Contains(names, s.mta) })
}

// enlarge makes every message so large that the vault writes it before the batch
// ends.
func enlarge(t *testing.T, s *smallServer, dir string) {
	t.Helper()
	noise := make([]byte, 3<<20)
	_, _ = rand.Read(noise)
	for _, m := range messagesOf(t, dir, s.mta) {
		name := filepath.Join(dir, m.Folder, string(m.ID)+strings.Replace(m.Suffix, "-H", "-D", 1))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		_, err = f.Write(slices.Concat(noise, []byte(m.ID)))
		must(t, errors.Join(err, f.Close()))
	}
}

// deliver is the MTA between two runs: what is in the queue leaves it.
func deliver(t *testing.T, s *smallServer, dir string) {
	t.Helper()
	thin(t, dir, messagesOf(t, dir, s.mta), nil)
}

// TestAFullDiskLeavesNoCopyOfWhatIsInTheQueue lets the disk of the vault be full
// from any of its writes on. What goes back to the queue is delivered before spoor
// runs again, which must not find a copy of it in the vault: an undo would send it
// twice.
func TestAFullDiskLeavesNoCopyOfWhatIsInTheQueue(t *testing.T) {
	for _, s := range serversOf(t, "qmail", "exim") {
		enlarge(t, &s, s.dir)
		for n, reached := 1, true; reached; n++ {
			dir, writes := copyTree(t, s.dir), 0
			full := func(op disk.Op) error {
				if op.Name != "write" || !strings.HasSuffix(op.Path, ".spoorvault") {
					return nil
				}
				if writes++; writes < n {
					return nil
				}
				return syscall.ENOSPC
			}
			_ = (&run{t: t, dir: dir, name: s.mta, seam: full}).do(s.removal(dir, t))
			delivered := map[string]bool{}
			for key, places := range world(t, dir, s.mta) {
				for _, at := range places {
					delivered[key] = delivered[key] || at.where == "queue"
				}
			}
			deliver(t, &s, dir)
			must(t, (&run{t: t, dir: dir, name: s.mta}).do(nil))
			for key, places := range world(t, dir, s.mta) {
				if delivered[key] {
					t.Errorf("%s: full from write %d on: message %.8s was delivered and is in %v", s.mta, n, key, places)
				}
			}
			holdingIsGone(t, dir, here("full disk"))
			reached = writes >= n
			must(t, os.RemoveAll(dir))
		}
	}
}

type here string

func (h here) String() string { return string(h) }

// TestTheVaultKnowsOfNothingThatIsNotOnDisk watches the order of a restore: what
// the vault says of a prepared message is believed after a power cut, so it is
// written when the message is on disk.
func TestTheVaultKnowsOfNothingThatIsNotOnDisk(t *testing.T) {
	for _, s := range smallServers(t) {
		must(t, (&run{t: t, dir: s.dir, name: s.mta}).do(s.removal(s.dir, t)))
		inMemory, wrote := "", 0
		order := func(op disk.Op) error {
			vaulted := strings.HasSuffix(op.Path, ".spoorvault")
			switch {
			case op.Name == "create" && strings.Contains(op.Path, "/spoor/") && !strings.Contains(op.Path, defaultState):
				inMemory = op.Path
			case op.Name == "syncfs" && !strings.Contains(op.Path, defaultState):
				inMemory = ""
			case op.Name == "write" && vaulted && inMemory != "":
				t.Errorf("%s: the vault is written while %s is not on disk", s.mta, inMemory)
			case op.Name == "write" && vaulted:
				wrote++
			}
			return nil
		}
		must(t, (&run{t: t, dir: s.dir, name: s.mta, seam: order}).do(s.restoration(s.dir, t)))
		if wrote == 0 {
			t.Errorf("%s: the restore wrote nothing to the vault", s.mta)
		}
	}
}

// TestWhatIsDamagedStaysInTheVault restores a message whose content is damaged in
// the vault. It must stay there, for a purge would take it for a copy, and the
// plan is not taken back.
func TestWhatIsDamagedStaysInTheVault(t *testing.T) {
	for _, s := range serversOf(t, "exim") {
		must(t, (&run{t: t, dir: s.dir, name: s.mta}).do(s.removal(s.dir, t)))
		plan := spoil(t, s.dir)
		_, _ = s.spoor(s.dir, "undo", "--yes", "--reason", "test")
		fates := map[vault.Fate]int{}
		state := look(t, s.dir)
		for entry, err := range state.Vault.Entries(plan) {
			if err == nil {
				fates[entry.Mark.Fate]++
			}
		}
		if fates[vault.FateStored] != 1 || fates[vault.FateRestored] != 2 {
			t.Errorf("%s: of three messages, one of them damaged, the fates are %v", s.mta, fates)
		}
		if by := state.Journal.Of(plan).UndoneBy; by != "" {
			t.Errorf("%s: %s counts as taken back by %s, though a message was left", s.mta, plan, by)
		}
	}
}

// look opens the state folder of a server.
func look(t *testing.T, dir string) *remedy.State {
	t.Helper()
	top, err := disk.Open(dir, nil)
	must(t, err)
	state, err := remedy.LookState(top, defaultState)
	must(t, err)
	t.Cleanup(func() {
		state.Close()
		must(t, top.Close())
	})
	return state
}

// spoil damages the content of the first message of the only container.
func spoil(t *testing.T, dir string) (plan string) {
	t.Helper()
	plans, err := look(t, dir).Vault.Plans()
	must(t, err)
	name := filepath.Join(dir, defaultState, "vault", plans[0]+".spoorvault")
	data, err := os.ReadFile(name)
	must(t, err)
	for entry, err := range look(t, dir).Vault.Entries(plans[0]) {
		must(t, err)
		data[entry.Offset-8] ^= 1 // the end of its content
		break
	}
	must(t, os.WriteFile(name, data, 0o600))
	return plans[0]
}

// TestAnUndoOfWhatWasCutOff crashes a removal at every call, and takes it back at
// once: all of it must be in the queue again.
func TestAnUndoOfWhatWasCutOff(t *testing.T) {
	for _, s := range serversOf(t, "exim") {
		before := world(t, s.dir, s.mta)
		for n := 1; ; n += 7 {
			dir := copyTree(t, s.dir)
			script := &disktest.Script{Fault: disktest.Faults()[0], N: n}
			_ = (&run{t: t, dir: dir, name: s.mta, seam: script.Seam}).do(s.removal(dir, t))
			status, text := s.spoor(dir, "undo", "--yes", "--reason", "test")
			after := world(t, dir, s.mta)
			if err := compare(before, after); err != nil {
				t.Fatalf("%s: %v", script, err)
			}
			for key, places := range after {
				if places[0].where != "queue" {
					t.Fatalf("%s: undo ends with %d, and message %.8s is in the %s:\n%s", script, status, key, places[0].where, text)
				}
			}
			holdingIsGone(t, dir, script)
			must(t, os.RemoveAll(dir))
			if script.Calls() < n {
				break
			}
		}
	}
}

// TestHeldMessagesOfOnePlanLeaveThoseOfAnother purges what one plan holds.
func TestHeldMessagesOfOnePlanLeaveThoseOfAnother(t *testing.T) {
	for _, s := range serversOf(t, "qmail") {
		before := world(t, s.dir, s.mta)
		s.must(t, s.dir, "queue", "hold", "id:"+string(s.pick[0]), "--yes", "--reason", "test")
		plans, err := look(t, s.dir).Vault.Plans()
		must(t, err)
		s.must(t, s.dir, "queue", "release", "id:"+string(s.pick[0]), "--yes", "--reason", "test")
		s.must(t, s.dir, "vault", "purge", "--plan", plans[0], "--yes")
		s.must(t, s.dir, "queue", "hold", "id:"+string(s.pick[1]), "--yes", "--reason", "test")
		s.must(t, s.dir, "queue", "release", "id:"+string(s.pick[1]), "--yes", "--reason", "test")
		s.must(t, s.dir, "undo", "--yes", "--reason", "holds it again")
		s.must(t, s.dir, "queue", "release", "age:>0s", "--yes", "--reason", "test")
		must(t, compare(before, world(t, s.dir, s.mta)))
		for key, places := range world(t, s.dir, s.mta) {
			if places[0].where != "queue" {
				t.Errorf("message %.8s is still in the %s", key, places[0].where)
			}
		}
	}
}

// TestAnUndoOfARestoreLeavesOthersAlone gives the ID of a restored message to
// another one before the restore is taken back.
func TestAnUndoOfARestoreLeavesOthersAlone(t *testing.T) {
	for _, s := range serversOf(t, "qmail") {
		must(t, (&run{t: t, dir: s.dir, name: s.mta}).do(s.removal(s.dir, t)))
		s.must(t, s.dir, "undo", "--yes", "--reason", "test")
		var other spoor.QueueID
		for _, m := range messagesOf(t, s.dir, s.mta) {
			if !slices.Contains(s.keep, m.ID) {
				other = m.ID
				must(t, os.Chtimes(filepath.Join(s.dir, m.Folder, string(m.ID)), at(), at()))
				break
			}
		}
		s.must(t, s.dir, "undo", at().Format("20060102T150405")+"-restore", "--yes", "--reason", "test")
		left := 0
		for _, m := range messagesOf(t, s.dir, s.mta) {
			if m.ID == other {
				left++
			}
		}
		if other == "" || left != 1 {
			t.Errorf("%s: the message that has the ID %q now was removed", s.mta, other)
		}
	}
}

// TestAPlanOfAnotherTreeIsLeftAlone shares a state folder between two trees.
func TestAPlanOfAnotherTreeIsLeftAlone(t *testing.T) {
	for _, s := range serversOf(t, "exim") {
		one, two, state := copyTree(t, s.dir), copyTree(t, s.dir), t.TempDir()
		s.must(t, one, "--state", state, "queue", "rm", "id:"+string(s.pick[0]), "--yes", "--reason", "test")
		status, text := s.spoor(two, "--state", state, "undo", "--yes", "--reason", "test")
		if status != exitRefused {
			t.Errorf("an undo of what was done to another tree ends with %d:\n%s", status, text)
		}
	}
}

// TestAStepThatFailsLaterLosesNothing lets the files of a message not follow the
// one whose move decides.
func TestAStepThatFailsLaterLosesNothing(t *testing.T) {
	for _, s := range serversOf(t, "qmail") {
		before := world(t, s.dir, s.mta)
		failing := func(op disk.Op) error {
			for _, shelf := range []string{"/queue/local/", "/queue/remote/"} {
				if op.Name == "rename" && strings.Contains(op.Path, shelf) {
					return syscall.ENOSPC
				}
			}
			return nil
		}
		if err := (&run{t: t, dir: s.dir, name: s.mta, seam: failing}).do(s.removal(s.dir, t)); err == nil {
			t.Fatal("the removal did not fail")
		}
		must(t, (&run{t: t, dir: s.dir, name: s.mta}).do(nil))
		must(t, compare(before, world(t, s.dir, s.mta)))
		holdingIsGone(t, s.dir, here("a later step"))
	}
}
