package postfix

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spoor"
)

// corpus is where public samples of logs are, where they are at all.
const corpus = "../../../../shared/corpus/logs/"

// corpusLines yields the lines of samples; it skips the test where there are none.
func corpusLines(t *testing.T, globs ...string) (lines []spoor.Line, names []string) {
	t.Helper()
	for _, glob := range globs {
		files, err := filepath.Glob(corpus + glob)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(text) {
				line = bytes.TrimRight(line, "\r\n")
				if len(line) == 0 || line[0] == '#' {
					continue
				}
				l := splitLine(line)
				if program, ok := strings.CutSuffix(filepath.Base(name), ".msg"); ok { // bodies alone
					l = spoor.Line{Text: line, Time: 1000, PID: -1, Host: []byte("mx1"), Program: []byte("postfix/" + programOfSample(program)), Body: line}
				}
				lines, names = append(lines, l), append(names, filepath.Base(name))
			}
		}
	}
	if len(lines) == 0 {
		t.Skip("the public samples are not here")
	}
	return lines, names
}

// programOfSample is the program whose lines a file of bodies holds.
func programOfSample(name string) string {
	switch name {
	case "tls_features":
		return "smtp"
	case "script":
		return "postfix-script"
	}
	return strings.ReplaceAll(name, "_", "-")
}

func TestPublicSamplesAreUnderstood(t *testing.T) {
	lines, names := corpusLines(t, "lightmeter/*.log", "lightmeter/complete/*", "pflogsumm-go/*", "fail2ban/postfix.log", "fail2ban/courier-auth.log", "fail2ban/sieve.log",
		"ossec/postfix.log", "ossec/dovecot.log", "postfix-grok-patterns/*.msg", "web-snippets/plesk-postfix-saslauthd.log")
	p, ours := NewParser(), 0
	for i := range lines {
		if strings.HasPrefix(names[i], "command_counter") || strings.HasPrefix(names[i], "delays") || strings.HasPrefix(names[i], "tls_features") && bytes.IndexByte(lines[i].Body, ':') != 9 {
			continue // parts of lines
		}
		var e spoor.Event
		sort := p.Parse(&lines[i], &e)
		if n := testing.AllocsPerRun(2, func() { p.Parse(&lines[i], &e) }); n != 0 && sort != spoor.LineEvent {
			t.Errorf("%s: %v allocations: %s", names[i], n, lines[i].Body)
		}
		if sort == spoor.LineForeign {
			t.Logf("%s: foreign: %s: %s", names[i], lines[i].Program, lines[i].Body)
			continue
		}
		ours++
		if sort == spoor.LineUnknown {
			t.Errorf("%s: not understood: %s: %s", names[i], lines[i].Program, lines[i].Body)
		}
	}
	if ours < 2000 {
		t.Errorf("%d lines", ours)
	}
}
