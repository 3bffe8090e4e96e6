package report

import (
	"fmt"
	"io"
	"time"

	"spoor"
)

// VaultSchema names the contract of Vault's JSON.
const VaultSchema = "spoor.vault/1"

// Vault is what was taken out of queues.
type Vault struct {
	Head
	Messages []StoredMessage
	Damage   []spoor.Gap
	Overdue  Overdue
}

// Overdue is what of a vault is past its retention. Nothing purges it by itself.
type Overdue struct {
	Bytes int64  // 0 for none
	Purge string // the command that purges it, and asks before
}

// label has a capital where the labels of the page have one.
func (o Overdue) label(column int) string {
	if column == 0 {
		return "Vault"
	}
	return "vault"
}

func (o Overdue) write(p *page, column int) {
	if o.Bytes <= 0 {
		return
	}
	p.row(column, o.label(column), size(o.Bytes)+" past the retention")
	p.label(column, "")
	p.command(o.Purge)
}

// StoredMessage is one message of the vault.
type StoredMessage struct {
	spoor.Target               // Vault is the plan that took it
	Fate         string        // "stored", "restored", …
	NewID        spoor.QueueID // in the queue, if it is there again
	Stored       time.Time
	PackedBytes  int64
	Damaged      bool // not all of it can be read
}

// Write writes the list in a format of the command line.
func (v *Vault) Write(out io.Writer, format string, style Style) error {
	switch format {
	case "json":
		return v.JSON(out)
	case "ndjson":
		return v.ndjson(out)
	case "ids":
		for i := range v.Messages {
			if _, err := fmt.Fprintln(out, Escape(string(v.Messages[i].ID))); err != nil {
				return err
			}
		}
		return nil
	}
	return v.Text(out, style)
}

// Text writes the list by plan.
func (v *Vault) Text(out io.Writer, style Style) error {
	p := v.page(style)
	if len(v.Messages) == 0 && len(v.Damage) == 0 {
		p.para(0, "the vault is empty")
	}
	for from := 0; from < len(v.Messages); {
		to := from
		var raw, packed int64
		for to < len(v.Messages) && v.Messages[to].Vault == v.Messages[from].Vault {
			raw += v.Messages[to].SizeBytes
			packed += v.Messages[to].PackedBytes
			to++
		}
		p.heading(v.Messages[from].Vault)
		p.row(detail, "messages", count(to-from)+", "+size(raw)+", packed "+size(packed))
		for i := range v.Messages[from:to] {
			v.Messages[from+i].write(p)
		}
		from = to
	}
	if v.Overdue.Bytes > 0 {
		p.heading("Past the retention: " + size(v.Overdue.Bytes))
		p.suggest(detail, "to purge it:", v.Overdue.Purge)
	}
	writeGaps(p, v.Damage, len(v.Damage) == 0)
	return p.writeTo(out)
}

// write lists one message in a line, as wide as its sender and source are.
func (m *StoredMessage) write(p *page) {
	sender := m.Sender
	if sender == "" {
		sender = "<>"
	}
	p.tab(detail)
	p.put(string(m.ID))
	p.tab(detail + vaultIDColumns)
	p.put(p.style.clock(m.Arrived) + "  ")
	p.flow(shortSize(m.SizeBytes) + "  " + count(m.Recipients-m.Done) + "/" + count(m.Recipients) + "  " + clip(sender, maxAddress) + m.remarks())
	p.end()
}

// vaultIDColumns is as wide as the longest queue ID that is common, and a gap.
const vaultIDColumns = 18

func (m *StoredMessage) remarks() string {
	words := ""
	if m.Source != (spoor.Source{}) {
		words += "  " + clip(m.Source.String(), maxAddress)
	}
	if m.Fate != "stored" {
		words += "  " + m.Fate
	}
	if m.NewID != "" {
		words += " as " + string(m.NewID)
	}
	if m.Damaged {
		words += "  damaged"
	}
	return words
}

type vaultJSON struct {
	headJSON
	Messages []storedJSON `json:"messages"`
	Overdue  int64        `json:"overdue_bytes,omitempty"`
	Gaps     []gapJSON    `json:"gaps"`
}

type storedJSON struct {
	Plan       string `json:"plan"`
	ID         text   `json:"id"`
	Time       string `json:"time"`
	Size       int64  `json:"size"`
	Sender     text   `json:"sender"`
	Recipients int    `json:"recipients"`
	Done       int    `json:"done"`
	Source     text   `json:"source,omitempty"`
	Subject    text   `json:"subject,omitempty"`
	Fate       string `json:"fate"`
	NewID      text   `json:"new_id,omitempty"`
	Stored     string `json:"stored"`
	Packed     int64  `json:"packed"`
	Damaged    bool   `json:"damaged,omitempty"`
}

func (m *StoredMessage) json() storedJSON {
	line := storedJSON{
		Plan: m.Vault, ID: text(m.ID), Time: jsonTime(m.Arrived), Size: m.SizeBytes, Sender: text(m.Sender), Recipients: m.Recipients,
		Done: m.Done, Subject: text(m.Subject), Fate: m.Fate, NewID: text(m.NewID), Stored: jsonTime(m.Stored), Packed: m.PackedBytes, Damaged: m.Damaged,
	}
	if m.Source != (spoor.Source{}) {
		line.Source = text(m.Source.String())
	}
	return line
}

// JSON writes the list as one document of the schema spoor.vault/1.
func (v *Vault) JSON(out io.Writer) error {
	document := vaultJSON{headJSON: v.json(VaultSchema), Messages: make([]storedJSON, 0, len(v.Messages)), Overdue: v.Overdue.Bytes, Gaps: newGapsJSON(v.Damage)}
	for i := range v.Messages {
		document.Messages = append(document.Messages, v.Messages[i].json())
	}
	return writeJSON(out, document)
}

func (v *Vault) ndjson(out io.Writer) error {
	for i := range v.Messages {
		line, err := marshalJSON(v.Messages[i].json())
		if err == nil {
			_, err = out.Write(append(line, '\n'))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
