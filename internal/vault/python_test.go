package vault_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/vault"
)

// program is the Python program of docs/vault.md.
func program(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/vault.md")
	must(t, err)
	var lines []string
	for line := range strings.Lines(string(page)) {
		code, indented := strings.CutPrefix(line, "    ")
		begun := len(lines) > 0 || strings.HasPrefix(code, "#!")
		switch {
		case indented && begun:
			lines = append(lines, code)
		case line == "\n" && begun:
			lines = append(lines, line)
		case begun:
			return strings.Join(lines, "")
		}
	}
	t.Fatal("docs/vault.md has no program")
	return ""
}

// TestMailComesOutWithoutSpoor runs the program of the page on a container.
func TestMailComesOutWithoutSpoor(t *testing.T) {
	for _, need := range []string{"python3", "zstd"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skip(err)
		}
	}
	name := t.TempDir()
	script := filepath.Join(name, "unvault.py")
	must(t, os.WriteFile(script, []byte(program(t)), 0o600))
	v := open(t, name, nil)
	parcels := []*spoor.Parcel{letter(0), large(1), odd(), letter(3)}
	refs := store(t, v, "p", parcels...)
	w, err := v.Append("p")
	must(t, err)
	must(t, w.Mark(refs[3], vault.Mark{Fate: vault.FateRestored, NewID: "2222"}))
	must(t, w.Close())
	image, err := os.ReadFile(container(name, "p"))
	must(t, err)
	image[refs[0].Offset-10] ^= 1 // in the content of the first
	must(t, os.WriteFile(container(name, "p"), image, 0o600))

	out := filepath.Join(name, "out")
	said, err := exec.CommandContext(t.Context(), "python3", script, container(name, "p"), out).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for i, p := range parcels[1:] {
		for f := range p.Files {
			role := regexp.MustCompile(`\W`).ReplaceAllString(p.Files[f].Role, "_")
			got, err := os.ReadFile(filepath.Join(out, "0000000"+string(rune('2'+i)), role))
			must(t, err)
			if string(got) != string(content(t, &p.Files[f])) {
				t.Errorf("%s of message %d is not what was stored", role, i+2)
			}
		}
	}
	text := string(said)
	if !strings.Contains(text, "DAMAGED") || strings.Count(text, "whole") != 15 || !strings.Contains(text, "message 4 fate restored  time -  new 2222") {
		t.Errorf("it says\n%s", text)
	}
	envelope, err := os.ReadFile(filepath.Join(out, "00000003", "envelope"))
	must(t, err)
	if want := "r- a@there.example\nrd b@there.example\nl- with\\sspace\\nand\\sline@x\nu- u@x\n?? under\\sway@x\n?? ?@x\n"; string(envelope) != want {
		t.Errorf("the envelope is %q, want %q", envelope, want)
	}
}
