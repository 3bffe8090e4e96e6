package panel

import (
	"bytes"
	"iter"
	"strconv"
	"time"

	"spoor"
)

// MailLogParser reads lines of a PHP mail log: the file that mail.log of
// php.ini names, or syslog. Anyone who may write to that file, often every
// site, can forge its lines. A parser is used by one goroutine at a time.
type MailLogParser struct {
	Near time.Time      // a time without a year is in the year that brings it nearest to this
	Zone *time.Location // of times without a zone; nil is UTC

	zones map[string]*time.Location // nil for a name that is no zone
}

const (
	mailCall = "mail() on ["
	// maxZones bounds how many names of zones are looked up: each costs a read.
	maxZones = 64
	// addressBytes is how much of the recipients is kept.
	addressBytes = 1024
)

// Parse reads one line, such as
//
//	[25-Apr-2016 18:16:41 UTC] mail() on [/var/www/httpdocs/x.php:677]: To: a@b.example -- Headers: From: c@d.example
//	Apr 25 18:16:41 web1 php[4711]: mail() on [/var/www/httpdocs/x.php:677]: To: a@b.example -- Headers: …
//
// It reports false for any other line. Time is zero where the line has none, or
// one in a zone that this machine does not know; Place is left to the caller.
func (p *MailLogParser) Parse(line []byte) (spoor.ScriptMail, bool) {
	stamp, rest := p.cutTime(line)
	rest, ok := bytes.CutPrefix(rest, []byte(mailCall))
	if !ok {
		return spoor.ScriptMail{}, false
	}
	script, lineNumber, rest, ok := cutScript(rest)
	if !ok {
		return spoor.ScriptMail{}, false
	}
	to, headers, _ := bytes.Cut(rest, []byte(" -- Headers:"))
	to = to[:min(len(to), addressBytes)]
	return spoor.ScriptMail{
		Time: stamp, Script: script, Line: lineNumber, To: string(bytes.TrimSpace(to)), MessageID: messageID(headers),
	}, true
}

// messageID finds the Message-ID among headers, whose line ends PHP logs as blanks.
func messageID(headers []byte) string {
	const field = " message-id: <"
	for at := 0; at+len(field) < len(headers); at++ {
		if headers[at] != ' ' || !bytes.EqualFold(headers[at:at+len(field)], []byte(field)) {
			continue
		}
		id := headers[at+len(field)-1:]
		end := bytes.IndexByte(id[:min(len(id), addressBytes)], '>')
		if end < 0 {
			return ""
		}
		return string(id[:end+1])
	}
	return ""
}

// cutScript reads path:line up to the bracket that closes it. Code run by
// eval() is logged as "x.php(12) : eval()'d code:3": that is x.php, line 12.
func cutScript(text []byte) (string, int, []byte, bool) {
	place, rest, ok := bytes.Cut(text, []byte("]: To:"))
	if !ok {
		return "", 0, nil, false
	}
	colon := bytes.LastIndexByte(place, ':')
	if colon <= 0 {
		return "", 0, nil, false
	}
	line, err := strconv.ParseUint(string(place[colon+1:]), 10, 31)
	if err != nil {
		return "", 0, nil, false
	}
	place = place[:colon]
	if outer, _, evaluated := bytes.Cut(place, []byte(") : ")); evaluated {
		open := bytes.LastIndexByte(outer, '(')
		if n, err := strconv.ParseUint(string(outer[open+1:]), 10, 31); open > 0 && err == nil {
			place, line = outer[:open], n
		}
	}
	return string(place), int(line), rest, true
}

