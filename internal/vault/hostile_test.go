package vault_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/vault"
)

// readable lists the sequences of the messages that come back as they were
// stored, and counts what is told to be damaged.
func readable(t *testing.T, v *vault.Vault, messages []*spoor.Parcel) (whole []uint64, told int) {
	t.Helper()
	list, told := entries(t, v, "p")
	for _, entry := range list {
		p, err := v.Parcel(entry)
		if err == nil {
			err = readAll(p)
		}
		switch {
		case errors.Is(err, vault.ErrDamaged):
			told++
		case err != nil:
			t.Fatal(err)
		default:
			same(t, p, messages[entry.Sequence-1])
			whole = append(whole, entry.Sequence)
		}
	}
	return whole, told
}

func readAll(p *spoor.Parcel) error {
	for i := range p.Files {
		in, err := p.Files[i].Open()
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, in)
		if err := errors.Join(err, in.Close()); err != nil {
			return err
		}
	}
	return nil
}

// TestDamageCostsOneMessage spoils bytes all over a container.
func TestDamageCostsOneMessage(t *testing.T) {
	name := memoryDir(t)
	v := open(t, name, nil)
	messages := []*spoor.Parcel{letter(0), letter(1), letter(2), letter(3)}
	refs := store(t, v, "p", messages...)
	w, err := v.Append("p")
	must(t, err)
	must(t, w.Mark(refs[1], vault.Mark{Fate: vault.FateRestored, NewID: "7"}))
	must(t, w.Sync())
	must(t, w.Close())
	image, err := os.ReadFile(container(name, "p"))
	must(t, err)
	for at := 0; at < len(image)-48; at += 1 + at%5 {
		spoilt := bytes.Clone(image)
		spoilt[at] ^= 0x40
		must(t, os.WriteFile(container(name, "p"), spoilt, 0o600))
		whole, told := readable(t, v, messages)
		if len(whole) < 3 || len(whole) < 4 && told == 0 {
			t.Fatalf("with byte %d spoilt, messages %v are left and %d stretches are told", at, whole, told)
		}
		// Those that are whole are copied and not judged by what is beside them.
		w, err := v.Append("p")
		must(t, err)
		must(t, w.Close())
		if now, err := os.ReadFile(container(name, "p")); err != nil || !bytes.Equal(now, spoilt) {
			t.Fatalf("Append has changed a container with byte %d spoilt: %v", at, err)
		}
	}
}

func TestAPurgeKeepsWhatIsDamaged(t *testing.T) {
	name := t.TempDir()
	v := open(t, name, nil)
	messages := []*spoor.Parcel{letter(0), letter(1), letter(2), letter(3)}
	refs := store(t, v, "p", messages...)
	image, err := os.ReadFile(container(name, "p"))
	must(t, err)
	image[refs[1].Offset+100] ^= 1
	must(t, os.WriteFile(container(name, "p"), image, 0o600))
	report, err := v.Purge("p", func(e vault.Entry) bool { return e.Sequence == 4 })
	must(t, err)
	if report.Kept != 1 || report.Purged != 2 || report.Damaged != 1 || report.Removed {
		t.Errorf("the report is %+v", report)
	}
	now, err := os.ReadFile(container(name, "p"))
	must(t, err)
	if !bytes.Contains(now, image[refs[1].Offset:][:200]) {
		t.Error("the damaged frame is gone")
	}
	if report.FreedBytes != int64(len(image)-len(now)) {
		t.Errorf("%d bytes are said to be free, %d are", report.FreedBytes, len(image)-len(now))
	}
	report, err = v.Purge("p", func(vault.Entry) bool { return false })
	must(t, err)
	if _, err := v.Stat("p"); !report.Removed || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the last message the report is %+v, and the container: %v", report, err)
	}
}

// TestAMessageCannotPlantFrames stores a container in a container, and damages
// the frame around it.
func TestAMessageCannotPlantFrames(t *testing.T) {
	name := t.TempDir()
	v := open(t, name, nil)
	store(t, v, "inner", letter(8), letter(9))
	inner, err := os.ReadFile(container(name, "inner"))
	must(t, err)
	outer := letter(0)
	// Noise around it, so that it is not packed.
	outer.Files[0] = memory("mess", "m", slices.Concat(noise(1, 4000), inner, noise(2, 4000)))
	store(t, v, "p", outer, letter(1))
	image, err := os.ReadFile(container(name, "p"))
	must(t, err)
	if !bytes.Contains(image, inner[:64]) {
		t.Skip("the content was packed")
	}
	image[40] ^= 1
	must(t, os.WriteFile(container(name, "p"), image, 0o600))
	list, _ := entries(t, v, "p")
	for _, entry := range list {
		if entry.ID == letter(8).ID || entry.ID == letter(9).ID {
			t.Errorf("message %s was planted", entry.ID)
		}
	}
	if len(list) != 2 || !list[0].Damaged {
		t.Errorf("the entries are %+v", list)
	}
}

