package report

import (
	"io"
	"time"

	"spoor"
)

// liveStartJSON is the first line: what is observed, and by what.
type liveStartJSON struct {
	headJSON
	Event     string `json:"event"` // "start"
	Mechanism text   `json:"mechanism"`
	Misses    text   `json:"misses"`
	Refused   []text `json:"refused"`
	Programs  []text `json:"programs"`
	Pages     []text `json:"pages"`
}

// sightingJSON is one sighting.
type sightingJSON struct {
	Event       string         `json:"event"` // "sighting"
	Time        string         `json:"time"`  // with nanoseconds
	Activity    string         `json:"activity"`
	Mechanism   text           `json:"mechanism"`
	Source      text           `json:"source"`
	Kind        string         `json:"kind"`
	Name        text           `json:"name"`
	SourceKnown knownJSON      `json:"source_known"`
	Site        text           `json:"site"`
	Script      text           `json:"script"`
	ScriptKnown knownJSON      `json:"script_known"`
	Client      text           `json:"client"`
	ClientKnown knownJSON      `json:"client_known"`
	Request     text           `json:"request"`
	UID         *int           `json:"uid,omitempty"`
	GID         *int           `json:"gid,omitempty"`
	User        text           `json:"user"`
	Process     processJSON    `json:"process"`
	Parents     []processJSON  `json:"parents"`
	Files       []fileJSON     `json:"files"`
	Claims      []variableJSON `json:"claims"`
	Program     text           `json:"program,omitempty"`
	Args        []text         `json:"args,omitempty"`
	Recipients  []text         `json:"recipients,omitempty"`
	Remote      text           `json:"remote,omitempty"`
}

type knownJSON struct {
	Certainty string `json:"certainty"`
	How       text   `json:"how"`
}

type processJSON struct {
	PID   int     `json:"pid"`
	Start float64 `json:"start"` // seconds since boot, to a hundredth
	UID   *int    `json:"uid,omitempty"`
	Comm  text    `json:"comm"`
	Exe   text    `json:"exe"`
	Dir   text    `json:"dir,omitempty"`
}

type fileJSON struct {
	FD       int  `json:"fd"`
	Path     text `json:"path"`
	Readonly bool `json:"readonly"`
	Current  bool `json:"current"`
}

type variableJSON struct {
	Key   text `json:"key"`
	Value text `json:"value"`
}

// liveSummaryJSON is the last line.
type liveSummaryJSON struct {
	Event    string      `json:"event"` // "summary"
	Started  string      `json:"started"`
	Ended    string      `json:"ended"`
	Count    int         `json:"count"`
	Sources  []doingJSON `json:"sources"`
	Own      []ownJSON   `json:"mail_system"`
	Complete bool        `json:"complete"`
	Gaps     []gapJSON   `json:"gaps"`
}

type doingJSON struct {
	Activity    string    `json:"activity"`
	Source      text      `json:"source"`
	Kind        string    `json:"kind"`
	Name        text      `json:"name"`
	SourceKnown knownJSON `json:"source_known"`
	Script      text      `json:"script"`
	ScriptKnown knownJSON `json:"script_known"`
	Client      text      `json:"client"`
	ClientKnown knownJSON `json:"client_known"`
	Clients     int       `json:"clients"`
	UID         *int      `json:"uid,omitempty"`
	User        text      `json:"user"`
	Count       int       `json:"count"`
	First       string    `json:"first"`
	Last        string    `json:"last"`
}

type ownJSON struct {
	User  text `json:"user"`
	Count int  `json:"count"`
}

// StartJSON writes the first line of spoor.live/1.
func (l *Live) StartJSON(out io.Writer) error {
	return writeLine(out, liveStartJSON{
		headJSON: l.json(LiveSchema), Event: "start", Mechanism: text(l.Mechanism), Misses: text(l.Misses),
		Refused: texts(l.Refused), Programs: texts(l.Programs), Pages: texts(l.Pages),
	})
}

// SightingJSON writes one sighting, as a line.
func SightingJSON(out io.Writer, s *spoor.Sighting) error {
	j := sightingJSON{
		Event: "sighting", Time: s.Time.UTC().Format(time.RFC3339Nano), Activity: s.Activity.String(), Mechanism: text(s.Mechanism),
		Source: text(s.Source.String()), Kind: s.Source.Kind.String(), Name: text(s.Source.Name), SourceKnown: newKnownJSON(s.SourceKnown),
		Site: text(s.Site), Script: text(s.Script), ScriptKnown: newKnownJSON(s.ScriptKnown),
		Client: text(s.Client), ClientKnown: newKnownJSON(s.ClientKnown), Request: text(s.Request),
		UID: knownUID(s.Process.UID), GID: knownUID(s.Process.GID), User: text(s.Login),
		Process: newProcessJSON(&s.Process), Parents: []processJSON{}, Files: []fileJSON{}, Claims: []variableJSON{},
		Program: text(s.Program), Args: texts(s.Args), Recipients: texts(s.Recipients),
	}
	if s.Remote.IsValid() {
		j.Remote = text(s.Remote.String())
	}
	for i := range s.Parents {
		j.Parents = append(j.Parents, newProcessJSON(&s.Parents[i]))
	}
	for _, f := range s.Files {
		j.Files = append(j.Files, fileJSON{FD: f.FD, Path: text(f.Path), Readonly: f.Readonly, Current: f.Current})
	}
	for _, c := range s.Claims {
		j.Claims = append(j.Claims, variableJSON{Key: text(c.Key), Value: text(c.Value)})
	}
	return writeLine(out, j)
}

// SummaryJSON writes the last line.
func (l *Live) SummaryJSON(out io.Writer) error {
	j := liveSummaryJSON{
		Event: "summary", Started: jsonTime(l.Started), Ended: jsonTime(l.Time), Count: l.Count,
		Sources: []doingJSON{}, Own: []ownJSON{}, Complete: l.Complete, Gaps: newGapsJSON(l.Gaps),
	}
	for i := range l.Doings {
		j.Sources = append(j.Sources, newDoingJSON(&l.Doings[i]))
	}
	for _, own := range l.Own {
		j.Own = append(j.Own, ownJSON{text(own.Login), own.Count})
	}
	return writeLine(out, j)
}

func newDoingJSON(d *spoor.Doing) doingJSON {
	return doingJSON{
		Activity: d.Activity.String(),
		Source:   text(d.Source.String()), Kind: d.Source.Kind.String(), Name: text(d.Source.Name), SourceKnown: newKnownJSON(d.Known),
		Script: text(d.Script), ScriptKnown: newKnownJSON(d.ScriptKnown),
		Client: text(d.Client), ClientKnown: newKnownJSON(d.ClientKnown), Clients: d.Clients,
		UID: knownUID(d.UID), User: text(d.Login), Count: d.Count, First: jsonTime(d.First), Last: jsonTime(d.Last),
	}
}

func newKnownJSON(k spoor.Known) knownJSON {
	return knownJSON{Certainty: k.Certainty.String(), How: text(k.How)}
}

func newProcessJSON(p *spoor.Process) processJSON {
	return processJSON{
		PID: p.PID, Start: float64(p.Start/(10*time.Millisecond)) / 100, UID: knownUID(p.UID), Comm: text(p.Comm), Exe: text(p.Exe), Dir: text(p.Dir),
	}
}

// writeLine writes an object as one line.
func writeLine(out io.Writer, v any) error {
	line, err := marshalJSON(v)
	if err != nil {
		return err
	}
	_, err = out.Write(append(line, '\n'))
	return err
}
