//go:build e2e

package plesk

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"spoor/internal/host/hosttest"
	"spoor/internal/panel/plesk/plesktest"
)

// served is a captured server with Plesk, whose database is a real MariaDB and of
// which spoor and Plesk's utilities are programs.
type served struct {
	t    *testing.T
	root string
	db   *plesktest.MariaDB
}

func newServed(t *testing.T, schema ...string) *served {
	t.Helper()
	s := &served{t: t, root: hosttest.Unpack(t, "qmail"), db: plesktest.Start(t)}
	s.db.Load(t, schema...)
	write(t, s.root+"/etc/psa/.psa.shadow", plesktest.Shadow+"\n")
	for _, folder := range []string{"/var/lib/mysql", "/proc", "/usr/local/psa/bin", "/usr/bin"} {
		if err := os.MkdirAll(s.root+folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(s.db.Socket, s.root+"/var/lib/mysql/mysql.sock"); err != nil {
		t.Fatal(err)
	}
	s.install("../../bin/spoor", "/usr/bin/spoor")
	built := filepath.Join(t.TempDir(), "utility")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", built, "./utility")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"domain_pref", "mail"} {
		s.install(built, "/usr/local/psa/bin/"+name)
	}
	return s
}

func (s *served) install(from, to string) {
	s.t.Helper()
	program, err := os.ReadFile(from)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.root+to, program, 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// operate runs spoor as an operator of the server: its root is the program's root.
func (s *served) operate(status int, args ...string) string {
	s.t.Helper()
	const enter = `mount --bind /proc "$0/proc" && exec chroot "$0" "$@"`
	var out, problems bytes.Buffer
	command := exec.CommandContext(s.t.Context(), "unshare", append([]string{"--mount", "sh", "-c", enter, s.root, "/usr/bin/spoor"}, args...)...)
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "USER=root"}
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); command.ProcessState == nil || command.ProcessState.ExitCode() != status {
		s.t.Fatalf("spoor %q: %v, want status %d\n%s%s", args, err, status, out.String(), problems.String())
	}
	return out.String() + problems.String()
}

// audit is what the audit finds; entries of the relay list that are none are gaps of
// the older database.
func (s *served) audit(old bool) string {
	s.t.Helper()
	status := 0
	if old {
		status = 4
	}
	return s.operate(status, "audit", "ls", "--probe", "no")
}

func (s *served) says(text string, words ...string) {
	s.t.Helper()
	for _, word := range words {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), word) {
			s.t.Errorf("%q is not said:\n%s", word, text)
		}
	}
}

// settings are all rows of tables that utilities change.
func (s *served) settings(query string) string {
	s.t.Helper()
	return s.db.Rows(s.t, query)
}

const (
	policies = "SELECT CONCAT(id, ' ', parameter, ' ', value) FROM Parameters ORDER BY id, parameter"
	limits   = "SELECT CONCAT(mn_id, ' ', param, ' ', val) FROM mn_param ORDER BY 1"
)

// TestPoliciesOfEveryPleskAreMendedAndTakenBack runs on both generations of the
// schema what an administrator runs: the audit, its repair, and the undo.
func TestPoliciesOfEveryPleskAreMendedAndTakenBack(t *testing.T) {
	f := func(name string, old bool, mended []string, byHand string, schema ...string) {
		t.Run(name, func(t *testing.T) {
			for i := range schema {
				schema[i] = "../../internal/panel/plesk/testdata/" + schema[i]
			}
			s := newServed(t, schema...)
			before := s.settings(policies)
			audit := s.audit(old)
			plan := s.operate(0, "audit", "fix", "-n", "nonexistent-user", "--all")
			for _, domain := range mended {
				s.says(audit, domain+" (nonexistent-user)")
				s.says(plan, "mail for users of "+domain+" that do not exist is refused")
			}
			s.says(plan, byHand, "breaks")
			if now := s.settings(policies); now != before {
				t.Errorf("the plan changed something:\n%s\nwas\n%s", now, before)
			}
			s.says(s.operate(0, "audit", "fix", "nonexistent-user", "--all", "--yes", "--reason", "backscatter"), "done: audit-fix, ")
			audit = s.audit(old)
			for _, domain := range mended {
				if strings.Contains(audit, domain+"  (nonexistent-user)") {
					t.Errorf("%s is not mended:\n%s", domain, audit)
				}
			}
			if now := s.settings(policies); now == before || !strings.Contains(now, "nonexist_mail reject") {
				t.Errorf("the database is as it was:\n%s", now)
			}
			s.says(s.operate(0, "undo", "--yes", "--reason", "customers complain"), "done: undo")
			if now := s.settings(policies); now != before {
				t.Errorf("after the undo:\n%s\nbefore:\n%s", now, before)
			}
		})
	}
	f("Plesk 8 and 9", true, []string{"site1.example", "site2.example"}, "", "psa-8.sql", "mail-8.sql")
	f("Plesk 12 and later", false, []string{"addon.example", "other.example"}, "by hand", "psa-10.sql", "psa-10-rows.sql", "mail-10.sql")
}

// TestAMailboxOfPleskIsStopped gives a mailbox the limit of 0 messages, where this
// Plesk has limits, and only says how where it has none.
func TestAMailboxOfPleskIsStopped(t *testing.T) {
	const folder = "../../internal/panel/plesk/testdata/"
	s := newServed(t, folder+"psa-10.sql", folder+"psa-10-rows.sql", folder+"mail-10.sql", "testdata/limits.sql")
	before := s.settings(limits)
	s.says(s.operate(0, "stop", "account:sales@shop.example", "--yes", "--reason", "stolen"), "done: stop, ")
	if now := s.settings(limits); !strings.Contains(now, "2 outgoing-messages-mbox-limit 0") {
		t.Errorf("the limit is not set:\n%s", now)
	}
	s.says(s.operate(0, "unstop", "account:sales@shop.example", "--yes", "--reason", "new password"), "done: undo")
	if now := s.settings(limits); now != before {
		t.Errorf("after the undo:\n%s\nbefore:\n%s", now, before)
	}
	old := newServed(t, folder+"psa-8.sql", folder+"mail-8.sql")
	old.says(old.operate(5, "stop", "account:info@site1.example", "--yes", "--reason", "stolen"), "by hand", "-passwd NEW")
}