func TestAFileOfOthersIsRefused(t *testing.T) {
	name := t.TempDir()
	v := open(t, name, nil)
	store(t, v, "good", letter(0))
	good := container(name, "good")
	plant := map[string]func(target string) error{
		"link":      func(target string) error { return os.Symlink(good, target) },
		"nowhere":   func(target string) error { return os.Symlink(filepath.Join(name, "new"), target) },
		"pipe":      func(target string) error { return syscall.Mkfifo(target, 0o600) },
		"directory": func(target string) error { return os.Mkdir(target, 0o700) },
		"open": func(target string) error {
			return errors.Join(os.WriteFile(target, nil, 0o600), os.Chmod(target, 0o666))
		},
		"foreign": func(target string) error {
			return errors.Join(os.WriteFile(target, nil, 0o600), os.Chown(target, 4242, 4242))
		},
		"second": func(target string) error {
			other := filepath.Join(name, "other")
			return errors.Join(os.WriteFile(other, nil, 0o600), os.Link(other, target))
		},
	}
	for what, planted := range plant {
		if what == "foreign" && os.Geteuid() != 0 {
			continue
		}
		must(t, planted(container(name, what)))
		before, err := os.Lstat(container(name, what))
		must(t, err)
		if w, err := v.Append(what); err == nil {
			t.Errorf("Append took %s", what)
			must(t, w.Close())
		}
		for _, err := range v.Entries(what) {
			if err == nil || errors.Is(err, vault.ErrDamaged) {
				t.Errorf("Entries read %s: %v", what, err)
			}
		}
		if _, err := v.Purge(what, func(vault.Entry) bool { return false }); err == nil {
			t.Errorf("Purge took %s", what)
		}
		after, err := os.Lstat(container(name, what))
		if err != nil || !os.SameFile(before, after) || after.Size() != before.Size() {
			t.Errorf("%s was changed: %v", what, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(name, "new")); err == nil {
		t.Error("a link was followed")
	}
	for _, plan := range []string{"", "..", "../x", "a/b", "a b", "a\x00", ".hidden", strings.Repeat("a", 200)} {
		if _, err := v.Append(plan); !errors.Is(err, vault.ErrName) {
			t.Errorf("the plan %q gives %v", plan, err)
		}
	}
	must(t, os.WriteFile(container(name, "text"), []byte("something else"), 0o600))
	if _, err := v.Append("text"); !errors.Is(err, vault.ErrDamaged) {
		t.Errorf("a file that is no container gives %v", err)
	}
}

func TestOneWriterAtATime(t *testing.T) {
	name := t.TempDir()
	v := open(t, name, nil)
	w, err := v.Append("p")
	must(t, err)
	if _, err := v.Append("p"); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("a second writer gets %v", err)
	}
	if _, err := v.Purge("p", func(vault.Entry) bool { return true }); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("a purge gets %v", err)
	}
	must(t, w.Close())
	if _, err := w.Add(letter(0)); !errors.Is(err, vault.ErrBroken) {
		t.Errorf("Add after Close gives %v", err)
	}
}

