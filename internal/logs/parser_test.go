package logs

import (
	"bytes"
	"strconv"

	"spoor"
)

// testParser understands a little of qmail: lines of the program "qmail" with
// "STAMP new msg N", lines of "note" as events without a time of their own, lines
// of "id" as messages whose queue ID carries a time, and lines of "half" that are cut and go on in the next line of "half".
type testParser struct{ cut []byte }

func newTestParser() Parser { return &testParser{} }

func (p *testParser) Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	switch string(l.Program) {
	case "qmail", "":
		stamp, rest, ok := exactStamp(l)
		if id, isNew := bytes.CutPrefix(rest, []byte("new msg ")); isNew {
			e.Kind, e.ID, e.Exact, e.Time = spoor.EventAccepted, id, ok, stamp
			return spoor.LineEvent
		}
		if bytes.HasPrefix(rest, []byte("status:")) {
			return spoor.LineKnown
		}
		return spoor.LineUnknown
	case "note":
		e.Kind, e.Text, e.PID = spoor.EventTrouble, l.Body, int32(l.PID)
		return spoor.LineEvent
	case "id": // id: 1795431600.500000 text: a message got its queue ID then
		stamp, rest, _ := exactStamp(l)
		e.Kind, e.Clock, e.Text = spoor.EventSubmitted, stamp, rest
		return spoor.LineEvent
	case "half":
		if head, isCut := bytes.CutSuffix(l.Body, []byte("+")); isCut {
			p.cut = bytes.Clone(head)
			return spoor.LineCut
		}
		e.Kind, e.ID, e.Text = spoor.EventTrouble, p.cut, l.Body
		p.cut = nil
		return spoor.LineEvent
	}
	return spoor.LineForeign
}

// exactStamp reads splogger's stamp, or takes multilog's.
func exactStamp(l *spoor.Line) (spoor.Stamp, []byte, bool) {
	if len(l.Program) == 0 {
		return l.Time, l.Body, true
	}
	word, rest, ok := bytes.Cut(l.Body, []byte{' '})
	if !ok || len(word) != 17 || word[10] != '.' {
		return 0, l.Body, false
	}
	seconds, err1 := strconv.ParseUint(string(word[:10]), 10, 32)
	micros, err2 := strconv.ParseUint(string(word[11:]), 10, 32)
	if err1 != nil || err2 != nil || seconds == 0 {
		return 0, l.Body, false
	}
	return spoor.Stamp(seconds*1e6 + micros), rest, true
}
