package remedy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"spoor"
	"spoor/internal/disk"
)

// Event is what a journal record tells.
type Event string

// The events, in the order in which a plan meets them.
const (
	EventPlanned   Event = "planned"   // the list of its messages is on disk
	EventBegin     Event = "begin"     // a batch is about to be touched
	EventStored    Event = "stored"    // what was taken of the batch is in the vault
	EventDone      Event = "done"      // the batch is finished
	EventFailed    Event = "failed"    // the plan was stopped by an error; every message is in the queue or in the vault
	EventFinished  Event = "finished"  // the plan has come to its end
	EventResumed   Event = "resumed"   // a run after one that was cut off
	EventUndone    Event = "undone"    // another plan has taken it back
	EventPurged    Event = "purged"    // its messages have left the vault for good
	EventRetention Event = "retention" // it was set how long messages stay in the vault
	EventGivenUp   Event = "given-up"  // somebody has ended it where it was: the rest is not done any more

	EventStep       Event = "step"        // a step is about to be done, or to be taken back if the plan is an undo
	EventStepDone   Event = "step-done"   // it was done, or was not: see Result
	EventRollback   Event = "rollback"    // a step could not be done, and those before it are about to be taken back
	EventStepUndone Event = "step-undone" // one of them is, or is not: see Result
)

// Record is one line of the journal.
type Record struct {
	Time  time.Time `json:"time"`
	Plan  string    `json:"plan"`
	Event Event     `json:"event"`

	// Of planned; Messages, By and Reason of given-up too.
	Action   string    `json:"action,omitempty"`
	MTA      string    `json:"mta,omitempty"`
	Host     string    `json:"host,omitempty"`
	Root     string    `json:"root,omitempty"`
	By       string    `json:"by,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Selector []string  `json:"selector,omitempty"`
	Undoes   string    `json:"undoes,omitempty"`
	Messages int       `json:"messages,omitempty"` // of purged: how many
	Steps    int       `json:"steps,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`

	// Of begin, stored and done: the batch is the targets from From to before To.
	From int `json:"from,omitempty"`
	To   int `json:"to,omitempty"`

	// Of done, failed and finished.
	Counts  map[string]int `json:"counts,omitempty"`  // by result
	Skipped []SkippedWords `json:"skipped,omitempty"` // of the batch
	Moved   []MovedWords   `json:"moved,omitempty"`   // of the batch
	Error   string         `json:"error,omitempty"`

	// Of step, step-done and step-undone; Error says why it was not done.
	Step   int    `json:"step,omitempty"` // its number, from 1
	What   string `json:"what,omitempty"`
	Result string `json:"result,omitempty"`
	Remark string `json:"remark,omitempty"`

	Of *spoor.StepRef `json:"of,omitempty"` // the step that was taken back, where that is another plan's

	// PutBack are the queue IDs of what a restore has put into the queue, of done.
	PutBack []string `json:"put_back,omitempty"`

	// Retention is of retention.
	Retention *RetentionWords `json:"retention,omitempty"`

	// By is the plan that took it back, of undone.
	UndoneBy string `json:"undone_by,omitempty"`
}

type (
	// SkippedWords is spoor.Skipped on disk.
	SkippedWords struct {
		ID     string `json:"id"`
		Result string `json:"result"`
		Why    string `json:"why,omitempty"`
	}
	// MovedWords is spoor.Moved on disk.
	MovedWords struct {
		Old string `json:"old"`
		New string `json:"new"`
	}
)

// Journal is the file of all that was done, a JSON object a line. A record is on
// disk, file and folder, when Write returns.
type Journal struct {
	file    *disk.File
	end     int64
	records []Record
	torn    bool // the file did not end with a whole record
	dirty   bool // something may be behind end that is no record
}

// openJournal opens the journal to be written. A last line that a crash has cut
// is removed: what it said had not begun.
func openJournal(dir *disk.Dir) (*Journal, error) {
	f, err := dir.OpenWrite(journalName)
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = dir.Create(journalName, 0o600); err == nil {
			err = dir.Sync()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{file: f}
	if err := j.load(); err != nil {
		_ = f.Close()
		return nil, err
	}
	if j.torn {
		if err := f.Truncate(j.end); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("cut the last line of the journal: %w", err)
		}
	}
	return j, nil
}