func TestContentOfAnotherLengthIsRefused(t *testing.T) {
	name := t.TempDir()
	v := open(t, name, nil)
	w, err := v.Append("p")
	must(t, err)
	_, err = w.Add(letter(0))
	must(t, err)
	for _, size := range []int64{0, 99, 101, 5 << 20} {
		p := letter(1)
		p.Files[1] = memory("mess", "m", noise(1, 100))
		p.Files[1].SizeBytes = size
		if _, err := w.Add(p); !errors.Is(err, vault.ErrSize) {
			t.Errorf("100 bytes that were announced as %d give %v", size, err)
		}
	}
	broken := errors.New("a bad sector")
	p := letter(1)
	p.Files[1].SizeBytes = 3 << 20
	p.Files[1].Open = func() (spoor.Content, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(noise(4, 5<<19)), failing{broken})), nil
	}
	if _, err := w.Add(p); !errors.Is(err, broken) {
		t.Errorf("a file that cannot be read gives %v", err)
	}
	for _, bad := range []string{"/../etc/passwd", "a/../../b", "a\x00"} {
		p := letter(1)
		p.Files[0].Name = bad
		if _, err := w.Add(p); !errors.Is(err, vault.ErrUnstorable) {
			t.Errorf("a file called %q gives %v", bad, err)
		}
	}
	_, err = w.Add(letter(1))
	must(t, err)
	must(t, w.Sync())
	must(t, w.Close())
	whole, told := readable(t, v, []*spoor.Parcel{letter(0), letter(1)})
	if len(whole) != 2 || told != 0 {
		t.Errorf("messages %v are whole, %d stretches are damaged", whole, told)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestALargeMessageIsNotHeld stores and reads 64 MB with a twentieth of that.
func TestALargeMessageIsNotHeld(t *testing.T) {
	v := open(t, memoryDir(t), nil)
	const size = 64 << 20
	p := letter(0)
	p.Files[0].SizeBytes = size
	p.Files[0].Open = func() (spoor.Content, error) {
		return io.NopCloser(io.LimitReader(zeros{}, size)), nil
	}
	before := allocated()
	store(t, v, "p", p)
	list, _ := entries(t, v, "p")
	got, err := v.Parcel(list[0])
	must(t, err)
	must(t, readAll(got))
	if used := allocated() - before; used > 24<<20 {
		t.Errorf("%d MB were allocated for a message of 64", used>>20)
	}
}

type zeros struct{}

func (zeros) Read(buf []byte) (int, error) { clear(buf); return len(buf), nil }

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

func TestExpired(t *testing.T) {
	v := open(t, t.TempDir(), nil)
	now := time.Unix(1700100000, 0)
	aged := func(n int, age time.Duration) *spoor.Parcel {
		p := letter(n)
		p.StoredTime = now.Add(-age).UTC()
		return p
	}
	refs := store(t, v, "a", aged(0, 50*time.Hour), aged(1, 30*time.Hour), aged(2, time.Hour), aged(3, 60*time.Hour))
	store(t, v, "b", aged(4, 40*time.Hour), aged(5, 2*time.Hour))
	store(t, v, "c", aged(6, 99*time.Hour))
	w, err := v.Append("a")
	must(t, err)
	must(t, w.Mark(refs[3], vault.Mark{Fate: vault.FateRestoring}))
	must(t, w.Sync())
	must(t, w.Close())
	total := int64(0)
	for _, plan := range []string{"a", "b", "c"} {
		st, err := v.Stat(plan)
		must(t, err)
		total += st.SizeBytes
	}
	check := func(r vault.Retention, want ...spoor.QueueID) {
		t.Helper()
		var got []spoor.QueueID
		for entry, err := range v.Expired(r, now, func(plan string) bool { return plan != "c" }) {
			must(t, err)
			got = append(got, entry.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v picks %v, want %v", r, got, want)
		}
	}
	check(vault.Retention{})
	check(vault.Retention{MaxAge: 35 * time.Hour}, "1000", "1004")
	check(vault.Retention{MaxBytes: total})
	check(vault.Retention{MaxBytes: total - 1}, "1000")
	check(vault.Retention{MaxBytes: 1}, "1000", "1004", "1001", "1005", "1002")
	check(vault.Retention{MaxAge: 45 * time.Hour, MaxBytes: total - 1}, "1000")
	check(vault.Retention{MaxShare: 1e-15}, "1000", "1004", "1001", "1005", "1002")
	check(vault.Retention{MaxShare: 1})
}

// TestADamagedMessageIsStoredAgain resumes a plan whose first copy has rotted.
func TestADamagedMessageIsStoredAgain(t *testing.T) {
	name := t.TempDir()
	v := open(t, name, nil)
	refs := store(t, v, "p", letter(0), large(1), letter(2))
	image, err := os.ReadFile(container(name, "p"))
	must(t, err)
	image[refs[1].Offset-20] ^= 1
	must(t, os.WriteFile(container(name, "p"), image, 0o600))
	w, err := v.Append("p")
	must(t, err)
	for n, want := range []bool{true, false, true} {
		p := letter(n)
		if entry, ok := w.Find(p.ID, p.Arrived); ok != want || ok && entry.Ref != refs[n] {
			t.Errorf("Find of message %d gives %+v, %v", n, entry.Ref, ok)
		}
	}
	again, err := w.Add(large(1))
	must(t, err)
	must(t, w.Sync())
	must(t, w.Close())
	list, damaged := entries(t, v, "p")
	if len(list) != 4 || damaged != 0 || list[1].Mark.Fate != vault.FateVoid || list[3].Ref != again {
		t.Errorf("%d entries, %d stretches of damage: %+v", len(list), damaged, list)
	}
	p, err := v.Parcel(list[3])
	must(t, err)
	same(t, p, large(1))
}
