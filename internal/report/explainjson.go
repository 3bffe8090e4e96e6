package report

import (
	"encoding/json"
	"io"

	"spoor"
)

// ExplainSchema names the contract of Explain.JSON.
const ExplainSchema = "spoor.explain/1"

type explainJSON struct {
	Schema     string          `json:"schema"`
	Root       text            `json:"root"`
	Host       text            `json:"host"`
	Time       string          `json:"time"`
	MTA        text            `json:"mta"`
	Panel      text            `json:"panel"`
	Message    json.RawMessage `json:"message"`
	File       text            `json:"file"`
	Cause      text            `json:"cause,omitempty"`
	Conflicts  []evidenceJSON  `json:"conflicts"`
	Candidates []candidateJSON `json:"candidates"`
	Trail      trailJSON       `json:"trail"`
}

type trailJSON struct {
	Hops      []hopJSON   `json:"hops"`
	Claims    []claimJSON `json:"claims"`
	Forgeable []claimJSON `json:"forgeable"`
	Broken    text        `json:"broken"`
}

type hopJSON struct {
	Via           string `json:"via"`
	PID           int    `json:"pid,omitempty"`
	UID           *int   `json:"uid,omitempty"`
	User          text   `json:"user,omitempty"`
	Line          int    `json:"line"`
	Text          text   `json:"text"`
	Client        text   `json:"client,omitempty"`
	HELO          text   `json:"helo,omitempty"`
	ReverseName   text   `json:"reverse_name,omitempty"`
	Account       text   `json:"account,omitempty"`
	Authenticated *bool  `json:"authenticated,omitempty"`
	Address       text   `json:"address,omitempty"`
	Reason        text   `json:"reason,omitempty"`
}

type claimJSON struct {
	Field text `json:"field"`
	Value text `json:"value"`
	Line  int  `json:"line"`
}

// JSON writes the attribution as one document of the schema spoor.explain/1.
// Its message is what spoor queue ls -o ndjson writes of it.
func (e *Explain) JSON(out io.Writer) error {
	document := explainJSON{
		Schema: ExplainSchema,
		Root:   text(e.Root), Host: text(e.Host), Time: jsonTime(e.Time),
		MTA: text(e.MTA), Panel: text(e.Panel),
		Message:   appendMessage(nil, e.Message, e.Attribution),
		File:      text(e.Message.Path()),
		Conflicts: []evidenceJSON{}, Candidates: []candidateJSON{},
		Trail: e.trailJSON(),
	}
	if a := e.Attribution; a != nil {
		document.Conflicts = newEvidenceJSON(a.Conflicts)
		document.Candidates = newCandidatesJSON(a.Candidates)
		if a.Cause != (spoor.Source{}) {
			document.Cause = text(a.Cause.String())
		}
	}
	return writeJSON(out, document)
}

func (e *Explain) trailJSON() trailJSON {
	trail := &e.Message.Trail
	hops := make([]hopJSON, 0, len(trail.Hops))
	for i := range trail.Hops {
		hops = append(hops, e.hopJSON(&trail.Hops[i]))
	}
	return trailJSON{
		Hops: hops, Claims: newClaimsJSON(trail.Claims), Forgeable: newClaimsJSON(trail.Forgeable),
		Broken: text(trail.Broken),
	}
}

// hopJSON has the keys that mean something for the way the hop came.
func (e *Explain) hopJSON(h *spoor.Hop) hopJSON {
	j := hopJSON{
		Via: h.Via.String(), PID: max(h.PID, 0), Line: h.Line, Text: text(h.Text),
		Address: text(h.Address), Reason: text(h.Reason),
	}
	switch h.Via {
	case spoor.ViaUID, spoor.ViaForward:
		j.UID, j.User = knownUID(h.UID), text(e.Logins[h.UID])
	case spoor.ViaNetwork:
		j.HELO, j.ReverseName, j.Account = text(h.HELO), text(h.ReverseName), text(h.Account)
		j.Authenticated = &h.Authenticated
		if h.Client.IsValid() {
			j.Client = text(h.Client.String())
		}
	case spoor.ViaUnknown, spoor.ViaList, spoor.ViaBounce, spoor.ViaReply:
	}
	return j
}

func newClaimsJSON(claims []spoor.Claim) []claimJSON {
	list := make([]claimJSON, 0, len(claims))
	for _, c := range claims {
		list = append(list, claimJSON{Field: text(c.Field), Value: text(c.Value), Line: c.Line})
	}
	return list
}
