package qmail

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor"
)

// exact is every file of a tree, with all that an undo must bring back.
func exact(t testing.TB, tree string) map[string]string {
	t.Helper()
	known := map[string]string{}
	must(t, filepath.WalkDir(tree, func(name string, _ fs.DirEntry, err error) error {
		must(t, err)
		info, err := os.Lstat(name)
		must(t, err)
		var data []byte
		if info.Mode().IsRegular() {
			data, err = os.ReadFile(name)
			must(t, err)
		}
		what := describe(0, info, string(data))
		if info.IsDir() { // their times change with the names in them
			st, _ := info.Sys().(*syscall.Stat_t)
			what = info.Mode().String() + " " + time.Unix(int64(st.Uid), int64(st.Gid)).UTC().String()
		}
		known[strings.TrimPrefix(name, tree)] = what
		return nil
	}))
	return known
}

// beside are the names next to the queue.
func beside(t testing.TB, s *sound) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(s.path("")))
	must(t, err)
	for _, entry := range entries {
		if entry.Name() != "queue" {
			names = append(names, entry.Name())
		}
	}
	return names
}

func undo(t testing.TB, s *sound, o RebuildOptions) (*spoor.Rebuilding, error) {
	t.Helper()
	r := rebuildOf(t, s.dir, nil, o)
	defer r.unlock()
	return r.Undo(t.Context())
}

func TestAnUndoIsTheIdentity(t *testing.T) {
	for _, o := range []RebuildOptions{{}, {Split: 7, Todo: TodoSplit}, {Empty: true}} {
		s := damagedQueue(t, t.TempDir())
		before := exact(t, s.path(""))
		apply(t, s.dir, o)
		if _, err := undo(t, s, o); err != nil {
			t.Fatal(err)
		}
		sameMaps(t, "after undo", exact(t, s.path("")), before)
		if left := beside(t, s); len(left) > 0 {
			t.Errorf("left beside the queue: %v", left)
		}
		if _, err := undo(t, s, o); !errors.Is(err, ErrNoRebuild) {
			t.Errorf("undone twice: %v", err)
		}
	}
}

func TestAnUndoKeepsWhatWasQueuedSince(t *testing.T) {
	for _, o := range []RebuildOptions{{}, {Split: 5, Todo: TodoSplit}, {Empty: true}} {
		s := full(t, t.TempDir(), layout{3, false})
		want := visible(raw(t, s.path(""), s.layout))
		apply(t, s.dir, o)
		made := *s
		if o.Split == 5 {
			made.layout = layout{5, true}
		}
		made.message("new since", unprocessed("a@x.test", "b@y.test"))
		made.message("preprocessed since", queued("a@x.test", "Tb@y.test", "Dz@y.test"))
		made.message("being written since", nil)
		for content, is := range visible(raw(t, s.path(""), made.layout)) {
			want[content] = is
		}
		report, err := undo(t, s, o)
		must(t, err)
		all := raw(t, s.path(""), s.layout)
		sameMaps(t, "after undo", visible(all), want)
		if len(all) != 6 || report.Late != 3 {
			t.Errorf("%d messages, %d carried back", len(all), report.Late)
		}
	}
}

// TestAnUndoThatWouldSendAgainIsRefused does to the new tree what qmail-send does.
func TestAnUndoThatWouldSendAgainIsRefused(t *testing.T) {
	works := func(name string, want error, work func(s *sound, tree string)) {
		t.Run(name, func(t *testing.T) {
			s := full(t, t.TempDir(), layout{1, false})
			apply(t, s.dir, RebuildOptions{})
			work(s, s.path(""))
			before := exact(t, s.path(""))
			_, err := undo(t, s, RebuildOptions{})
			if !errors.Is(err, want) {
				t.Errorf("undo gives %v, want %v", err, want)
			}
			if want != nil {
				sameMaps(t, "after the refusal", exact(t, s.path("")), before)
			}
		})
	}
	remotes := func(s *sound) []string {
		files, err := filepath.Glob(s.path("remote/0/*"))
		must(s.t, err)
		return files
	}
	works("a recipient is done", ErrUsed, func(s *sound, _ string) {
		waiting := slices.IndexFunc(remotes(s), func(name string) bool { // of some the first recipient is done already
			data, err := os.ReadFile(name)
			return err == nil && len(data) > 0 && data[0] == 'T'
		})
		f, err := os.OpenFile(remotes(s)[waiting], os.O_WRONLY, 0)
		must(s.t, err)
		_, err = f.WriteAt([]byte("D"), 0)
		must(s.t, err)
		must(s.t, f.Close())
	})
	works("a message is gone", ErrUsed, func(s *sound, _ string) {
		id := filepath.Base(remotes(s)[0])
		for _, shelf := range []string{"info", "remote", "local", "mess"} {
			_ = os.Remove(s.path(shelf + "/0/" + id))
		}
		_ = os.Remove(s.path("bounce/" + id))
	})
	works("a message is preprocessed", nil, func(s *sound, _ string) {
		id := todoOf(s.t, s)
		s.put(s.file(pieceRemote, id), "Tf@y.test\x00", s.crew.send, s.crew.group, 0o600)
		s.put(s.file(pieceInfo, id), "Fa@x.test\x00", s.crew.send, s.crew.group, 0o600)
		must(s.t, os.Remove(s.path(s.file(pieceIntd, id))))
		must(s.t, os.Remove(s.path(s.file(pieceTodo, id))))
	})
	works("a retry time is written", nil, func(s *sound, _ string) {
		must(s.t, os.Chtimes(remotes(s)[0], born().Add(time.Hour), born().Add(time.Hour)))
	})
}

