package exim

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/mta/mtatest"
)

func TestConformance(t *testing.T) {
	for _, server := range []string{"exim", "exim499", "exim-odd"} {
		t.Run(server, func(t *testing.T) {
			mtatest.Run(t, mtatest.Case{
				Adapter: Adapter(), Server: server, Unknown: "1xVRQq-0007Zw-zz",
				Counted: countedByExim, Copy: copyMessage,
			})
		})
	}
}

// countedByExim counts the messages that exim -bp lists: each has a line with
// its ID.
func countedByExim(t *testing.T, capture string) (messages, unprocessed int) {
	data, err := os.ReadFile(filepath.Join(capture, "exim-bp.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		for _, field := range fields[:min(3, len(fields))] {
			if isID(field) {
				messages++
				break
			}
		}
	}
	return messages, 0
}

// copyMessage copies both files, under another ID of the same form.
func copyMessage(t *testing.T, dir string, m *spoor.Message, n int) {
	old := string(m.ID)
	id := old[:secondLen+1] + fmt.Sprintf("%0*d", strings.LastIndexByte(old, '-')-secondLen-1, n+900_000) + old[strings.LastIndexByte(old, '-'):]
	for _, kind := range []string{"-H", "-D"} {
		content, err := os.ReadFile(filepath.Join(dir, m.Folder, old+kind))
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.Replace(content, []byte(old+kind), []byte(id+kind), 1)
		if err := os.WriteFile(filepath.Join(dir, m.Folder, id+kind), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
