package verdict

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"spoor"
)

// bodies are contents for tests, by queue ID.
type bodies map[spoor.QueueID]string

var errNoBody = errors.New("no such message")

func (b bodies) Body(m *spoor.Message) ([]byte, error) {
	text, ok := b[m.ID]
	if !ok {
		return nil, errNoBody
	}
	return []byte(text), nil
}

// stage builds the queue that a test judges.
type stage struct {
	queue  Queue
	bodies bodies
}

func newStage(messages, recipients int) *stage {
	s := &stage{bodies: bodies{}}
	s.queue = Queue{Total: spoor.QueueCount{Messages: messages, Recipients: recipients}, Contents: s.bodies}
	return s
}

// writer writes the body of the n-th message of a source.
type writer func(n int) string

// add puts a source on the stage, with a sample of its messages.
func (s *stage) add(t spoor.Traffic, write writer) {
	hashes := map[uint64]int{}
	for n := range t.Messages {
		body := write(n)
		hash := xxhash.Sum64String(body)
		hashes[hash]++
		t.LargestCopy = max(t.LargestCopy, hashes[hash])
		if n < maxSourceSamples {
			t.Samples = append(t.Samples, s.message(t.Source, n, body))
		}
	}
	t.Contents = len(hashes)
	s.queue.Traffic = append(s.queue.Traffic, t)
}

func (s *stage) message(source spoor.Source, n int, body string) *spoor.Message {
	id := spoor.QueueID(fmt.Sprintf("%s-%d", source.Name, n))
	s.bodies[id] = body
	return &spoor.Message{
		ID: id, Folder: "/var/qmail/queue/mess/1", Arrived: time.Unix(1795000000+int64(n), 0).UTC(),
		Subject: "subject of " + string(id), HasEnvelope: true,
		ContentHash: xxhash.Sum64String(body), ContentBytes: len(body),
	}
}

// judge returns the verdict of the first source.
func (s *stage) judge(t *testing.T) spoor.Verdict {
	t.Helper()
	got, err := Judge(t.Context(), s.queue)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range got.Verdicts {
		if v.Source == s.queue.Traffic[0].Source {
			return v
		}
	}
	t.Fatalf("no verdict of %s", s.queue.Traffic[0].Source)
	return spoor.Verdict{}
}

// source is traffic of a source that sends everything to other servers.
func source(kind spoor.Kind, name string, messages, perMessage int) spoor.Traffic {
	return spoor.Traffic{
		Source: spoor.Source{Kind: kind, Name: name}, UID: -1, Confidence: 1,
		Messages: messages, Recipients: messages * perMessage, Outbound: messages,
	}
}

// ownedBy makes all senders one address of the source.
func ownedBy(address string, t spoor.Traffic) spoor.Traffic {
	t.OwnSender, t.Senders = t.Messages, ranking(map[string]int{address: t.Messages})
	return t
}

// forgedBy makes each sender another address, over five foreign domains.
func forgedBy(t spoor.Traffic) spoor.Traffic {
	t.ForeignSender = t.Messages
	t.Senders = spoor.Ranking{Distinct: t.Messages}
	for i := range min(t.Messages, 10) {
		tally := spoor.Tally{Value: fmt.Sprintf("anna%d@mail%d.example", i, i%5), Count: 1}
		t.Senders.Top = append(t.Senders.Top, tally)
	}
	return t
}

// from sets the client addresses.
func from(t spoor.Traffic, clients ...string) spoor.Traffic {
	t.Clients = spoor.Ranking{Distinct: len(clients)}
	for i, n := range evenly(t.Messages, len(clients)) {
		t.Clients.Top = append(t.Clients.Top, spoor.Tally{Value: clients[i], Count: n})
	}
	return t
}

func ranking(counts map[string]int) spoor.Ranking {
	r := spoor.Ranking{Distinct: len(counts)}
	for value, n := range counts {
		r.Top = append(r.Top, spoor.Tally{Value: value, Count: n})
	}
	return r
}

const vocabulary = `account bank watch loan replica winner price offer delivery customer order invoice
	report meeting team please thanks regards contact update transfer fund urgent limited special product service`

// soup writes words drawn at random, as the spam of the captured servers does.
func soup(seed uint64) writer {
	return func(n int) string { return randomWords(rand.New(rand.NewPCG(seed, uint64(n))), 250) }
}

func randomWords(random *rand.Rand, n int) string {
	known, words := strings.Fields(vocabulary), make([]string, n)
	for i := range words {
		words[i] = known[random.IntN(len(known))]
	}
	return strings.Join(words, " ")
}

// letter writes the same text each time, with another name and number in it.
func letter(seed uint64) writer {
	text := soup(seed)(0)
	return func(n int) string {
		return fmt.Sprintf("Dear %s%c%c, your code is %d. %s", "customer", 'a'+n%26, 'a'+n/26%26, n*7919, text)
	}
}

// same writes one text.
func same(text string) writer { return func(int) string { return text } }
