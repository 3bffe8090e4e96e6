package remedy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"spoor"
	"spoor/internal/disk"
)

// planHead is the first line of a plan's file; a line for each target follows.
type planHead struct {
	Plan     string    `json:"plan"`
	Action   string    `json:"action"`
	Time     time.Time `json:"time"`
	Host     string    `json:"host"`
	Root     string    `json:"root"`
	MTA      string    `json:"mta"`
	By       string    `json:"by"`
	Reason   string    `json:"reason,omitempty"`
	Selector []string  `json:"selector,omitempty"`
	Undoes   string    `json:"undoes,omitempty"`
	Through  bool      `json:"through_vault,omitempty"`
	Stop     bool      `json:"stop,omitempty"`
	Messages int       `json:"messages"`
	Queue    int       `json:"queue_messages"`

	Steps   []spoor.Step `json:"steps,omitempty"`
	Open    []string     `json:"open,omitempty"`
	ByHand  []string     `json:"by_hand,omitempty"`
	Breaks  []string     `json:"breaks,omitempty"`
	Expires time.Time    `json:"expires,omitzero"`
	Only    bool         `json:"steps_only,omitempty"`
	Again   bool         `json:"again,omitempty"`
	Remarks []string     `json:"remarks,omitempty"`
}

// planTarget is a target with its words.
type planTarget struct {
	spoor.Target
	StateWord  string  `json:"state"`
	SourceWord string  `json:"source,omitempty"`
	ClassWord  string  `json:"verdict,omitempty"`
	Confidence float64 `json:"confidence,omitempty"`
}

// planEnd is the last line: a file without it was never a plan.
type planEnd struct {
	Sum string `json:"sum"` // xxhash64 of all lines before
}

const planSuffix = ".jsonl"

// newID names a plan by its time and action, and makes it unlike all others.
func (s *State) newID(now time.Time, action spoor.Action) (string, error) {
	base := now.UTC().Format("20060102T150405") + "-" + action.String()
	for i := 1; i < 1000; i++ {
		id := base
		if i > 1 {
			id = fmt.Sprintf("%s-%d", base, i)
		}
		if _, err := s.plans.Stat(id + planSuffix); errors.Is(err, fs.ErrNotExist) {
			return id, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("%s: too many plans of one second", base)
}

// ValidPlanID reports whether a word can be the ID of a plan. Others must never
// become a file name.
func ValidPlanID(word string) bool {
	if word == "" || len(word) > 100 || word[0] == '-' {
		return false
	}
	return strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// savePlan puts a plan on disk, whole or not at all.
func (s *State) savePlan(p *spoor.Plan) error {
	name := p.ID + planSuffix
	temporary := "new-" + name
	if err := s.plans.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write plan: %w", err)
	}
	f, err := s.plans.Create(temporary, 0o600)
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	err = writePlan(f, p)
	if err == nil {
		err = f.Sync()
	}
	_ = f.Close()
	if err == nil {
		err = s.plans.Rename(temporary, s.plans, name)
	}
	if err == nil {
		err = s.plans.Sync()
	}
	if err != nil {
		_ = s.plans.Remove(temporary)
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

func writePlan(w io.Writer, p *spoor.Plan) error {
	sum := xxhash.New()
	out := bufio.NewWriterSize(w, 256<<10)
	lines := json.NewEncoder(io.MultiWriter(out, sum))
	lines.SetEscapeHTML(false)
	if err := lines.Encode(headOf(p)); err != nil {
		return err
	}
	for i := range p.Targets {
		t := &p.Targets[i]
		line := planTarget{Target: *t, StateWord: t.State.String(), ClassWord: t.Class.String(), Confidence: t.Confidence}
		if t.Source != (spoor.Source{}) {
			line.SourceWord = t.Source.String()
		}
		if err := lines.Encode(line); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(out, "{\"sum\":\"%x\"}\n", sum.Sum64()); err != nil {
		return err
	}
	return out.Flush()
}

func headOf(p *spoor.Plan) planHead {
	return planHead{
		Plan: p.ID, Action: p.Action.String(), Time: p.Time, Host: p.Host, Root: p.Root, MTA: p.MTA, By: p.By,
		Reason: p.Reason, Selector: p.Selector, Undoes: p.Undoes, Through: p.ThroughVault, Stop: p.Stop, Messages: len(p.Targets), Queue: p.QueueMessages,
		Steps: p.Steps, Open: p.Open, ByHand: p.ByHand, Breaks: p.Breaks, Expires: p.Expires, Only: p.StepsOnly, Again: p.Again, Remarks: p.Remarks,
	}
}

// ErrNoPlan is returned for a plan that there is no record of.
var ErrNoPlan = errors.New("no such plan")

// ErrPlanDamaged is returned for a plan whose file is not as it was written.
var ErrPlanDamaged = errors.New("the file of the plan is damaged")

// Plan reads a plan back. It returns ErrNoPlan or ErrPlanDamaged.
func (s *State) Plan(id string) (*spoor.Plan, error) {
	if !ValidPlanID(id) {
		return nil, fmt.Errorf("%q: %w", id, ErrNoPlan)
	}
	f, err := s.plans.Open(id + planSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", id, ErrNoPlan)
	}
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	defer func() { _ = f.Close() }()
	p, err := readPlan(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return p, nil
}

func readPlan(f *disk.File) (*spoor.Plan, error) {
	lines := bufio.NewReaderSize(f, 256<<10)
	sum := xxhash.New()
	var p *spoor.Plan
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil, fmt.Errorf("%w: it has no end", ErrPlanDamaged)
		}
		if bytes.HasPrefix(line, []byte(`{"sum":`)) {
			var end planEnd
			if json.Unmarshal(line, &end) != nil || p == nil || end.Sum != strconv.FormatUint(sum.Sum64(), 16) {
				return nil, fmt.Errorf("%w: its checksum is wrong", ErrPlanDamaged)
			}
			return p, nil
		}
		_, _ = sum.Write(line)
		if p == nil {
			p, err = readHead(line)
		} else {
			err = readTarget(p, line)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPlanDamaged, err)
		}
	}
}

func readHead(line []byte) (*spoor.Plan, error) {
	var h planHead
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, err
	}
	action, ok := spoor.ParseAction(h.Action)
	if !ok || !ValidPlanID(h.Plan) {
		return nil, fmt.Errorf("%q is no action, or %q no plan", h.Action, h.Plan)
	}
	return &spoor.Plan{
		ID: h.Plan, Action: action, Time: h.Time, Host: h.Host, Root: h.Root, MTA: h.MTA, By: h.By, Reason: h.Reason,
		Selector: h.Selector, Undoes: h.Undoes, ThroughVault: h.Through, Stop: h.Stop, QueueMessages: h.Queue,
		Steps: h.Steps, Open: h.Open, ByHand: h.ByHand, Breaks: h.Breaks, Expires: h.Expires, StepsOnly: h.Only, Again: h.Again, Remarks: h.Remarks,
	}, nil
}

func readTarget(p *spoor.Plan, line []byte) error {
	var t planTarget
	if err := json.Unmarshal(line, &t); err != nil {
		return err
	}
	t.State, _ = spoor.ParseState(t.StateWord)
	t.Source, _ = spoor.ParseSource(t.SourceWord)
	t.Class, _ = spoor.ParseClass(t.ClassWord)
	t.Target.Confidence = t.Confidence
	p.Targets = append(p.Targets, t.Target)
	return nil
}
