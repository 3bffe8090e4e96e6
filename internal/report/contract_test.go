package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"spoor"
)

// The types below are the contracts of docs/architecture.md, written down
// again: the keys of the contract, and those that were added since.

type contractEvidence struct {
	What, ID, File *string
	Line           *int
	Text           *string
}

type contractCandidate struct {
	Source, Kind, Name *string
	Confidence         *float64
	Text               *string
	Evidence           []contractEvidence
}

type contractReason struct {
	Symbol *string
	Weight *float64
	Count  *int
	Text   *string

	Family string
	Check  string
}

type contractSource struct {
	Source, Kind, Name *string
	UID                *int `optional:"yes"`
	User               *string
	Queued             *int
	Sent               *int `optional:"yes"`
	Recipients         *int
	First, Last        *string
	Verdict            *string
	Confidence         *float64
	Reasons            []contractReason
	Evidence           []contractEvidence

	Score      float64
	Conflicts  []contractEvidence  `optional:"yes"`
	Candidates []contractCandidate `optional:"yes"`
	Cause      string
	CauseCount int `json:"cause_count"`

	Delivered, Failed, Deferrals, Waiting, Logins, Bounces, Inferred int
	FailedBy                                                         map[string]int `json:"failed_by"`
	DeferredBy                                                       map[string]int `json:"deferred_by"`
	FailedLogins                                                     int            `json:"failed_logins"`
	ClientAddresses                                                  int            `json:"client_addresses"`
	ClientNetworks                                                   int            `json:"client_networks"`
	Attribution                                                      float64
	SentFirst                                                        string `json:"sent_first"`
	SentLast                                                         string `json:"sent_last"`
}

type contractObstacle struct {
	Name, Severity *string
	Count          *int
	Text, Try      *string
	Evidence       []contractEvidence
}

type contractLog struct {
	Lines, Understood, Events, Foreign, Unknown, Damaged *int64
	First, Last                                          *string
}

type contractQueue struct {
	Messages, Unprocessed, Local, Remote, Bouncing, Held *int
	Recipients, Done, Bytes                              *int
	Oldest                                               *string
	Unreadable                                           *int
}

type contractFinding struct {
	Check, Severity, Subject, Text, Fix *string
	Evidence                            []contractEvidence
}

type contractGap struct {
	File, Reason *string
	Count        *int
}

type contractWho struct {
	Schema, Root, Host, Time, MTA, Panel *string
	Queue                                *contractQueue
	Sources                              []contractSource
	Slow                                 []contractObstacle
	Log                                  *contractLog `optional:"yes"`
	Findings                             []contractFinding
	Complete                             *bool
	Gaps                                 []contractGap
}

type contractRecipient struct {
	Address *string
	Channel *string `optional:"yes"`
	Done    *bool
}

type contractOrigin struct {
	Kind, Name          *string
	UID                 *int `optional:"yes"`
	IP, Account, Script *string
	Confidence          *float64
	Evidence            []contractEvidence
}

type contractMessage struct {
	ID, Time                    *string
	Size                        *int64
	Sender                      *string `optional:"yes"`
	State                       *string
	Bouncing, Unprocessed, Held *bool
	Recipients                  []contractRecipient
	Source                      *string         `optional:"yes"`
	Origin                      *contractOrigin `optional:"yes"`
	Subject                     *string
	MessageID                   *string `json:"message_id"`
}

// strict decodes one document and fails for keys that are unknown or missing.
func strict(t interface {
	Helper()
	Fatalf(string, ...any)
}, document []byte, into any,
) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	if key := missing(reflect.ValueOf(into).Elem()); key != "" {
		t.Fatalf("no %s in %s", key, document)
	}
}

// missing names a pointer or slice below v that nothing was decoded into.
func missing(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		return missing(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if key := missing(v.Index(i)); key != "" {
				return key
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field, kind := v.Type().Field(i), v.Field(i).Kind()
			unset := (kind == reflect.Pointer || kind == reflect.Slice) && v.Field(i).IsNil()
			if unset && field.Tag.Get("optional") == "" {
				return field.Name
			}
			if key := missing(v.Field(i)); key != "" && !unset {
				return field.Name + "." + key
			}
		}
	default:
	}
	return ""
}

func TestWhoKeepsItsContract(t *testing.T) {
	for _, who := range []*Who{sampleWho(), emptyWho(), partialWho(), cleanWho(), manyWho(), loggedWho(), {}} {
		var got contractWho
		strict(t, []byte(written(t, who.JSON)), &got)
		if *got.Schema != "spoor.who/1" || len(got.Sources) != len(who.Sources)+who.MinorSources || *got.Complete != who.Complete {
			t.Errorf("wrong document for %+v", who)
		}
	}
}

