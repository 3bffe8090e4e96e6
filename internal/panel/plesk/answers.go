package plesk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// AnswersFile is where the answers of psa lie in a tree of files that was made of a
// server: below its root.
const AnswersFile = "/spoor-psa.json"

// answersSchema is the contract of Answers.
const answersSchema = "spoor.psa/1"

// answersLimit bounds AnswersFile, in bytes.
const answersLimit = 256 << 20

// Answers is what an examination has asked of psa: the rows and columns that it has
// read, and no others. No password is among them.
type Answers struct {
	Schema string   `json:"schema"` // answersSchema
	Place  string   `json:"place"`  // where psa was asked: the socket, or host:port
	Tables []Answer `json:"tables"`
}

// Answer is what was read of one table.
type Answer struct {
	Table   string      `json:"table"`
	Missing bool        `json:"missing,omitempty"` // this version of Plesk has no such table
	Columns []string    `json:"columns"`           // that were asked for and are there
	Rows    [][]*string `json:"rows"`              // a value for each of them; null is NULL
}

// hearing keeps what psa answers.
type hearing struct {
	mu      sync.Mutex
	answers Answers
}

// Answers is what psa has answered this panel so far; nil if it could not be asked.
func (p *Panel) Answers() *Answers {
	p.heard.mu.Lock()
	defer p.heard.mu.Unlock()
	if len(p.heard.answers.Tables) == 0 {
		return nil
	}
	all := p.heard.answers
	all.Schema, all.Tables = answersSchema, slices.Clone(all.Tables)
	return &all
}

func (h *hearing) at(place string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers.Place = place
}

func (h *hearing) missing(table string) {
	h.add(Answer{Table: table, Missing: true})
}

// rows keeps the rows of a table with those of the columns that are there.
func (h *hearing) rows(s selection, there map[string]bool, rows []row) {
	a := Answer{Table: s.table, Rows: make([][]*string, len(rows))}
	for i, column := range s.columns {
		if !there[column] {
			continue
		}
		a.Columns = append(a.Columns, column)
		for n, r := range rows {
			var value *string
			if r[i].Valid {
				value = &r[i].String
			}
			a.Rows[n] = append(a.Rows[n], value)
		}
	}
	h.add(a)
}

// add keeps an answer, in place of one that has no column that this one has not.
func (h *hearing) add(a Answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.answers.Tables {
		old := &h.answers.Tables[i]
		switch {
		case old.Table != a.Table:
		case a.Missing || !old.Missing && a.covered(old.Columns) > 0 && a.covered(old.Columns) == len(a.Columns):
			return
		case old.Missing || a.covered(old.Columns) == len(old.Columns):
			*old = a
			return
		}
	}
	h.answers.Tables = append(h.answers.Tables, a)
}

// covered counts the columns that a has.
func (a *Answer) covered(columns []string) int {
	n := 0
	for _, column := range columns {
		if slices.Contains(a.Columns, column) {
			n++
		}
	}
	return n
}

// keptAnswers reads AnswersFile. It returns fs.ErrNotExist where there is none.
func (p *Panel) keptAnswers() (*Answers, error) {
	text, err := p.root.ReadFile(AnswersFile, answersLimit)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, reasonOf(err)
	}
	kept := &Answers{}
	if err := json.Unmarshal(text, kept); err != nil {
		return nil, fmt.Errorf("it is no record of psa: %w", err)
	}
	if kept.Schema != answersSchema {
		return nil, fmt.Errorf("it is a record of the kind %q: want %s", kept.Schema, answersSchema)
	}
	for i := range kept.Tables {
		for _, one := range kept.Tables[i].Rows {
			if len(one) != len(kept.Tables[i].Columns) {
				return nil, fmt.Errorf("a row of %s has not as many values as there are columns", kept.Tables[i].Table)
			}
		}
	}
	return kept, nil
}

// of is the answer that has most of the columns; nil for a table that is not there.
func (a *Answers) of(s selection) *Answer {
	var best *Answer
	for i := range a.Tables {
		one := &a.Tables[i]
		if one.Table == s.table && !one.Missing && (best == nil || one.covered(s.columns) > best.covered(s.columns)) {
			best = one
		}
	}
	return best
}

// read is tables.readSome of what was kept.
func (a *Answers) read(s selection) ([]row, error) {
	answer := a.of(s)
	if answer == nil {
		return nil, fmt.Errorf("%w %s", errNoTable, s.table)
	}
	places := make([]int, len(s.columns))
	for i, column := range s.columns {
		places[i] = slices.Index(answer.Columns, column)
		if places[i] < 0 && i < s.required {
			return nil, fmt.Errorf("%w %s.%s", errNoColumn, s.table, column)
		}
	}
	rows := make([]row, len(answer.Rows))
	for n, values := range answer.Rows {
		rows[n] = make(row, len(places))
		for i, place := range places {
			if place >= 0 && values[place] != nil {
				rows[n][i].String, rows[n][i].Valid = *values[place], true
			}
		}
	}
	return rows, nil
}

// Renamer replaces names in a text, in place, by others of the same length.
type Renamer interface {
	Text(b []byte)                  // addresses, domains and names that are known
	Line(field string, line []byte) // what people wrote, too; field is "" for a body
	Learn(word string)              // from now on Text replaces a word wherever it stands
}

// Rename returns the same answers with every name replaced, in the way in which it is
// replaced in files, logs and messages.
func (a *Answers) Rename(names Renamer) *Answers {
	renamed := &Answers{Schema: a.Schema, Place: a.Place}
	if users := a.of(selection{table: "sys_users", columns: []string{"login"}}); users != nil {
		login := slices.Index(users.Columns, "login")
		for _, values := range users.Rows {
			if login >= 0 && values[login] != nil {
				names.Learn(*values[login])
			}
		}
	}
	for i := range a.Tables {
		old := &a.Tables[i]
		one := Answer{Table: old.Table, Missing: old.Missing, Columns: old.Columns, Rows: make([][]*string, len(old.Rows))}
		parameter := slices.Index(old.Columns, "parameter")
		for n, values := range old.Rows {
			one.Rows[n] = make([]*string, len(values))
			for i, value := range values {
				if value == nil {
					continue
				}
				kind := old.Table + "." + old.Columns[i]
				if kind == "Parameters.value" && parameter >= 0 && values[parameter] != nil {
					kind = *values[parameter]
				}
				other := renamedValue(names, kind, *value)
				one.Rows[n][i] = &other
			}
		}
		renamed.Tables = append(renamed.Tables, one)
	}
	return renamed
}

// renamedValue is one value with its names replaced. A part of a name that stands
// alone becomes what it becomes within the whole name.
func renamedValue(names Renamer, kind, value string) string {
	behind := ""
	switch kind {
	case "mail.redirect", "mail.mail_group", "mail.autoresponder", "DomainServices.type", "DomainServices.status", "Parameters.parameter", "nonexist_mail",
		"misc.param", "misc.val", "smtp_poplocks.ip_address", "smtp_poplocks.ip_mask", "smtp_poplocks.lock_time":
		return value // words of Plesk's own, also where a customer is called so
	case "subdomains.name":
		behind = ".example.test"
	case "mail.mail_name":
		behind = "@example.test"
	case "catch_addr":
		if value != "" && !strings.ContainsAny(value, "@|/ ") {
			behind = "@example.test"
		}
	case "bounce_mess":
		text := []byte(value)
		for line := range bytes.Lines(text) {
			names.Line("", line)
		}
		return string(text)
	}
	text := []byte(value + behind)
	names.Text(text)
	return string(text[:len(value)])
}
