package report

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// Schemas of the shim's documents.
const (
	ShimSchema = "spoor.shim/1"
	HeldSchema = "spoor.held/1"
)

// Shim is the state of the sendmail shim.
type Shim struct {
	Time     time.Time
	InFront  bool // of /usr/sbin/sendmail
	Replaced bool // it was, and something else has taken its place
	Current  bool // and of this spoor's version
	PHP      []string
	Answers  bool // the recorder does
	HasKey   bool
	LastLine time.Time // zero if there is no log
	LogBytes int64
	Limits   int
	Config   string // what is wrong with the limits; "" if nothing is
	Held     []HeldMessage
	Damaged  int // held messages whose envelope cannot be read
}

// Text writes the state as a page.
func (s *Shim) Text(out io.Writer, style Style) error {
	p := &page{style: style}
	p.heading("The shim in front of sendmail")
	p.row(detail, "sendmail", s.front())
	for i, file := range s.PHP {
		p.row(detail, onlyFirst(i, "php"), clip(file, maxQuote))
	}
	p.row(detail, "recorder", s.recorder())
	switch {
	case s.LastLine.IsZero():
		p.row(detail, "log", "nothing was recorded yet")
	default:
		p.row(detail, "log", size(s.LogBytes)+", written "+style.since(s.Time, s.LastLine))
	}
	if s.Config != "" {
		p.row(detail, "limits", "not understood: "+clip(s.Config, maxQuote))
	} else {
		p.row(detail, "limits", plural(s.Limits, "limit"))
	}
	p.row(detail, "held", plural(len(s.Held), "message"))
	if s.Damaged > 0 {
		p.row(detail, "", plural(s.Damaged, "message")+" cannot be read")
	}
	if !s.InFront && !s.Replaced && len(s.PHP) == 0 {
		p.suggest(detail, "to put it in:", "spoor shim install -n")
	}
	return p.writeTo(out)
}

func (s *Shim) front() string {
	switch {
	case s.InFront && s.Current:
		return "the shim is in front of it"
	case s.InFront:
		return "a shim of another version is in front of it"
	case s.Replaced:
		return "another program has taken the place of the shim: nothing is recorded; spoor shim remove, then install it again"
	case len(s.PHP) > 0:
		return "the real one; PHP calls the shim"
	}
	return "the real one: nothing is in front of it"
}

func (s *Shim) recorder() string {
	switch {
	case s.Answers:
		return "answers"
	case s.InFront || len(s.PHP) > 0:
		return "does not answer: mail passes, and carries no signed ID"
	}
	return "does not run"
}

type shimJSON struct {
	Schema   string     `json:"schema"`
	Time     string     `json:"time"`
	InFront  bool       `json:"in_front"`
	Replaced bool       `json:"replaced"`
	Current  bool       `json:"current"`
	PHP      []text     `json:"php"`
	Answers  bool       `json:"recorder"`
	HasKey   bool       `json:"key"`
	LastLine string     `json:"recorded,omitempty"`
	LogBytes int64      `json:"log_bytes"`
	Limits   int        `json:"limits"`
	Config   text       `json:"limits_error,omitempty"`
	Held     []heldJSON `json:"held"`
	Damaged  int        `json:"damaged"`
}

// JSON writes the state as one document.
func (s *Shim) JSON(out io.Writer) error {
	d := shimJSON{
		Schema: ShimSchema, Time: jsonTime(s.Time), InFront: s.InFront, Replaced: s.Replaced, Current: s.Current, PHP: texts(s.PHP), Answers: s.Answers,
		HasKey: s.HasKey, LogBytes: s.LogBytes, Limits: s.Limits, Config: text(s.Config), Held: heldDocuments(s.Held), Damaged: s.Damaged,
	}
	if !s.LastLine.IsZero() {
		d.LastLine = jsonTime(s.LastLine)
	}
	return writeJSON(out, d)
}

