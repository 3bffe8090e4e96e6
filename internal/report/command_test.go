package report

import (
	"strings"
	"testing"

	"spoor"
)

func TestNextCommandIsSafeToPaste(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := showCommand(spoor.Source{Kind: spoor.KindScript, Name: name}); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	refused := "spoor --json  (this name cannot be typed safely)"
	f("", "spoor show script")
	f("/var/www/a_b+c-d.php", "spoor show script:/var/www/a_b+c-d.php")
	f("/var/www/two words.php", "spoor show 'script:/var/www/two words.php'")
	f("/x;reboot", "spoor show 'script:/x;reboot'")
	f("/x$(reboot)`id`!!", "spoor show 'script:/x$(reboot)`id`!!'")
	f("/café", "spoor show 'script:/café'")
	f("/it's", refused)
	f("/a\nb", refused)
	f("/a\x1bb", refused)
	f("/a\u202eb", refused)
	f(`/a\b`, refused)
	f("/a\xff", refused)
	f(strings.Repeat("a", 501), refused)
}

func TestCommandsOfOtherRoomsAreChecked(t *testing.T) {
	for _, good := range []string{"sudo spoor", "spoor audit fix nonexistent-user", "spoor queue ls 'age:>2h' --json"} {
		if !copyable(good) {
			t.Errorf("%q is not shown", good)
		}
	}
	for _, bad := range []string{
		"", "a;b", "a|b", "a $(b)", "a `b`", "a > b", "a & b", "a\nb", "a\\b", "a 'b", "a\u202eb", "a é", `a "b"`, "a *", "a ~", "a #", "a '\x1b'",
		strings.Repeat("a", 1001),
	} {
		if copyable(bad) {
			t.Errorf("%q is shown", bad)
		}
	}
}
