//go:build e2e

// Package plesk is the walk of one incident: a captured qmail server with
// Plesk, whose database psa a real MariaDB serves, and whose web server's logs
// tell which script sent the mail. The program is run as an administrator runs
// it.
package plesk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spoor/internal/host/hosttest"
	"spoor/internal/panel/plesk/plesktest"
)

const script = "/var/www/vhosts/blog.example/httpdocs/wp-content/plugins/x/mailer.php"

// answer is what the test reads of spoor --json.
type answer struct {
	Schema  string `json:"schema"`
	Panel   string `json:"panel"`
	Sources []struct {
		Source     string  `json:"source"`
		Verdict    string  `json:"verdict"`
		Confidence float64 `json:"confidence"`
		Queued     int     `json:"queued"`
		Evidence   []struct {
			What, Text string
		} `json:"evidence"`
		Candidates []struct {
			Source     string  `json:"source"`
			Confidence float64 `json:"confidence"`
			Text       string  `json:"text"`
		} `json:"candidates"`
	} `json:"sources"`
	Complete bool `json:"complete"`
	Gaps     []struct {
		File, Reason string
	} `json:"gaps"`
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// stage adds to the captured server what its capture left out: the hacked
// site's files, and access logs with the requests behind the mail of uid 48.
func stage(t *testing.T, root string) {
	t.Helper()
	write(t, root+script, "<?php mail(…);")
	write(t, root+"/var/www/vhosts/shop.example/httpdocs/index.php", "<?php")
	truths := hosttest.ReadTruth(t, "qmail")
	var blog, shop strings.Builder
	for at := time.Date(2026, 11, 23, 11, 20, 0, 0, time.UTC); at.Minute() < 40; at = at.Add(7 * time.Second) {
		fmt.Fprintf(&shop, "192.0.2.80 - - [%s] \"POST /index.php HTTP/1.1\" 200 12 \"-\" \"Mozilla/5.0\"\n", at.Format("02/Jan/2006:15:04:05 -0700"))
	}
	for _, truth := range truths {
		if truth.Label != "php" || !truth.Queued {
			continue
		}
		at := time.Date(2026, 11, 23, 11, 32, 17, 0, time.UTC)
		if truth.State == "S4-todo" {
			at = time.Date(2026, 11, 23, 11, 33, 24, 0, time.UTC)
		}
		fmt.Fprintf(&blog, "198.51.100.9 - - [%s] \"POST /wp-content/plugins/x/mailer.php HTTP/1.1\" 200 3 \"-\" \"-\"\n", at.Format("02/Jan/2006:15:04:05 -0700"))
	}
	write(t, root+"/var/www/vhosts/system/blog.example/logs/access_log", blog.String())
	write(t, root+"/var/www/vhosts/system/shop.example/logs/access_log", shop.String())
}

// serve lets a real MariaDB answer for psa on the server's own socket.
func serve(t *testing.T, root string) {
	t.Helper()
	db := plesktest.Start(t)
	db.Load(t, "../../internal/panel/plesk/testdata/psa-10.sql", "testdata/psa-rows.sql")
	write(t, root+"/etc/psa/.psa.shadow", plesktest.Shadow+"\n")
	if err := os.MkdirAll(root+"/var/lib/mysql", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(db.Socket, root+"/var/lib/mysql/mysql.sock"); err != nil {
		t.Fatal(err)
	}
}

// spoor runs the program and wants a status.
func spoor(t *testing.T, status int, args ...string) string {
	t.Helper()
	var out, problems bytes.Buffer
	command := exec.CommandContext(t.Context(), "../../bin/spoor", args...)
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); command.ProcessState == nil || command.ProcessState.ExitCode() != status {
		t.Fatalf("spoor %q: %v, want status %d\n%s%s", args, err, status, out.String(), problems.String())
	}
	return out.String()
}

func TestTheDatabaseProvesAndTheLogsSuggest(t *testing.T) {
	root := hosttest.Unpack(t, "qmail")
	stage(t, root)
	serve(t, root)

	var a answer
	if err := json.Unmarshal([]byte(spoor(t, 0, "--root", root, "--json")), &a); err != nil {
		t.Fatal(err)
	}
	if a.Schema != "spoor.who/1" || a.Panel != "plesk" || !a.Complete || len(a.Gaps) != 0 {
		t.Errorf("schema %s, panel %s, complete %v, gaps %v", a.Schema, a.Panel, a.Complete, a.Gaps)
	}
	found := 0
	for _, s := range a.Sources {
		switch s.Source {
		case "site:site1.example":
			found++
			proof := ""
			for _, e := range s.Evidence {
				proof += e.What + ": " + e.Text + "\n"
			}
			if s.Verdict != "spam" || s.Queued != 34 || !strings.Contains(proof, "hosting: dom_id=1 sys_user_id=1") {
				t.Errorf("%s: %s, %d queued, evidence\n%s", s.Source, s.Verdict, s.Queued, proof)
			}
		case "user:apache":
			found++
			if len(s.Candidates) == 0 || s.Candidates[0].Source != "script:"+script || s.Candidates[0].Confidence < 0.5 || s.Candidates[0].Confidence > 0.95 {
				t.Errorf("candidates of %s: %+v", s.Source, s.Candidates)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d of the two sources are named: %+v", found, a.Sources)
	}
	page := spoor(t, 0, "--root", root, "show", "user:apache")
	if !strings.Contains(page, script) || !strings.Contains(page, "not proven") {
		t.Errorf("the page of user:apache does not name the script as likely and not proven:\n%s", page)
	}
}
