package cli

import (
	"bytes"
	"strings"
	"testing"

	"spoor/internal/disk/disktest"
	"spoor/internal/host/hosttest"
)

// A stop that was cut off is never given up: it has no messages, and the next
// command that changes something ends it.
func TestAPlanOfStepsIsNotGivenUp(t *testing.T) {
	crashing := func(n int, root string, args ...string) int {
		var out, problems bytes.Buffer
		env := testEnvironment(&out, &problems)
		env.Seam = (&disktest.Script{Fault: disktest.Faults()[0], N: n}).Seam
		return Main(append([]string{"--root", root}, args...), env)
	}
	for n := 20; ; n += 3 {
		root := hosttest.Unpack(t, "postfix")
		if crashing(n, root, "stop", "account:anna@example.com", "--yes", "--reason", "stolen") == 0 {
			t.Fatal("no stop was cut off")
		}
		id := unfinishedOf(t, root)
		if id == "" {
			continue
		}
		var out, problems bytes.Buffer
		status := Main([]string{"--root", root, "journal", "abandon", id, "--yes", "--reason", "x"}, testEnvironment(&out, &problems))
		if status != exitRefused || !strings.Contains(problems.String(), "has no messages that a disk could hold up") {
			t.Errorf("abandon ends with %d: %s%s", status, out.String(), problems.String())
		}
		spoorPrints(t, "--root", root, "queue", "rm", "network:127.0.5.77", "--yes", "--reason", "spam")
		if id := unfinishedOf(t, root); id != "" {
			t.Errorf("%s is still unfinished", id)
		}
		return
	}
}
