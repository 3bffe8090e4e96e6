//go:build e2e

package live

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spoor/e2e/mailtest"
)

// TestASealedScriptIsNotRunFromTheCache: PHP's OPcache has compiled the script and does
// not ask who may read it.
func TestASealedScriptIsNotRunFromTheCache(t *testing.T) {
	s := start(t)
	ini := strings.Replace(s.opcache(), "3600", "0", 1)
	s.Write("/etc/php/8.2/fpm/php.ini", ini)
	s.Write("/etc/php/8.2/apache2/php.ini", ini)
	long := time.Now().Add(-240 * time.Hour) // what is new is not kept (opcache.file_update_protection)
	for _, name := range []string{shopScript, forumScript} {
		if err := os.Chtimes(filepath.Join(s.Dir, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"active", "incoming", "deferred", "hold"} {
		s.Folder("/var/spool/postfix/"+name, 0o700, mailtest.Postfix, mailtest.Postfix)
	}
	s.web(false)
	state := t.TempDir()
	spoor := func(words ...string) {
		t.Helper()
		words = append(words, "--yes", "--reason", "test")
		out, err := exec.CommandContext(t.Context(), "../../bin/spoor", append([]string{"--root", s.Dir, "--state", state}, words...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", words, err, out)
		}
	}
	for _, c := range []struct{ host, path, script string }{
		{"shop.example", "/forms/mailer.php", shopScript},
		{"forum.example", "/old/send.php", forumScript},
	} {
		for range 4 { // each of the processes has it
			if body := s.post(c.host, c.path); !strings.Contains(body, "sent") {
				t.Fatalf("%s before: %q", c.script, body)
			}
		}
		spoor("stop", "script:"+c.script)
		t.Cleanup(func() { _ = exec.Command("chattr", "-i", filepath.Join(s.Dir, c.script)).Run() }) //nolint:noctx // it ends at once
		for range 4 {
			if status, body := s.ask(c.host, c.path); strings.Contains(body, "sent") {
				t.Errorf("%s still runs: %d %q", c.script, status, body)
			}
		}
		spoor("unstop", "script:"+c.script)
		if body := s.post(c.host, c.path); !strings.Contains(body, "sent") {
			t.Errorf("%s after the undo: %q", c.script, body)
		}
	}
}
