package exim

import (
	"fmt"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

const (
	idOfOne = "1xVRQq-0007Zw-2b"
	idNew   = "1xVRjF-000000001Gg-05Rm"
)

// headerLine writes a header line as spool_out.c does.
func headerLine(flag byte, text string) string {
	return fmt.Sprintf("%03d%c %s\n", len(text)+1, flag, text)
}

// spoolFile is a -H file: variables, the tree, recipients and header lines.
func spoolFile(id, variables, tree string, recipients []string, headers string) string {
	return id + "-H\nsite1 1001 1001\n<a@b.test>\n1795430266 0\n" + variables + tree + fmt.Sprint(len(recipients)) + "\n" +
		strings.Join(append(recipients, ""), "\n") + "\n" + headers
}

const (
	overNetwork = "--helo_name evil.test\n-host_address [192.0.2.7]:4711\n-received_protocol esmtp\n"
	overAuth    = overNetwork + "-host_auth plain\n--auth_id u@example.com\n"
	asUser      = "-ident site1\n-received_protocol local\n-auth_id site1\n-auth_sender site1@mx1.example.com\n-local\n"
	noTree      = "XX\n"
)

func receivedBy(id string) string {
	return headerLine('P', "Received: from [192.0.2.7] (helo=evil.test)\n\tby mx1.example.com with esmtp (Exim 4.96)\n\t(envelope-from <a@b.test>)\n\tid "+id+"\n\tfor c@d.test;\n\tMon, 23 Nov 2026 10:37:46 +0000")
}

// spoolWith is the spool of a server with files; "/" stands for a folder.
func spoolWith(t testing.TB, files map[string]string) *Queue {
	t.Helper()
	tree := map[string]string{
		"etc/exim4/exim4.conf":        "primary_hostname = mx1.example.com\ndomainlist local = example.com\nspool_directory = /var/spool/exim4\n",
		"etc/passwd":                  "Debian-exim:x:103:103::/:/bin/false\nsite1:x:1001:1001::/:/bin/sh\n",
		"var/spool/exim4/input/keep/": "",
	}
	for name, content := range files {
		if !strings.HasPrefix(name, "etc/") {
			name = "var/spool/exim4/" + name
		}
		tree[name] = content
	}
	return openRoot(t, hosttest.Tree(t, tree))
}

// one reads the only message of a spool, and the reasons of its gaps.
func one(t *testing.T, files map[string]string) (*spoor.Message, string) {
	t.Helper()
	messages, scan := scanAll(t, spoolWith(t, files))
	var reasons []string
	for _, gap := range scan.Gaps.List() {
		reasons = append(reasons, gap.Reason)
	}
	if len(messages) != 1 {
		t.Fatalf("%d messages, gaps %v; want one", len(messages), scan.Gaps.List())
	}
	for _, m := range messages {
		return m, strings.Join(reasons, "; ")
	}
	return nil, ""
}

func TestANamedQueueIsAGap(t *testing.T) {
	f := func(want string, complete bool, names ...string) {
		t.Helper()
		files := map[string]string{}
		for _, name := range names {
			files[name] = "x"
		}
		_, scan := scanAll(t, spoolWith(t, files))
		got := ""
		for _, gap := range scan.Gaps.List() {
			got += gap.File + ": " + gap.Reason
		}
		if got != want || scan.Complete != complete {
			t.Errorf("%v: gaps %q, complete %v; want %q", names, got, scan.Complete, want)
		}
	}
	const bulk = "/var/spool/exim4/bulk/input: a named queue: its messages are not read"
	f(bulk, false, "bulk/input/"+idOfOne+"-H", "bulk/input/"+idOfOne+"-D")
	f(bulk, false, "bulk/input/q/"+idOfOne+"-H", "bulk/msglog/q/"+idOfOne)
	f("", true, "bulk/input/", "bulk/input/q/", "bulk/msglog/"+idOfOne, "db/retry", "spoor/1/"+idOfOne+"-H")
}
