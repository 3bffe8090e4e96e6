// Command utility stands for three utilities of Plesk, which is not to be had for a
// test: it is called by their names, says what they say of themselves as far as that
// is published, and does to a real database psa what they do to it. Its other files
// and services are left out.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/go-sql-driver/mysql" // speaks to psa
)

func main() {
	if err := run(filepath.Base(os.Args[0]), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// psa is the database, where the server has its socket.
type psa struct {
	db  *sql.DB
	ctx context.Context //nolint:containedctx // of the one run
}

func run(name string, args []string) error {
	db, err := sql.Open("mysql", "root@unix(/var/lib/mysql/mysql.sock)/psa")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	p := &psa{db, context.Background()}
	switch words := strings.Join(args, " "); {
	case name == "domain_pref" && words == "--help":
		fmt.Println("Usage: domain_pref -u <domain_name> [-no_usr <email>|<bounce_text>|reject|discard]")
	case name == "domain_pref" && len(args) == 4 && args[0] == "-u" && args[2] == "-no_usr":
		return p.policy(args[1], args[3])
	case name == "mail" && words == "--help":
		fmt.Println("Usage: mail --update <mail_name> [options]" + p.limits())
	case name == "mail" && len(args) == 2 && args[0] == "--info":
		return p.info(args[1])
	case name == "mail" && len(args) == 4 && args[0] == "--update" && args[2] == "-outgoing-messages-mbox-limit":
		return p.limit(args[1], args[3])
	default:
		return errors.New("wrong call: " + name + " " + words)
	}
	return nil
}

// policy sets what becomes of mail for users that do not exist.
func (p *psa) policy(domain, value string) error {
	var id int
	err := p.db.QueryRowContext(p.ctx, "SELECT s.parameters_id FROM domains d JOIN DomainServices s ON s.dom_id = d.id AND s.type = 'mail' WHERE d.name = ?", domain).Scan(&id)
	if err != nil {
		return fmt.Errorf("no such domain %s: %w", domain, err)
	}
	switch {
	case value == "reject" || value == "discard":
		return p.set(id, "nonexist_mail", value)
	case strings.Contains(value, "@"):
		return errors.Join(p.set(id, "nonexist_mail", "catch"), p.set(id, "catch_addr", value))
	}
	return errors.Join(p.set(id, "nonexist_mail", "bounce"), p.set(id, "bounce_mess", value))
}

func (p *psa) set(id int, parameter, value string) error {
	_, err := p.db.ExecContext(p.ctx, "REPLACE INTO Parameters VALUES (?, ?, ?)", id, parameter, value)
	return err
}

// limits is what the help says where this version limits outgoing mail.
func (p *psa) limits() string {
	if _, err := p.db.ExecContext(p.ctx, "SELECT 1 FROM mn_param LIMIT 1"); err != nil {
		return ""
	}
	return " [-outgoing-messages-mbox-limit <number>|default]"
}

func (p *psa) mailbox(address string) (id int, err error) {
	local, domain, _ := strings.Cut(address, "@")
	err = p.db.QueryRowContext(p.ctx, "SELECT m.id FROM mail m JOIN domains d ON d.id = m.dom_id WHERE m.mail_name = ? AND d.name = ?", local, domain).Scan(&id)
	return id, err
}

const limitParameter = "outgoing-messages-mbox-limit"

func (p *psa) info(address string) error {
	id, err := p.mailbox(address)
	if err != nil {
		return err
	}
	limit := "default"
	err = p.db.QueryRowContext(p.ctx, "SELECT val FROM mn_param WHERE mn_id = ? AND param = ?", id, limitParameter).Scan(&limit)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	fmt.Printf("Mail name:                 %s\nOutgoing messages limit:   %s\n", address, limit)
	return nil
}

func (p *psa) limit(address, value string) error {
	id, err := p.mailbox(address)
	if err != nil {
		return err
	}
	if value == "default" {
		_, err = p.db.ExecContext(p.ctx, "DELETE FROM mn_param WHERE mn_id = ? AND param = ?", id, limitParameter)
		return err
	}
	_, err = p.db.ExecContext(p.ctx, "REPLACE INTO mn_param VALUES (?, ?, ?)", id, limitParameter, value)
	return err
}
