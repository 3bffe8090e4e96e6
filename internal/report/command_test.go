package report

import (
	"io"
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

func TestTheScriptOfAWebServerIsOffered(t *testing.T) {
	script := spoor.Candidate{Source: spoor.Source{Kind: spoor.KindScript, Name: "/var/www/two words/x.php"}, Confidence: 0.6}
	f := func(what, want string, change func(t *spoor.Traffic, v *spoor.Verdict)) {
		t.Helper()
		traffic := &spoor.Traffic{Source: spoor.Source{Kind: spoor.KindUser, Name: "apache"}, WebServer: 9, Candidates: []spoor.Candidate{script}}
		v := &spoor.Verdict{Class: spoor.Spam}
		change(traffic, v)
		if got := sealCommand(traffic, v); got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	f("a likely script", "spoor stop -n 'script:/var/www/two words/x.php'", func(*spoor.Traffic, *spoor.Verdict) {})
	f("an unlikely one", "", func(t *spoor.Traffic, _ *spoor.Verdict) { t.Candidates[0].Confidence = 0.4 })
	f("a name that cannot be typed", "", func(t *spoor.Traffic, _ *spoor.Verdict) { t.Candidates[0].Source.Name = "/it's.php" })
	f("a site of its own", "", func(t *spoor.Traffic, _ *spoor.Verdict) { t.WebServer = 0 })
	f("no spam", "", func(_ *spoor.Traffic, v *spoor.Verdict) { v.Class = spoor.Suspect })
}

func TestCommandsNameTheRoot(t *testing.T) {
	f := func(root, command, want string) {
		t.Helper()
		if got := rooted(command, root); got != want {
			t.Errorf("root %q: got %q, want %q", root, got, want)
		}
	}
	f("", "spoor show unknown", "spoor show unknown")
	f("/", "spoor show unknown", "spoor show unknown")
	f("//", "spoor show unknown", "spoor show unknown")
	f("/mnt/disk", "spoor show unknown", "spoor --root /mnt/disk show unknown")
	f("qmail", "spoor", "spoor --root qmail")
	f("-x", "spoor --json", "spoor --root '-x' --json")
	f("/mnt/my disk;reboot", "spoor --json", "spoor --root '/mnt/my disk;reboot' --json")
	f("/it's", "spoor --json", "spoor --root DIR --json")
	f("/a\nb", "spoor --json", "spoor --root DIR --json")
	f("/mnt/disk", "spoorless", "spoorless")
	f("/mnt/disk", "plesk repair mail", "plesk repair mail")
}

func TestEveryCommandOnAPageNamesTheRoot(t *testing.T) {
	const root = "/mnt/my disk"
	who, partial, show, explain, stat := manyWho(), partialWho(), sampleShow(), explainPHP(), sampleQueue()
	who.Root, partial.Root, show.Root, explain.Root, stat.Root = root, root, root, root, root
	stat.Gaps = partial.Gaps
	for name, write := range map[string]func(io.Writer) error{
		"who":     func(w io.Writer) error { return who.Text(w, plainStyle, 2) },
		"partial": func(w io.Writer) error { return partial.Text(w, plainStyle, 0) },
		"show":    func(w io.Writer) error { return show.Text(w, plainStyle) },
		"explain": func(w io.Writer) error { return explain.Text(w, plainStyle) },
		"stat":    func(w io.Writer) error { return stat.Text(w, plainStyle) },
	} {
		page := written(t, write)
		all, right := strings.Count(page, "spoor "), strings.Count(page, "spoor --root '/mnt/my disk' ")
		if all == 0 || all != right {
			t.Errorf("%s: %d of %d commands name the root:\n%s", name, right, all, page)
		}
	}
}

func TestCommandsAreNotWrapped(t *testing.T) {
	const command = "spoor --root /mnt/disk show 'script:/var/www/a b'"
	f := func(words, want string) {
		t.Helper()
		p := &page{root: "/mnt/disk", style: Style{Columns: 60}}
		p.suggest(2, words, "spoor show 'script:/var/www/a b'")
		if got := string(p.buf); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	}
	f("see:", "  see: "+command+"\n")
	f("the words before it:", "  the words before it:\n  "+command+"\n")
	p := &page{style: Style{Columns: 40}}
	p.suggest(2, "see:", command)
	if got, want := string(p.buf), "  see: "+command+"\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
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
