package panel

import (
	"bytes"
	"iter"
	"strconv"
	"time"

	"spoor"
)

// Request is one line of an access log. Its byte slices alias the line.
type Request struct {
	Time   time.Time // when the server got it, UTC, to the second
	Client []byte    // address or host name
	Method []byte    // nil where the request is not HTTP
	Path   []byte    // as logged, without its query; nil where Method is
	Status int       // of the answer; 0 where the line has none
}

// ParseRequest reads a line of the NCSA common or combined format
// (mod_log_config of Apache; nginx's "combined"), such as
//
//	203.0.113.7 - - [18/Jul/2005:17:03:07 +0200] "POST /forum/mailer.php?x=1 HTTP/1.1" 200 512 "-" "Mozilla/4.0"
//
// It reports false where there is no time. Everything but time and status was
// chosen by the client. A name given to log in may hold brackets but no quote
// that is not escaped, so the first bracketed time before a quote is the
// server's own.
func ParseRequest(line []byte) (Request, bool) {
	stamp, rest, stamped := cutRequestTime(line)
	if !stamped {
		return Request{}, false
	}
	r := Request{Time: stamp}
	r.Client, _, _ = bytes.Cut(bytes.TrimLeft(line, "\x00 "), []byte{' '})
	end := closingQuote(rest)
	method, target, ok := bytes.Cut(rest[:end], []byte{' '})
	if ok && isMethod(method) {
		path, _, whole := bytes.Cut(target, []byte{' '})
		if whole || end < len(rest) {
			r.Method, r.Path = method, pathOf(path)
		}
	}
	if after, ok := bytes.CutPrefix(rest[end:], []byte(`" `)); ok {
		status, _, _ := bytes.Cut(after, []byte{' '})
		r.Status = number(status, 3)
	}
	return r, true
}

// requestTime is the form of the time, with its brackets; a 0 stands for any
// digit, an x for any letter, a + for a sign.
const requestTime = "[00/xxx/0000:00:00:00 +0000]"

// cutRequestTime finds the time and returns what follows the quote behind it.
func cutRequestTime(line []byte) (time.Time, []byte, bool) {
	for rest := line; ; rest = rest[1:] {
		i := bytes.IndexByte(rest, '[')
		if i < 0 || len(rest)-i < len(requestTime)+2 {
			return time.Time{}, nil, false
		}
		rest = rest[i:]
		after := rest[len(requestTime):]
		if after[0] != ' ' || after[1] != '"' || !hasForm(rest, requestTime) {
			continue
		}
		stamp, ok := dateOf(rest[1:3], rest[4:7], rest[8:12], rest[13:21])
		if !ok {
			continue
		}
		offset := time.Duration(number(rest[23:25], 2))*time.Hour + time.Duration(number(rest[25:27], 2))*time.Minute
		if rest[22] == '-' {
			offset = -offset
		}
		return stamp.Add(-offset), after[2:], true
	}
}

// hasForm reports whether text starts as form says.
func hasForm(text []byte, form string) bool {
	if len(text) < len(form) {
		return false
	}
	for i := range len(form) {
		if !isOf(form[i], text[i]) {
			return false
		}
	}
	return true
}

// isOf reports whether c is what one character of a form stands for.
func isOf(form, c byte) bool {
	switch form {
	case '0':
		return '0' <= c && c <= '9'
	case 'x':
		return 'a' <= c|0x20 && c|0x20 <= 'z'
	case '+':
		return c == '+' || c == '-'
	}
	return c == form
}

// dateOf puts a time together from day, month name, year and hh:mm:ss, whose
// form was checked. It reports false for the 30th of February.
func dateOf(day, month, year, clock []byte) (time.Time, bool) {
	m, ok := monthOf(month)
	d, hour, minute, second := number(day, 2), number(clock[:2], 2), number(clock[3:5], 2), number(clock[6:8], 2)
	if !ok || d == 0 || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, false
	}
	t := time.Date(number(year, 4), m, d, hour, minute, second, 0, time.UTC)
	return t, t.Day() == d || second == 60
}

func monthOf(name []byte) (time.Month, bool) {
	const names = "JanFebMarAprMayJunJulAugSepOctNovDec"
	for i := 0; i < len(names); i += 3 {
		if string(name) == names[i:i+3] {
			return time.Month(i/3 + 1), true
		}
	}
	return 0, false
}

// number reads text as a number of at most so many digits; anything else is 0.
func number(text []byte, digits int) int {
	if len(text) > digits {
		return 0
	}
	n, err := strconv.ParseUint(string(text), 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// closingQuote is the place of the first quote that is not escaped, or the
// length of the text.
func closingQuote(text []byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text)
}

// isMethod accepts what RFC 9110 §9 registers and the like: capital letters.
func isMethod(word []byte) bool {
	for _, c := range word {
		if c != '-' && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(word) > 0 && len(word) <= 24
}

// pathOf cuts the query off a request target, and the host off its absolute
// form (RFC 9112 §3.2.2).
func pathOf(target []byte) []byte {
	for i, c := range target {
		if c == '?' || c == '#' {
			target = target[:i]
			break
		}
	}
	if len(target) == 0 || target[0] == '/' {
		return target
	}
	if _, rest, ok := bytes.Cut(target, []byte("://")); ok {
		slash := bytes.IndexByte(rest, '/')
		if slash < 0 {
			return []byte("/")
		}
		return rest[slash:]
	}
	return target
}

// What is kept of a request. No script and no client has a longer name.
const (
	urlBytes    = 4096 // PATH_MAX of limits.h
	clientBytes = 255  // a DNS name, RFC 1035 §2.3.4
)

// Posts yields the POST requests of the window that an access log of the site
// holds, in the order of the log. Script is left to the panel. The line number
// in Place is 0 where the log was entered in its middle.
func (l Log) Posts(site string, w Window) iter.Seq[spoor.WebHit] {
	return func(yield func(spoor.WebHit) bool) {
		for line := range l.lines(w, requestStamp) {
			if !w.Contains(line.time) {
				continue
			}
			r, ok := ParseRequest(line.text)
			if !ok || string(r.Method) != "POST" {
				continue
			}
			hit := spoor.WebHit{
				Time: r.Time, Site: site,
				URL:    string(r.Path[:min(len(r.Path), urlBytes)]),
				Client: string(r.Client[:min(len(r.Client), clientBytes)]),
				Place:  l.place("access log", line),
			}
			if !yield(hit) {
				return
			}
		}
	}
}

func requestStamp(line []byte) (time.Time, bool) {
	t, _, ok := cutRequestTime(line)
	return t, ok
}
