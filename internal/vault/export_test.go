package vault_test

import (
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/vault"
)

func TestMbox(t *testing.T) {
	check := func(sender, body, want string) {
		t.Helper()
		var out strings.Builder
		p := &spoor.Parcel{Target: spoor.Target{Sender: sender, Arrived: time.Date(2026, 11, 3, 4, 5, 6, 7, time.FixedZone("", 3600))}}
		must(t, vault.WriteMbox(&out, p, strings.NewReader(body)))
		if got := out.String(); got != want {
			t.Errorf("%q of %q becomes\n%q\nwant\n%q", body, sender, got, want)
		}
	}
	check("a@x.example", "Subject: x\n\nhello\n", "From a@x.example Tue Nov  3 03:05:06 2026\nSubject: x\n\nhello\n\n")
	check("", "x", "From MAILER-DAEMON Tue Nov  3 03:05:06 2026\nx\n\n")
	check("a b\nFrom c@x", "", "From a_b_From_c@x Tue Nov  3 03:05:06 2026\n\n")
	head := "From a Tue Nov  3 03:05:06 2026\n"
	count := func(body string) int { return strings.Count(body, ">") }
	for body, more := range map[string]int{
		"From x\n": 1, ">From x\n": 1, ">>>From x\nFrom y": 2, " From x\n": 0, "a From x\n": 0, "From\n": 0, "Fro": 0,
		"x\nFrom ": 1, "x\r\nFrom x\r\n": 1, ">\n>Fro\n": 0, ">a>From x\n": 0, "\n\nFrom x\n\n": 1,
	} {
		var out strings.Builder
		must(t, vault.WriteMbox(&out, &spoor.Parcel{Target: spoor.Target{Sender: "a", Arrived: time.Date(2026, 11, 3, 3, 5, 6, 0, time.UTC)}}, strings.NewReader(body)))
		got := strings.TrimPrefix(out.String(), head)
		if count(got)-count(body) != more {
			t.Errorf("%q becomes %q, want %d more of >", body, got, more)
		}
		if unquoted := unquote(got); unquoted != body+"\n" && unquoted != body+"\n\n" {
			t.Errorf("%q comes back as %q", body, unquoted)
		}
	}
}

// unquote is what a reader of mboxrd does.
func unquote(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ">") && strings.HasPrefix(strings.TrimLeft(line, ">"), "From ") {
			lines[i] = line[1:]
		}
	}
	return strings.Join(lines, "")
}

func TestEML(t *testing.T) {
	var out strings.Builder
	must(t, vault.WriteEML(&out, strings.NewReader("a\r\nFrom b\n.")))
	if out.String() != "a\r\nFrom b\n." {
		t.Errorf("got %q", out.String())
	}
}

func TestFatesHaveWords(t *testing.T) {
	for _, fate := range vault.Fates() {
		if got, ok := vault.ParseFate(fate.String()); !ok || got != fate {
			t.Errorf("%v comes back as %v", fate, got)
		}
	}
	if _, ok := vault.ParseFate("fate(9)"); ok || vault.Fate(9).String() != "fate(9)" {
		t.Error("a fate that there is not has a word")
	}
}
