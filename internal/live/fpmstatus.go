package live

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// errNoStatus is returned for a page that is not the status of a pool.
var errNoStatus = errors.New("not a status page of php-fpm")

// fpmProcess is a worker in php-fpm's status: sapi/fpm/fpm/fpm_status.c.
type fpmProcess struct {
	PID            int    `json:"pid"`
	State          string `json:"state"`            // "Running", "Idle", …
	DurationMicros int64  `json:"request duration"` // of the request that runs, or that ran last
	Method         string `json:"request method"`
	URI            string `json:"request uri"`
	Script         string `json:"script"`
}

// fpmStatus is the status of a pool.
type fpmStatus struct {
	Pool      string       `json:"pool"`
	Processes []fpmProcess `json:"processes"`
}

// parseFPMStatus reads what php-fpm answers to status?full&json, with the header
// of CGI before it (RFC 3875 §6.2).
func parseFPMStatus(answer []byte) (fpmStatus, error) {
	_, body, ok := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !ok {
		return fpmStatus{}, errNoStatus
	}
	var status fpmStatus
	if err := json.Unmarshal(body, &status); err != nil {
		return fpmStatus{}, fmt.Errorf("%w: %w", errNoStatus, err)
	}
	if status.Pool == "" {
		return fpmStatus{}, errNoStatus
	}
	return status, nil
}

// worker is what a process of a pool does, or did last; false for one that has
// done nothing but answer this question.
func (p *fpmProcess) worker(statusPath string) (Worker, bool) {
	path := withoutQuery(p.URI)
	if p.PID <= 0 || p.Method == "" || p.Method == "-" || path == statusPath || p.Script == statusPath {
		return Worker{}, false
	}
	script := p.Script
	if script == "-" {
		script = ""
	}
	return Worker{
		PID: p.PID, Server: "php-fpm", Script: script, Method: cutText(p.Method, 32), Path: cutText(path, maxClaim),
		Ended: !strings.EqualFold(p.State, "Running"),
	}, true
}

// cutText is the start of a text.
func cutText(text string, most int) string { return text[:min(len(text), most)] }
