package qmail

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/mta/mtatest"
)

func TestConformance(t *testing.T) {
	mtatest.Run(t, mtatest.Case{
		Adapter: Adapter(), Server: "qmail", Unknown: "999999999",
		Counted: countedByQstat, Copy: copyMessage, Damage: damageInfo,
		Compare: func(a, b spoor.QueueID) int { return compareNumbers(string(a), string(b)) },
	})
}

func compareNumbers(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func countedByQstat(t *testing.T, capture string) (messages, unprocessed int) {
	data, err := os.ReadFile(filepath.Join(capture, "qmail-qstat.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(data), "messages in queue: %d\nmessages in queue but not yet preprocessed: %d", &messages, &unprocessed); err != nil {
		t.Fatal(err)
	}
	return messages, unprocessed
}

// copyMessage adds a message of the same folder.
func copyMessage(t *testing.T, dir string, m *spoor.Message, n int) {
	folders, err := os.ReadDir(filepath.Join(dir, path.Dir(m.Folder)))
	if err != nil {
		t.Fatal(err)
	}
	id := 5_000_000 + n
	content, err := os.ReadFile(filepath.Join(dir, m.Path()))
	if err != nil {
		t.Fatal(err)
	}
	queue := path.Dir(path.Dir(m.Folder))
	for folder, data := range map[string]string{"mess": string(content), "info": "Fa@b.test\x00"} {
		name := filepath.Join(dir, queue, folder, fmt.Sprint(id%len(folders)), fmt.Sprint(id))
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// damageInfo spoils the envelope: the content has no form that could be damaged.
func damageInfo(t *testing.T, dir string, m *spoor.Message) {
	queue := path.Dir(path.Dir(m.Folder))
	for _, name := range []string{"info/" + path.Base(m.Folder) + "/" + string(m.ID), "todo/" + string(m.ID)} {
		name = filepath.Join(dir, queue, name)
		if _, err := os.Stat(name); err == nil {
			if err := os.WriteFile(name, []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
