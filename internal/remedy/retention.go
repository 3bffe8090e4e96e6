package remedy

import (
	"fmt"
	"time"

	"spoor/internal/vault"
)

// RetentionWords is vault.Retention in the journal. A zero field sets no limit.
type RetentionWords struct {
	OlderSeconds int64   `json:"older_seconds,omitempty"`
	MaxBytes     int64   `json:"max_bytes,omitempty"`
	MaxShare     float64 `json:"max_share,omitempty"` // of the file system, from 0 to 1
}

// Retention is how long messages are to stay in the vault, as it was set last. The
// zero value is none.
func (s *State) Retention() vault.Retention {
	var r vault.Retention
	for i := range s.Journal.records {
		if words := s.Journal.records[i].Retention; s.Journal.records[i].Event == EventRetention && words != nil {
			r = vault.Retention{MaxAge: time.Duration(words.OlderSeconds) * time.Second, MaxBytes: words.MaxBytes, MaxShare: words.MaxShare}
		}
	}
	return r
}

// SetRetention records how long messages are to stay. Nothing is purged by that.
// record says when, by whom, why, and of which server.
func (s *State) SetRetention(r vault.Retention, record Record) error {
	record.Event, record.Action = EventRetention, string(EventRetention)
	record.Retention = &RetentionWords{OlderSeconds: int64(r.MaxAge / time.Second), MaxBytes: r.MaxBytes, MaxShare: r.MaxShare}
	base := record.Time.UTC().Format("20060102T150405") + "-" + string(EventRetention)
	record.Plan = base
	for i := 2; s.Journal.Of(record.Plan).Planned; i++ {
		record.Plan = fmt.Sprintf("%s-%d", base, i)
	}
	return s.Journal.Write(record)
}

// Overdue is how many bytes of the vault are past its retention, by the containers
// of whole plans: those whose run has ended too long ago, or as much as is over the
// limits of size, whichever is more. It reads no container.
func (s *State) Overdue(now time.Time) (int64, error) {
	r := s.Retention()
	if r == (vault.Retention{}) {
		return 0, nil
	}
	over, err := s.Vault.Over(r)
	if err != nil {
		return 0, err
	}
	old, err := s.tooOld(r, now)
	return max(over, old, 0), err
}

// tooOld is the size of the containers whose messages are all too old.
func (s *State) tooOld(r vault.Retention, now time.Time) (bytes int64, err error) {
	if r.MaxAge <= 0 {
		return 0, nil
	}
	plans, err := s.Vault.Plans()
	if err != nil {
		return 0, err
	}
	ended := map[string]time.Time{}
	for _, past := range s.Journal.Plans() {
		if past.Finished {
			ended[past.Plan] = past.End
		}
	}
	for _, plan := range plans {
		st, err := s.Vault.Stat(plan)
		if err != nil {
			return 0, fmt.Errorf("measure the vault: %w", err)
		}
		end, ok := ended[plan]
		if !ok && !s.Journal.Of(plan).Planned { // held messages, which no plan has put there
			end, ok = st.Modified, true
		}
		if ok && now.Sub(end) > r.MaxAge {
			bytes += st.SizeBytes
		}
	}
	return bytes, nil
}
