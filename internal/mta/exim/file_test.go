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

func TestNamedQueuesAreRead(t *testing.T) {
	header := spoolFile(idOfOne, overNetwork, noTree, []string{"info@example.com"}, receivedBy(idOfOne))
	const forward = "2026-11-23 10:38:03 owner@bigmail.test <info@example.com> R=rest T=to_defer defer (-44): x\n"
	f := func(want string, files map[string]string) {
		t.Helper()
		q := spoolWith(t, files)
		messages, scan := scanAll(t, q)
		got := ""
		for _, m := range messages {
			got += m.Folder + ": " + trail(m)
			found, err := q.Find(t.Context(), m.ID)
			if err != nil || found.Folder != m.Folder {
				t.Errorf("found %+v, %v", found, err)
			}
		}
		if got != want || !scan.Complete || len(scan.Gaps.List()) != 0 {
			t.Errorf("got %q, complete %v, gaps %v; want %q", got, scan.Complete, scan.Gaps.List(), want)
		}
		var bp strings.Builder
		if err := writeBP(q, &bp); err != nil || strings.Contains(bp.String(), idOfOne) != strings.HasPrefix(want, "/var/spool/exim4/input") {
			t.Errorf("exim -bp: %q, %v", bp.String(), err)
		}
	}
	const body = idOfOne + "-D\nx\n"
	f("/var/spool/exim4/bulk/input: network 192.0.2.7", map[string]string{"bulk/input/" + idOfOne + "-H": header, "bulk/input/" + idOfOne + "-D": body})
	f("/var/spool/exim4/bulk/input/q: forward info@example.com, network 192.0.2.7",
		map[string]string{"bulk/input/q/" + idOfOne + "-H": header, "bulk/input/q/" + idOfOne + "-D": body, "bulk/msglog/q/" + idOfOne: forward})
	f("/var/spool/exim4/input: network 192.0.2.7", map[string]string{ // a copy in a folder that sorts before it
		"input/" + idOfOne + "-H": header, "input/" + idOfOne + "-D": body, "bulk/input/" + idOfOne + "-H": header, "bulk/input/" + idOfOne + "-D": body})
	f("", map[string]string{
		"bulk/input/": "", "bulk/input/q/": "", "bulk/msglog/" + idOfOne: "x", "db/retry": "x", "gnutls-params": "x",
		"spoor/1/" + idOfOne + "-H": header, "spoor/input/" + idOfOne + "-H": header,
	})
}

func TestNothingIsChangedInANamedQueue(t *testing.T) {
	c := &Controller{conf: Config{Spool: "/var/spool/exim4/"}}
	for _, folder := range []string{"/var/spool/exim4/bulk/input", "/var/spool/exim4/bulk/input/q"} {
		target := &spoor.Target{ID: idOfOne, Folder: folder}
		if _, err := c.look(target); err == nil || c.take(target).Result != spoor.ResultFailed {
			t.Errorf("%s: %v, %v", folder, err, c.take(target))
		}
	}
	for _, folder := range []string{"/var/spool/exim4/input", "/var/spool/exim4/input/q", "/var/spool/exim4/input/input", "/other/input", ""} {
		if err := c.target(&spoor.Target{ID: idOfOne, Folder: folder}); err != nil {
			t.Errorf("%s: %v", folder, err)
		}
	}
}