// HeldMessage is a message over a limit that waits to be released. All but the
// time, the user, the limit and the size is its sender's own word.
type HeldMessage struct {
	Name       string
	Time       time.Time
	UID        int
	User       string // "" where it is not known
	Script     string
	Limit      string // "" where it is not known
	Sender     string
	Subject    string // raw
	MessageID  string
	Recipients int
	SizeBytes  int64
	Vault      string // the container; "" while it is not in the vault
	Uncertain  bool   // it may have been sent: its release, or its being held, was cut off
	Plan       string // that was about to release it then; "" where there was none
}

// Held lists messages that wait.
type Held struct {
	Time     time.Time
	Messages []HeldMessage
	Damaged  int
}

// Text writes the list.
func (h *Held) Text(out io.Writer, style Style) error {
	p := &page{style: style}
	if len(h.Messages) == 0 {
		p.para(0, "nothing is held")
	}
	for i := range h.Messages {
		m := &h.Messages[i]
		words := m.Name + "  " + style.clock(m.Time) + "  uid " + strconv.Itoa(m.UID)
		if m.User != "" {
			words += " (" + clip(m.User, maxAddress) + ")"
		}
		words += "  " + shortSize(m.SizeBytes) + "  " + plural(m.Recipients, "recipient")
		if m.Script != "" {
			words += "  " + clip(m.Script, maxAddress)
		}
		if m.Limit != "" {
			words += "  over " + clip(m.Limit, maxAddress)
		}
		if m.Subject != "" {
			words += "  " + quoted(clip(subject(m.Subject), maxRemark))
		}
		if m.Uncertain {
			words += "  may have been sent already"
		}
		if m.Plan != "" {
			words += ", by " + m.Plan + ", which was cut off"
		}
		p.para(0, words)
	}
	if h.Damaged > 0 {
		p.para(0, plural(h.Damaged, "message")+" cannot be read")
	}
	return p.writeTo(out)
}

// IDs writes the names alone.
func (h *Held) IDs(out io.Writer) error {
	for i := range h.Messages {
		if _, err := fmt.Fprintln(out, Escape(h.Messages[i].Name)); err != nil {
			return err
		}
	}
	return nil
}

type heldJSON struct {
	Name       text   `json:"name"`
	Time       string `json:"time"`
	UID        int    `json:"uid"`
	User       text   `json:"user"`
	Script     text   `json:"script"`
	Limit      text   `json:"limit"`
	Sender     text   `json:"sender"`
	Subject    text   `json:"subject"`
	MessageID  text   `json:"message_id"`
	Recipients int    `json:"recipients"`
	SizeBytes  int64  `json:"size"`
	Vault      string `json:"vault"`
	Uncertain  bool   `json:"uncertain"`
	Plan       string `json:"plan,omitempty"`
}

func heldDocuments(list []HeldMessage) []heldJSON {
	documents := []heldJSON{}
	for i := range list {
		m := &list[i]
		documents = append(documents, heldJSON{
			Name: text(m.Name), Time: jsonTime(m.Time), UID: m.UID, User: text(m.User), Script: text(m.Script), Limit: text(m.Limit),
			Sender: text(m.Sender), Subject: text(m.Subject), MessageID: text(m.MessageID), Recipients: m.Recipients, SizeBytes: m.SizeBytes,
			Vault: m.Vault, Uncertain: m.Uncertain, Plan: m.Plan,
		})
	}
	return documents
}

type heldListJSON struct {
	Schema   string     `json:"schema"`
	Time     string     `json:"time"`
	Messages []heldJSON `json:"messages"`
	Damaged  int        `json:"damaged"`
}

// JSON writes the list as one document.
func (h *Held) JSON(out io.Writer) error {
	return writeJSON(out, heldListJSON{Schema: HeldSchema, Time: jsonTime(h.Time), Messages: heldDocuments(h.Messages), Damaged: h.Damaged})
}