// cutTime reads the time at the start of a line and returns what stands behind
// it: for syslog, behind the program's name. A line without a time is returned
// whole.
func (p *MailLogParser) cutTime(line []byte) (time.Time, []byte) {
	if hasForm(line, "[00-xxx-0000 00:00:00 ") {
		zone, rest, ok := bytes.Cut(line[len("[00-xxx-0000 00:00:00 "):], []byte("] "))
		if !ok {
			return time.Time{}, line
		}
		stamp, dated := dateOf(line[1:3], line[4:7], line[8:12], line[13:21])
		location, known := p.zone(string(zone))
		if !dated || !known {
			return time.Time{}, rest
		}
		return inZone(stamp, location), rest
	}
	stamp, rest := p.cutSyslogTime(line)
	if stamp.IsZero() {
		return stamp, line
	}
	_, rest, _ = bytes.Cut(rest, []byte{' '}) // host
	_, rest, _ = bytes.Cut(rest, []byte(": "))
	return stamp, rest
}

// cutSyslogTime reads the times of RFC 3164 §4.1.2 and RFC 3339.
func (p *MailLogParser) cutSyslogTime(line []byte) (time.Time, []byte) {
	if hasForm(line, "0000-00-00T00:00:00") {
		word, rest, _ := bytes.Cut(line, []byte{' '})
		stamp, err := time.Parse(time.RFC3339, string(word[:min(len(word), 40)]))
		if err != nil {
			return time.Time{}, line
		}
		return stamp.UTC(), rest
	}
	if !hasForm(line, "xxx 00 00:00:00 ") && !hasForm(line, "xxx  0 00:00:00 ") {
		return time.Time{}, line
	}
	near := p.Near.UTC()
	best, found := time.Time{}, false
	for year := near.Year() - 1; year <= near.Year()+1; year++ {
		digits := strconv.AppendInt(nil, int64(year), 10)
		stamp, ok := dateOf(bytes.TrimLeft(line[4:6], " "), line[:3], digits, line[7:15])
		stamp = inZone(stamp, p.Zone)
		if ok && (!found || stamp.Sub(near).Abs() < best.Sub(near).Abs()) {
			best, found = stamp, true
		}
	}
	return best, line[len("xxx 00 00:00:00 "):]
}

// inZone takes the clock of a UTC time for that of a zone; nil is UTC.
func inZone(t time.Time, zone *time.Location) time.Time {
	if zone == nil {
		return t
	}
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone).UTC()
}

// zone looks up a time zone by the name that PHP writes, such as Europe/Berlin.
// It reports false for a name that this machine does not know.
func (p *MailLogParser) zone(name string) (*time.Location, bool) {
	switch name {
	case "UTC":
		return time.UTC, true
	case "":
		return p.Zone, true
	case "Local": // would be the zone of the machine that spoor runs on
		return nil, false
	}
	zone, known := p.zones[name]
	if !known && len(p.zones) < maxZones {
		if p.zones == nil {
			p.zones = map[string]*time.Location{}
		}
		zone, _ = time.LoadLocation(name) // it refuses names that leave the zone database
		p.zones[name] = zone
	}
	return zone, zone != nil
}

// ScriptMails yields the calls of mail() in the window that a PHP mail log
// holds, in the order of the log. Lines without a time are left out: nobody can
// tell whether they belong to it. Times without a zone are in zone.
func (l Log) ScriptMails(w Window, zone *time.Location) iter.Seq[spoor.ScriptMail] {
	return func(yield func(spoor.ScriptMail) bool) {
		parser := MailLogParser{Near: w.Until, Zone: zone}
		stamp := func(line []byte) (time.Time, bool) {
			t, _ := parser.cutTime(line)
			return t, !t.IsZero()
		}
		for line := range l.lines(w, stamp) {
			timeless := line.time.IsZero()
			if !timeless && !w.Contains(line.time) {
				continue
			}
			mail, ok := parser.Parse(line.text)
			if !ok {
				continue
			}
			if timeless {
				l.Gaps.Add(l.Name, "lines of the PHP mail log have no time that is known")
				continue
			}
			mail.Place = l.place("php mail log", line)
			if !yield(mail) {
				return
			}
		}
	}
}
