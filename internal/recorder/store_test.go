package recorder

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor/internal/disk"
)

func TestOverTheLimitIsRefused(t *testing.T) {
	s := newStand(t, fmt.Sprintf("[[limit]]\nuid = %d\nlimit = \"2/h\"\nover = \"refuse\"\n", os.Getuid()))
	for i, want := range []int{0, 0, refusal, refusal} {
		status, said := s.send(os.Getuid(), "To: a\n\nhello", "-t")
		if status != want || want != 0 && !strings.Contains(said, "over the limit of 2/h") {
			t.Errorf("message %d: %d %q", i, status, said)
		}
	}
	if r := s.records(4); r[1].Over != "" || r[3].Over != string(OverRefuse) {
		t.Errorf("%q %q", r[1].Over, r[3].Over)
	}
}

func TestOverTheLimitIsHeld(t *testing.T) {
	for answer, want := range map[string]int{"accepted": 0, "later": tryLater} {
		s := newStand(t, fmt.Sprintf("[[limit]]\nuid = %d\nlimit = \"0/h\"\nover = \"hold\"\nanswer = %q\n", os.Getuid(), answer))
		for _, text := range []string{"To: a\n\nhello", "To: a\n\n" + strings.Repeat("0123456789", 400_000)} {
			if status, said := s.send(os.Getuid(), text, "-t", "-i", "x@y.test"); status != want || said != "" {
				t.Errorf("%s: %d %q", answer, status, said)
			}
			s.took()
			list, _, err := s.store.List()
			if err != nil || len(list) != 1 {
				t.Fatalf("%v: %v", err, list)
			}
			h := list[0]
			id, rest := marked(t, s.read("state/held/"+h.Name+".eml"))
			if rest != text || h.ID != id || h.UID != os.Getuid() || strings.Join(h.Args, " ") != "sendmail -t -i x@y.test" || s.read("message") != "" {
				t.Errorf("%+v, %d bytes of %d", h, len(rest), len(text))
			}
			for _, end := range []string{envelopeEnd, messageEnd} {
				if err := s.store.remove(h.Name + end); err != nil {
					t.Fatal(err)
				}
			}
		}
		if r := s.records(2); r[0].Over != string(OverHold) || r[0].Held == "" {
			t.Errorf("%+v", r[0])
		}
	}
}

// A message that cannot be read to its end is neither held nor sent.
func TestHalfAMessageIsNotHeld(t *testing.T) {
	s := newStand(t, fmt.Sprintf("[[limit]]\nuid = %d\nlimit = \"0/h\"\nover = \"hold\"\n", os.Getuid()))
	for _, size := range []int{10, 300_000} {
		ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		in, out := os.NewFile(uintptr(ends[0]), "in"), os.NewFile(uintptr(ends[1]), "out")
		if _, err := in.WriteString("nobody reads this"); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = out.WriteString("To: a\n\n" + strings.Repeat("x", size))
			_ = out.Close() // with something unread: a reset
		}()
		status, said := s.sendFrom(os.Getuid(), in, "-t")
		_ = in.Close()
		if status != 65 || !strings.Contains(said, "error reading input") || s.read("message") != "" {
			t.Errorf("%d bytes: %d %q", size, status, said)
		}
	}
	s.records(2) // the recorder has done with both
	if list, _, err := Waiting(s.state, s.vault); err != nil || len(list) > 0 {
		t.Errorf("held: %+v %v", list, err)
	}
}

// took waits until the store has nothing more whose sender is being told.
func (s *stand) took() {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		names, err := s.store.dir.Names()
		if err == nil && !slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, keptEnd) }) {
			return
		}
	}
	s.t.Fatal("a message stays in between")
}

func TestHeldMessagesHaveABound(t *testing.T) {
	s := newStand(t, fmt.Sprintf("[hold]\nmessages = 1\nbytes = 2000\n[[limit]]\nuid = %d\nlimit = \"0/h\"\nover = \"hold\"\n", os.Getuid()))
	// Too large to be held, and here as a whole: it passes.
	if status, _ := s.send(os.Getuid(), "To: a\n\n"+strings.Repeat("x", 3000), "-t"); status != 0 || !strings.Contains(s.read("message"), "xxx") {
		t.Errorf("%d", status)
	}
	// Too large to be kept in memory too: its sender is told to try again.
	if status, said := s.send(os.Getuid(), "To: a\n\n"+strings.Repeat("x", 300_000), "-t"); status != tryLater {
		t.Errorf("%d %s", status, said)
	}
	s.write("message", "", 0o666)
	if status, _ := s.send(os.Getuid(), "To: a\n\nfirst", "-t"); status != 0 || s.read("message") != "" {
		t.Errorf("%d %q", status, s.read("message"))
	}
	if status, said := s.send(os.Getuid(), "To: a\n\nsecond", "-t"); status != tryLater || !strings.Contains(said, "too many") {
		t.Errorf("%d %q", status, said)
	}
	if list, _, err := s.store.List(); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}

