package mtatest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/mta"
)

func testVanish(t *testing.T, c Case) {
	dir, q, list := sound(t, c)
	s := scan(t, q)
	removed := map[spoor.QueueID]bool{}
	for _, m := range []*spoor.Message{list[0], list[len(list)/2], list[len(list)-1]} {
		remove(t, dir, m.ID)
		removed[m.ID] = true
		if _, err := q.Find(t.Context(), m.ID); !errors.Is(err, mta.ErrGone) {
			t.Errorf("Find(%s): %v, want ErrGone", m.ID, err)
		}
		if _, err := q.Content(m.ID); !errors.Is(err, mta.ErrGone) {
			t.Errorf("Content(%s): %v, want ErrGone", m.ID, err)
		}
		if _, err := q.Head(m, make([]byte, 10)); !errors.Is(err, mta.ErrGone) {
			t.Errorf("Head(%s): %v, want ErrGone", m.ID, err)
		}
	}
	after := read(t, s)
	for _, m := range after {
		if removed[m.ID] {
			t.Errorf("%s was removed before it was read, and is yielded", m.ID)
		}
	}
	if len(after) < len(list)-len(removed) || !s.Complete {
		t.Errorf("%d messages, complete %v; want at least %d", len(after), s.Complete, len(list)-len(removed))
	}
	for id := range removed {
		if n := gapsAbout(s.Gaps, id); n > 0 {
			t.Errorf("%d gaps about %s, which was removed: that is no damage", n, id)
		}
	}
}

func testDamage(t *testing.T, c Case) {
	dir, q, list := sound(t, c)
	before := scan(t, q)
	listed := len(read(t, before))
	victim := list[len(list)/2]
	if c.Damage != nil {
		c.Damage(t, dir, victim)
	} else if err := os.WriteFile(file(dir, victim), []byte("damaged"), 0o700); err != nil { // keeps mode and owner
		t.Fatal(err)
	}
	s := scan(t, q)
	after := read(t, s)
	if len(after) != listed {
		t.Errorf("%d messages, before the damage %d", len(after), listed)
	}
	if n := gapsAbout(s.Gaps, victim.ID); n != 1 || total(s.Gaps) != total(before.Gaps)+1 {
		t.Errorf("%d gaps about the damaged message, %d in all; want 1 and %d: %v", n, total(s.Gaps), total(before.Gaps)+1, s.Gaps.List())
	}
	if !s.Complete {
		t.Error("a damaged message makes the scan incomplete")
	}
}

// testFolder moves a folder out of the root and puts a link to it in its place:
// even root cannot read it then.
func testFolder(t *testing.T, c Case) {
	dir, first, list := sound(t, c)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	folder := list[len(list)/2].Folder
	outside := filepath.Join(t.TempDir(), "outside")
	if err := errors.Join(os.Rename(filepath.Join(dir, folder), outside), os.Symlink(outside, filepath.Join(dir, folder))); err != nil {
		t.Fatal(err)
	}
	q, err := c.Adapter.Open(server(t, dir))
	if err != nil {
		return // it was the whole queue
	}
	defer func() { _ = q.Close() }()
	s := scan(t, q)
	seen := map[string]bool{}
	for _, m := range read(t, s) {
		seen[m.Path()] = true
	}
	told := false
	for _, gap := range s.Gaps.List() {
		told = told || strings.HasPrefix(gap.File, path.Dir(folder))
	}
	if s.Complete || !told {
		t.Errorf("complete %v, gaps %v", s.Complete, s.Gaps.List())
	}
	for _, m := range list {
		if seen[m.Path()] == (m.Folder == folder) {
			t.Errorf("%s is read: %v; the folder outside is %s", m.Path(), seen[m.Path()], folder)
		}
	}
}

func testLink(t *testing.T, c Case) {
	dir, q, list := sound(t, c)
	secret := filepath.Join(t.TempDir(), "secret")
	for i, victim := range []*spoor.Message{list[1], list[len(list)-2]} {
		target := secret
		if i == 1 {
			target = filepath.Join(dir, "secret") // links inside the root are no better
		}
		name := file(dir, victim)
		if err := errors.Join(os.Rename(name, target), os.Symlink(target, name)); err != nil {
			t.Fatal(err)
		}
		if content, err := q.Content(victim.ID); err == nil {
			text, _ := io.ReadAll(content)
			_ = content.Close()
			if bytes.Contains(text, []byte(victim.Subject)) {
				t.Errorf("Content(%s) follows a link", victim.ID)
			}
		}
		if m, err := q.Find(t.Context(), victim.ID); err == nil && (m.Subject != "" || m.MessageID != "") {
			t.Errorf("Find(%s) follows a link", victim.ID)
		}
		if n, err := q.Head(victim, make([]byte, 100)); err == nil || n > 0 {
			t.Errorf("Head(%s) follows a link", victim.ID)
		}
	}
	for _, m := range read(t, scan(t, q)) {
		if (m.ID == list[1].ID || m.ID == list[len(list)-2].ID) && (m.Subject != "" || m.MessageID != "") {
			t.Errorf("the scan follows the link %s", m.Path())
		}
	}
}
