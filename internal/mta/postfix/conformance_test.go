package postfix

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"spoor"
	"spoor/internal/mta/mtatest"
)

func TestConformance(t *testing.T) {
	for _, server := range []string{"postfix", "postfix-odd"} {
		t.Run(server, func(t *testing.T) {
			mtatest.Run(t, mtatest.Case{
				Adapter: Adapter(), Server: server, Unknown: "4jY1nY4zyYz5vTY",
				Counted: countedByPostqueue, Copy: copyMessage,
			})
		})
	}
}

// countedByPostqueue counts the lines of postqueue -j, and those of maildrop and
// incoming.
func countedByPostqueue(t *testing.T, capture string) (messages, unprocessed int) {
	data, err := os.ReadFile(filepath.Join(capture, "postqueue-j.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, queue := range []string{"maildrop", "incoming"} {
		unprocessed += bytes.Count(data, []byte(`{"queue_name": "`+queue+`"`))
	}
	return bytes.Count(data, []byte("\n")), unprocessed
}

func copyMessage(t *testing.T, dir string, m *spoor.Message, n int) {
	content, err := os.ReadFile(filepath.Join(dir, m.Path()))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, m.Folder, fmt.Sprintf("%05X%X", n, 0xABCDEF))
	if err := os.WriteFile(name, content, 0o700); err != nil {
		t.Fatal(err)
	}
}
