package report

import (
	"encoding/json"
	"io"

	"spoor"
)

// ShowSchema names the contract of Show.JSON.
const ShowSchema = "spoor.show/1"

// showJSON has the keys of a source of spoor.who/1, and the bundle.
type showJSON struct {
	Schema string `json:"schema"`
	Root   text   `json:"root"`
	Host   text   `json:"host"`
	Time   string `json:"time"`
	MTA    text   `json:"mta"`
	Panel  text   `json:"panel"`
	sourceJSON
	Attribution float64           `json:"attribution"`
	Bytes       int64             `json:"bytes"`
	Done        int               `json:"done"`
	Counts      map[string]int    `json:"counts"`
	Senders     rankingJSON       `json:"senders"`
	Clients     rankingJSON       `json:"clients"`
	Scripts     rankingJSON       `json:"scripts"`
	Subjects    rankingJSON       `json:"subjects"`
	Samples     []json.RawMessage `json:"samples"`
	Complete    bool              `json:"complete"`
	Gaps        []gapJSON         `json:"gaps"`
}

type rankingJSON struct {
	Distinct int         `json:"distinct"`
	Top      []tallyJSON `json:"top"`
}

type tallyJSON struct {
	Value text `json:"value"`
	Count int  `json:"count"`
}

// JSON writes the bundle as one document of the schema spoor.show/1: the keys
// that the source has in spoor.who/1, with the evidence of each reason beside
// it, and its samples as spoor queue ls writes them.
func (s *Show) JSON(out io.Writer) error {
	t := &s.Source.Traffic
	document := showJSON{
		Schema: ShowSchema,
		Root:   text(s.Root), Host: text(s.Host), Time: jsonTime(s.Time),
		MTA: text(s.MTA), Panel: text(s.Panel),
		sourceJSON:  newSourceJSON(&s.Source),
		Attribution: finite(t.Confidence), Bytes: t.Bytes, Done: t.Done,
		Counts:  map[string]int{},
		Senders: newRankingJSON(t.Senders), Clients: newRankingJSON(t.Clients),
		Scripts: newRankingJSON(t.Scripts), Subjects: newRankingJSON(t.Subjects),
		Samples:  make([]json.RawMessage, 0, len(t.Samples)),
		Complete: s.Complete, Gaps: newGapsJSON(s.Gaps),
	}
	for _, c := range counters(t) {
		document.Counts[c.key] = c.n
	}
	for _, m := range t.Samples {
		document.Samples = append(document.Samples, appendMessage(nil, m, nil))
	}
	return writeJSON(out, document)
}

func newRankingJSON(r spoor.Ranking) rankingJSON {
	list := rankingJSON{Distinct: r.Distinct, Top: make([]tallyJSON, 0, len(r.Top))}
	for _, t := range r.Top {
		list.Top = append(list.Top, tallyJSON{Value: text(t.Value), Count: t.Count})
	}
	return list
}