func TestWhoListsUIDOnlyWhereThereIsOne(t *testing.T) {
	var got contractWho
	strict(t, []byte(written(t, sampleWho().JSON)), &got)
	if uid := got.Sources[0].UID; uid == nil || *uid != 10003 {
		t.Errorf("uid of the site is %v", uid)
	}
	if uid := got.Sources[1].UID; uid != nil {
		t.Errorf("the account has uid %d", *uid)
	}
	if evidence := got.Sources[0].Evidence; len(evidence) != 6 {
		t.Errorf("%d facts, want each of 6 once", len(evidence))
	}
}

func TestMessagesKeepTheirContract(t *testing.T) {
	lines := bufio.NewScanner(strings.NewReader(written(t, func(w io.Writer) error { return list(w, FormatNDJSON, Style{}) })))
	for lines.Scan() {
		strict(t, lines.Bytes(), &contractMessage{})
	}
	array := []byte(written(t, func(w io.Writer) error { return list(w, FormatJSON, Style{}) }))
	var all []contractMessage
	strict(t, array, &all)
	if len(all) != len(sampleMessages()) {
		t.Errorf("%d messages in the array", len(all))
	}
}

func TestAnyMessageReadsBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, a := drawMessage(t), drawAttribution(t)
		var got contractMessage
		strict(t, appendMessage(nil, m, a), &got)
		same(t, "id", *got.ID, string(m.ID))
		same(t, "time", *got.Time, m.Arrived.UTC().Format(time.RFC3339))
		same(t, "size", *got.Size, m.SizeBytes)
		same(t, "state", *got.State, m.State.String())
		same(t, "flags", [3]bool{*got.Bouncing, *got.Unprocessed, *got.Held}, [3]bool{m.Bouncing, m.Unprocessed, m.Held})
		same(t, "subject", *got.Subject, m.Subject)
		same(t, "message_id", *got.MessageID, m.MessageID)
		same(t, "sender known", got.Sender != nil, m.HasEnvelope)
		if m.HasEnvelope {
			same(t, "sender", *got.Sender, m.Sender)
		}
		sameRecipients(t, got.Recipients, m)
		same(t, "attributed", got.Origin != nil, a != nil)
		if a != nil {
			same(t, "source", *got.Source, a.Source.String())
			same(t, "name", *got.Origin.Name, a.Source.Name)
			same(t, "uid known", got.Origin.UID != nil, a.UID >= 0)
			same(t, "confidence", *got.Origin.Confidence, a.Confidence)
			same(t, "evidence", len(got.Origin.Evidence), len(a.Evidence))
		}
	})
}

func same[T comparable](t *rapid.T, what string, got, want T) {
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func sameRecipients(t *rapid.T, got []contractRecipient, m *spoor.Message) {
	same(t, "recipients", len(got), m.Recipients.Len())
	i := 0
	for want := range m.Recipients.All() {
		same(t, "address", *got[i].Address, want.Address)
		same(t, "done", *got[i].Done, want.Done)
		same(t, "channel known", got[i].Channel != nil, want.Channel != spoor.ChannelUndecided)
		if got[i].Channel != nil {
			same(t, "channel", *got[i].Channel, want.Channel.String())
		}
		i++
	}
}

func drawMessage(t *rapid.T) *spoor.Message {
	words, flag := rapid.String(), rapid.Bool()
	m := &spoor.Message{
		ID: spoor.QueueID(words.Draw(t, "id")), Arrived: time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "time"), 0),
		SizeBytes: rapid.Int64().Draw(t, "size"), HasEnvelope: flag.Draw(t, "envelope"), Sender: words.Draw(t, "sender"),
		State: rapid.SampledFrom(spoor.States()).Draw(t, "state"), Bouncing: flag.Draw(t, "bouncing"),
		Unprocessed: flag.Draw(t, "unprocessed"), Held: flag.Draw(t, "held"),
		Subject: words.Draw(t, "subject"), MessageID: words.Draw(t, "message-id"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "recipients") {
		address := strings.ReplaceAll(words.Draw(t, "address"), "\x00", "")
		m.Recipients.Add(rapid.SampledFrom([]spoor.Channel{0, 1, 2}).Draw(t, "channel"), flag.Draw(t, "done"), []byte(address))
	}
	return m
}

func drawAttribution(t *rapid.T) *spoor.Attribution {
	if rapid.Bool().Draw(t, "none") {
		return nil
	}
	words := rapid.String()
	return &spoor.Attribution{
		Source:     spoor.Source{Kind: rapid.SampledFrom(spoor.Kinds()).Draw(t, "kind"), Name: words.Draw(t, "name")},
		UID:        rapid.IntRange(-1, 70000).Draw(t, "uid"),
		Confidence: float64(rapid.IntRange(0, 100).Draw(t, "confidence")) / 100,
		Evidence:   []spoor.Evidence{{What: words.Draw(t, "what"), Text: words.Draw(t, "text"), Line: 3}},
	}
}
