package measure

import (
	"bytes"
	"fmt"
	"strings"

	"spoor"
)

// apply is the content of a file after changes. An error says which one does not
// fit, and why.
func apply(content []byte, changes []spoor.LineChange) ([]byte, error) {
	for _, c := range changes {
		var err error
		switch {
		case c.Old != "":
			content, err = swap(content, c.Old, c.New)
		case c.Front:
			content = append([]byte(c.New+"\n"), content...)
		case c.New != "":
			content = append(endedLines(content), c.New+"\n"...)
		}
		if err != nil {
			return nil, err
		}
	}
	return content, nil
}

// endedLines gives the last line an end, in a copy.
func endedLines(content []byte) []byte {
	content = bytes.Clone(content)
	if len(content) > 0 && content[len(content)-1] != '\n' {
		content = append(content, '\n')
	}
	return content
}

// swap puts lines in the place of others; no lines if to is "".
func swap(content []byte, from, to string) ([]byte, error) {
	at, times := find(content, from)
	if times != 1 {
		return nil, fmt.Errorf("its line %q is there %d times", firstLine(from), times)
	}
	end := at + len(from)
	if to == "" && end < len(content) {
		end++ // its line end goes with it
	}
	changed := append(bytes.Clone(content[:at]), to...)
	return append(changed, content[end:]...), nil
}

// find returns where lines begin, and how often they are there.
func find(content []byte, lines string) (at, times int) {
	at = -1
	for from := 0; from <= len(content)-len(lines); {
		i := bytes.Index(content[from:], []byte(lines))
		if i < 0 {
			break
		}
		begin, end := from+i, from+i+len(lines)
		if (begin == 0 || content[begin-1] == '\n') && (end == len(content) || content[end] == '\n') {
			if times == 0 {
				at = begin
			}
			times++
		}
		from = begin + 1
	}
	return at, times
}

func firstLine(lines string) string {
	first, _, _ := strings.Cut(lines, "\n")
	return first
}

// takeBack takes changes out of a content that somebody else may have changed since.
// before is the content before the changes: that is what it gives if nobody has, and
// otherwise a line that was taken out returns behind the line that it stood behind.
func takeBack(content, before []byte, changes []spoor.LineChange) ([]byte, error) {
	if after, err := apply(before, changes); err == nil && bytes.Equal(after, content) {
		return bytes.Clone(before), nil
	}
	for i := len(changes) - 1; i >= 0; i-- {
		var err error
		if content, err = takeBackOne(content, before, changes[i]); err != nil {
			return nil, err
		}
	}
	return content, nil
}

func takeBackOne(content, before []byte, c spoor.LineChange) ([]byte, error) {
	if c.New != "" {
		_, times := find(content, c.New)
		switch {
		case times == 1:
			return swap(content, c.New, c.Old)
		case times > 1 && c.Old == "":
			return cut(content, c.New), nil // one of them is ours, and they are all the same
		case times > 1:
			return nil, fmt.Errorf("the line %q is there %d times", firstLine(c.New), times)
		case c.Old == "":
			return content, nil // somebody has taken it out
		}
	}
	if _, times := find(content, c.Old); times > 0 {
		return content, nil // somebody has put it back
	}
	if c.New != "" {
		return nil, fmt.Errorf("neither the line %q nor the one that was there before is in it", firstLine(c.New))
	}
	return reinsert(content, before, c.Old), nil
}

// cut takes the last of several lines of the same text out.
func cut(content []byte, lines string) []byte {
	last := 0
	for from := 0; ; {
		at, times := find(content[from:], lines)
		if times == 0 {
			break
		}
		last = from + at
		from = last + len(lines)
		if from >= len(content) {
			break
		}
		from++ // behind the line end
	}
	end := min(last+len(lines)+1, len(content))
	return append(bytes.Clone(content[:last]), content[end:]...)
}

// reinsert puts lines back behind the line that they stood behind, or at the end.
func reinsert(content, before []byte, lines string) []byte {
	at, _ := find(before, lines)
	if at <= 0 {
		if at == 0 {
			return append([]byte(lines+"\n"), content...)
		}
		return append(endedLines(content), lines+"\n"...)
	}
	previous := before[:at-1]
	previous = previous[bytes.LastIndexByte(previous, '\n')+1:]
	where, times := find(content, string(previous))
	if times != 1 || len(previous) == 0 {
		return append(endedLines(content), lines+"\n"...)
	}
	end := where + len(previous)
	changed := append(bytes.Clone(content[:end]), "\n"+lines...)
	return append(changed, content[end:]...)
}