// readJournal reads it without a lock. A last line that is being written is left
// out.
func readJournal(dir *disk.Dir) (*Journal, error) {
	f, err := dir.Open(journalName)
	if errors.Is(err, fs.ErrNotExist) {
		return &Journal{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	defer func() { _ = f.Close() }()
	j := &Journal{file: f}
	err = j.load()
	j.file = nil
	return j, err
}

// ErrDamaged is returned for a journal with a broken line before its last one:
// something else than a crash has changed it.
var ErrDamaged = errors.New("the journal is damaged")

func (j *Journal) load() error {
	data, err := io.ReadAll(io.NewSectionReader(j.file, 0, 1<<40))
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	for number := 1; len(data) > 0; number++ {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		record, ok := decode(line)
		if !whole || !ok {
			if len(bytes.TrimRight(rest, "\n\x00")) > 0 {
				return fmt.Errorf("%s: line %d: %w", j.file.Name(), number, ErrDamaged)
			}
			j.torn = true
			return nil
		}
		j.records = append(j.records, record)
		j.end += int64(len(line)) + 1
		data = rest
	}
	return nil
}

// Write appends a record and makes it durable.
func (j *Journal) Write(r Record) error {
	line, err := encode(r)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if j.dirty {
		if err := j.file.Truncate(j.end); err != nil {
			return fmt.Errorf("cut what an error left of the journal: %w", err)
		}
		j.dirty = false
	}
	_, err = j.file.WriteAt(line, j.end)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.dirty = j.file.Truncate(j.end) != nil // the next record, or the next run, cuts it
		return fmt.Errorf("write journal: %w", err)
	}
	j.end += int64(len(line))
	j.records = append(j.records, r)
	return nil
}

// Records are all records, oldest first.
func (j *Journal) Records() []Record { return j.records }

func (j *Journal) close() {
	if j.file != nil {
		_ = j.file.Close()
	}
}

// sumMark stands before the checksum, which is the last field of a line: the
// xxhash64 of the bytes before it.
const sumMark = `,"sum":"`

func encode(r Record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	body = body[:len(body)-1] // the brace
	sum := xxhash.Sum64(body)
	body = append(body, sumMark...)
	body = strconv.AppendUint(body, sum, 16)
	return append(body, "\"}\n"...), nil
}

func decode(line []byte) (r Record, ok bool) {
	i := bytes.LastIndex(line, []byte(sumMark))
	if i < 0 || !bytes.HasSuffix(line[i+len(sumMark):], []byte(`"}`)) {
		return Record{}, false
	}
	sum, err := strconv.ParseUint(string(line[i+len(sumMark):len(line)-2]), 16, 64)
	if err != nil || sum != xxhash.Sum64(line[:i]) {
		return Record{}, false
	}
	err = json.Unmarshal(line, &r)
	return r, err == nil
}

// words turns a receipt's lists into those of a record.
func (r *Record) words(receipt *spoor.Receipt) {
	r.Counts = map[string]int{}
	if receipt.Done > 0 {
		r.Counts[spoor.ResultDone.String()] = receipt.Done
	}
	for result, n := range receipt.SkippedBy {
		if n > 0 {
			r.Counts[spoor.Result(result).String()] = n
		}
	}
	for _, s := range receipt.Skipped {
		r.Skipped = append(r.Skipped, SkippedWords{ID: string(s.ID), Result: s.Result.String(), Why: s.Why})
	}
	for _, m := range receipt.Moved {
		r.Moved = append(r.Moved, MovedWords{Old: string(m.Old), New: string(m.New)})
	}
}

// addTo is its inverse.
func (r *Record) addTo(receipt *spoor.Receipt) {
	for word, n := range r.Counts {
		switch result, ok := spoor.ParseResult(word); {
		case !ok:
		case result == spoor.ResultDone:
			receipt.Done += n
		default:
			receipt.SkippedBy[result] += n
		}
	}
	for _, s := range r.Skipped {
		result, _ := spoor.ParseResult(s.Result)
		if len(receipt.Skipped) < spoor.MaxSkipped {
			receipt.Skipped = append(receipt.Skipped, spoor.Skipped{ID: spoor.QueueID(s.ID), Result: result, Why: s.Why})
		}
	}
	for _, m := range r.Moved {
		receipt.Renamed++
		if len(receipt.Moved) < spoor.MaxSkipped {
			receipt.Moved = append(receipt.Moved, spoor.Moved{Old: spoor.QueueID(m.Old), New: spoor.QueueID(m.New)})
		}
	}
}
