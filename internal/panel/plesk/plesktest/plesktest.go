// Package plesktest runs a real MariaDB server with Plesk's database psa, for
// the tests of the adapter and for those of the whole program.
package plesktest

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Shadow is what newer versions of Plesk keep in .psa.shadow: an encrypted
// password, whose text is the one that the database knows.
const Shadow = "$AES-128-CBC$xcVGNk2CbEWjWd1ZoTlVkw==$0tNfGbxLbQz8xE3CqJDGZw=="

// MariaDB is a private MariaDB server.
type MariaDB struct {
	Socket string // its path on the machine
	admin  *sql.DB
}

// Start runs Debian's mariadbd without a network for as long as the test
// runs.
func Start(t *testing.T) *MariaDB {
	t.Helper()
	for _, program := range []string{"mariadbd", "mariadb-install-db"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is needed for this test: apt-get install mariadb-server-core (%v)", program, err)
		}
	}
	dir := t.TempDir()
	data, socket := filepath.Join(dir, "data"), filepath.Join(dir, "s")
	install := exec.CommandContext(t.Context(), "mariadb-install-db", "--no-defaults", "--user=root", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("mariadb-install-db: %v\n%s", err, out)
	}
	ctx, stop := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, "mariadbd", "--no-defaults", "--user=root", "--datadir="+data, "--socket="+socket,
		"--skip-networking", "--pid-file="+filepath.Join(dir, "pid"), "--log-error="+filepath.Join(dir, "log"),
		"--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0")
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGTERM) }
	server.WaitDelay = time.Minute
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	m := &MariaDB{Socket: socket}
	t.Cleanup(func() {
		if m.admin != nil {
			_ = m.admin.Close()
		}
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("mariadbd ended: %v", err)
		}
	})
	m.connect(t, ended, filepath.Join(dir, "log"))
	return m
}

// connect waits for the server to answer.
func (m *MariaDB) connect(t *testing.T, ended chan error, log string) {
	t.Helper()
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr, config.MultiStatements = "root", "unix", m.Socket, true
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	m.admin = sql.OpenDB(connector)
	for range 1200 {
		if m.admin.PingContext(t.Context()) == nil {
			return
		}
		select {
		case err := <-ended:
			ended <- err
			text, _ := os.ReadFile(log)
			t.Fatalf("mariadbd ended: %v\n%s", err, text)
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("mariadbd does not answer")
}

// Exec runs SQL as the server's own root.
func (m *MariaDB) Exec(t *testing.T, text string) {
	t.Helper()
	if _, err := m.admin.ExecContext(t.Context(), text); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// Rows are the values of the first column of a query in psa, a line each.
func (m *MariaDB) Rows(t *testing.T, query string) string {
	t.Helper()
	m.Exec(t, "USE psa")
	rows, err := m.admin.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var lines strings.Builder
	for rows.Next() {
		var value sql.NullString
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
		lines.WriteString(value.String + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines.String()
}

// Load makes the database psa anew from files of SQL. Its admin may read the
// tables, but none with a password.
func (m *MariaDB) Load(t *testing.T, files ...string) {
	t.Helper()
	var text []byte
	for _, file := range files {
		part, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, part...)
	}
	m.Exec(t, "DROP DATABASE IF EXISTS psa; CREATE DATABASE psa; USE psa; "+string(text))
	m.Exec(t, "DROP USER IF EXISTS admin@localhost; CREATE USER admin@localhost IDENTIFIED BY '"+Shadow+"'")
	// CREATE may be granted on a table that this version does not have.
	for _, table := range []string{"sys_users", "hosting", "domains", "subdomains", "web_users", "ftp_users", "DomainServices", "Parameters", "smtp_poplocks", "misc", "mail", "mail_redir"} {
		m.Exec(t, "GRANT SELECT, CREATE ON psa."+table+" TO admin@localhost")
	}
}