func TestAPurgeKeepsWhatWasSetAside(t *testing.T) {
	s := damagedQueue(t, t.TempDir())
	report := apply(t, s.dir, RebuildOptions{})
	queue := exact(t, s.path(""))
	for range 2 {
		_, err := rebuildOf(t, s.dir, nil, RebuildOptions{}).Purge(t.Context())
		if err != nil && !errors.Is(err, ErrNoRebuild) {
			t.Fatal(err)
		}
	}
	sameMaps(t, "the queue after the purge", exact(t, s.path("")), queue)
	files, links := 0, 0
	for name, is := range exact(t, s.path("")+".spoor.p1") {
		switch {
		case strings.HasPrefix(is, "mess -"):
			files++
		case strings.HasPrefix(is, "mess L"):
			links++
		}
		if name == "/"+recordFile || name == "/"+movedFile {
			t.Errorf("%s is left", name)
		}
	}
	if left := beside(t, s); len(left) != 1 || files != report.Quarantined+report.Lost+1 || links != 1 {
		t.Errorf("beside the queue %v; %d files and %d links set aside, want %d and one of each that is foreign", left, files, links, report.Quarantined+report.Lost)
	}
	clean := full(t, t.TempDir(), layout{3, false})
	apply(t, clean.dir, RebuildOptions{})
	_, err := rebuildOf(t, clean.dir, nil, RebuildOptions{}).Purge(t.Context())
	must(t, err)
	if left := beside(t, clean); len(left) > 0 {
		t.Errorf("beside a queue without damage: %v", left)
	}
}

func TestAnEmptiedQueueIsPurgedIntoAStoreOnly(t *testing.T) {
	s := full(t, t.TempDir(), layout{3, false})
	want := visible(raw(t, s.path(""), s.layout))
	report := apply(t, s.dir, RebuildOptions{Empty: true})
	if got := raw(t, s.path(""), s.layout); len(got) != 0 || report.Messages() != 0 {
		t.Errorf("the new queue has %v, report %+v", got, report)
	}
	r := rebuildOf(t, s.dir, nil, RebuildOptions{})
	if _, err := r.Purge(t.Context()); !errors.Is(err, ErrUnstored) {
		t.Fatalf("purge without a store gives %v", err)
	}
	stored := map[string]int{}
	r.options.Store = func(_ context.Context, p *spoor.Parcel) error {
		mess, ok := p.File("mess")
		if !ok || p.Recipients == 0 || p.MTA != "qmail" {
			t.Errorf("parcel %+v", p)
		}
		for i := range p.Files {
			content, err := p.Files[i].Open()
			must(t, err)
			data, err := io.ReadAll(content)
			must(t, err)
			must(t, content.Close())
			if int64(len(data)) != p.Files[i].SizeBytes {
				t.Errorf("%s has %d bytes", p.Files[i].Name, len(data))
			}
			if p.Files[i].Role == mess.Role {
				stored[string(data)]++
			}
		}
		return nil
	}
	_, err := r.Purge(t.Context())
	must(t, err)
	if len(stored) != len(want) || len(beside(t, s)) != 0 {
		t.Errorf("stored %v, left %v", stored, beside(t, s))
	}
}