// TestHeldOrPassed kills the store at each of its calls: a message that its sender
// was told is kept is there, and whole. Where the disk takes nothing any more, not
// even a removal, one may be there that its sender was told to send again.
func TestHeldOrPassed(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		calls, armed := 0, false
		failed := errors.New("the disk is gone")
		state, err := disk.Open(dir, func(disk.Op) error {
			if calls++; armed && calls >= n {
				return failed
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		store, err := OpenStore(state)
		if err != nil {
			t.Fatal(err)
		}
		calls, armed = 0, true
		kept := keepOne(store) == nil
		_ = store.Close()
		_ = state.Close()
		if kept && !look(t, dir) {
			t.Errorf("call %d: said to be kept, and is not there", n)
		}
		if kept {
			return
		}
	}
}

// A recorder that begins cleans its store while a command takes messages out of it.
func TestSweepBesideAnIntake(t *testing.T) {
	dir := t.TempDir()
	gone := 0
	state, err := disk.Open(dir, func(op disk.Op) error {
		if op.Name == "unlink" && os.Remove(filepath.Join(dir, heldName, filepath.Base(op.Path))) == nil { // the other one was faster
			gone++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = state.Close() }()
	store, err := OpenStore(state)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	for _, name := range []string{"one" + messageEnd, "release" + unfinished} {
		if err := os.WriteFile(filepath.Join(dir, heldName, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Sweep(); err != nil || gone != 2 {
		t.Errorf("%d files were gone already: %v", gone, err)
	}
	in := &Intake{store: store}
	f, err := in.Scratch()
	if err != nil || gone != 3 {
		t.Fatalf("%d files were gone already: %v", gone, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func keepOne(store *Store) error {
	in, err := store.begin("one")
	if err != nil {
		return err
	}
	if _, err = in.Write([]byte("hello")); err == nil {
		err = in.commit(&Held{UID: 7, Args: []string{"sendmail"}})
	}
	if err != nil {
		in.abandon()
	}
	return err
}

func look(t *testing.T, dir string) bool {
	t.Helper()
	state, err := disk.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = state.Close() }()
	store, err := OpenStore(state)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	if err := store.Sweep(); err != nil {
		t.Fatal(err)
	}
	list, damaged, err := store.List()
	if err != nil || damaged > 0 {
		t.Fatal(err, damaged)
	}
	if len(list) == 0 {
		return false
	}
	text, err := store.dir.Get("one"+messageEnd, 100)
	return err == nil && string(text) == "hello"
}

// A shim that does not wait any longer for the word that its message is kept passes it
// on: it must not be in the store too, to be sent a second time.
func TestWhatNobodyWaitsForIsNotKept(t *testing.T) {
	s := newStand(t, fmt.Sprintf("[[limit]]\nuid = %d\nlimit = \"0/h\"\nover = \"hold\"\n", os.Getuid()))
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Net: "unixpacket", Name: s.places().Socket})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, packet := range []string{"H1", "Asendmail", "MTo: a\n\nhello"} {
		if _, err := conn.Write([]byte(packet)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := conn.Read(make([]byte, 512)); err != nil || n == 0 {
		t.Fatalf("no answer: %v", err)
	}
	if err := conn.CloseRead(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("E")); err != nil {
		t.Fatal(err)
	}
	r := s.records(1)[0]
	if list, _, err := s.store.List(); err != nil || len(list) != 0 || r.Held != "" {
		t.Errorf("%v: held as %q, %+v in the store", err, r.Held, list)
	}
}

// A second recorder, started by mistake, leaves alone what the first is taking in.
func TestASecondRecorderTakesNothingAway(t *testing.T) {
	s := newStand(t, "")
	if status, said := s.send(os.Getuid(), "To: a\n\nhello", "-t"); status != 0 { // it serves
		t.Fatal(said)
	}
	s.records(1)
	in, err := s.store.begin("20261126T101500-9f86d081884c7d65")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("To: a\n\nhello")); err != nil {
		t.Fatal(err)
	}
	second, err := Open(s.places(), time.Now, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if _, err := Listen(s.places().Socket); !errors.Is(err, ErrRunning) {
		t.Errorf("it may serve too: %v", err)
	}
	if err := in.commit(&Held{ID: "x", Args: []string{"sendmail"}}); err != nil {
		t.Fatal(err)
	}
	if list, _, err := s.store.List(); err != nil || len(list) != 1 {
		t.Errorf("what was said to be kept is gone: %v", err)
	}
}
