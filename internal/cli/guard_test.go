package cli

import (
	"testing"

	"spoor/internal/guard"
)

func TestAGuardIsNoCommandOfPeople(t *testing.T) {
	for _, command := range Command(System()).Commands() {
		if command.Name() == guard.Word {
			t.Errorf("%s is among the commands", guard.Word)
		}
	}
	if status := Main([]string{guard.Word, "by hand"}, System()); status != 2 {
		t.Errorf("a guard started by hand ends with %d", status)
	}
}
