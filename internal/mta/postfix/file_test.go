package postfix

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
)

// record writes one record as record.c does.
func record(kind byte, value string) string {
	head := []byte{kind}
	n := len(value)
	for n >= 0x80 {
		head = append(head, byte(n)|0x80)
		n >>= 7
	}
	return string(append(head, byte(n))) + value
}

// lines writes content as records.
func lines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(record(recLine, strings.TrimSuffix(line, "\n")))
	}
	return b.String()
}

// sizeRecord is the first record, of fixed length.
func sizeRecord(content, data int) string {
	return record(recSize, fmt.Sprintf("%15d %15d %15d %15d %15d %15d", content, data, 1, 0, content, 0))
}

// queueFile is a file as cleanup(8) finishes it: envelope, content, what was
// extracted from it.
func queueFile(envelope, content, extracted string) string {
	head := envelope + record(recMessage, "")
	data := len(sizeRecord(0, 0)) + len(head)
	body := lines(content)
	return sizeRecord(len(body), data) + head + body + record(recExtracted, "") + extracted + record(recEnd, "")
}

const (
	smtpReceived = "Received: from evil.test (unknown [192.0.2.7])\n\tby mx1.example.com (Postfix) with ESMTP id 4FA8DC0101;\n\tMon, 23 Nov 2026 10:06:57 +0000 (UTC)\n"
	userReceived = "Received: by mx1.example.com (Postfix, from userid 1001)\n\tid 4FA8DC0101; Mon, 23 Nov 2026 10:06:57 +0000 (UTC)\n"
	tail         = "Subject: s\n\nbody\n"
)

// from is an envelope of a client.
func from(sender, recipient string) string {
	return record(recTime, "1795428417 702965") + record(recAttribute, "client_address=192.0.2.7") + record(recFrom, sender) + record(recRecipient, recipient)
}

// server is a root with files in its queue; a name may have a mode behind a
// blank.
func serverWith(t testing.TB, files map[string]string) *Queue {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"active", "maildrop", "incoming", "deferred", "hold", "corrupt", "defer", "bounce"} {
		if err := os.MkdirAll(filepath.Join(dir, "var/spool/postfix", folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, content string, mode os.FileMode) {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("etc/passwd", "postfix:x:102:105::/:/bin/false\nsite1:x:1001:1001::/:/bin/sh\n", 0o644)
	write("etc/postfix/main.cf", "myhostname = mx1.example.com\nmydestination = example.com\n", 0o644)
	for name, content := range files {
		mode := os.FileMode(0o700)
		if plain, octal, ok := strings.Cut(name, " "); ok {
			name = plain
			if _, err := fmt.Sscanf(octal, "%o", &mode); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.HasPrefix(name, "etc/") {
			name = "var/spool/postfix/" + name
		}
		write(name, content, mode)
	}
	root, err := host.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return openRoot(t, root)
}

// one reads the only message of a queue, and the reason of its only gap.
func one(t *testing.T, files map[string]string) (*spoor.Message, string) {
	t.Helper()
	messages, scan := scanAll(t, serverWith(t, files))
	reason := ""
	for _, gap := range scan.Gaps.List() {
		reason += gap.Reason
	}
	if len(messages) != 1 {
		t.Fatalf("%d messages, gaps %v; want one", len(messages), scan.Gaps.List())
	}
	for _, m := range messages {
		return m, reason
	}
	return nil, ""
}
