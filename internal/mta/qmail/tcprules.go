package qmail

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ruleRecord is a rule of tcprules(1) as tcpserver finds it: of several with the same
// key the first one counts.
type ruleRecord struct {
	key  string // an address, a part of one that ends with a dot, info@address, =name, or "" for all
	data string // "D" and a zero byte for a refusal; then "+NAME=value" and a zero byte for each variable
	line int    // of the text, from 1; 0 of a compiled file
}

// relays reports whether a client whom the rule is for may send everywhere
// (qmail-smtpd(8)).
func (r *ruleRecord) relays() bool {
	return !strings.HasPrefix(r.data, "D\x00") && strings.Contains("\x00"+r.data, "\x00+RELAYCLIENT=")
}

var errNoRules = errors.New("is not what tcprules makes")

// maxRuleRecords bounds what is kept of a file of rules.
const maxRuleRecords = 1 << 17

// compileRules makes of a text what tcprules makes of it (tcprules.c of ucspi-tcp
// 0.88). It fails where that fails.
func compileRules(text string) ([]ruleRecord, error) {
	var list []ruleRecord
	number := 0
	for line := range strings.Lines(text) {
		number++
		if line[0] == '#' || line[0] == '\n' {
			continue
		}
		address, rest, found := strings.Cut(strings.TrimRight(line, "\n \t"), ":")
		if !found {
			continue
		}
		data, err := ruleData(rest)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		keys, err := ruleKeys(address)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		for _, key := range keys {
			list = append(list, ruleRecord{key: key, data: data, line: number})
		}
		if len(list) > maxRuleRecords {
			return nil, fmt.Errorf("there are more than %d rules", maxRuleRecords)
		}
	}
	return list, nil
}

// ruleData makes the data of a rule of what stands behind its address:
// allow,NAME="value" or deny.
func ruleData(rest string) (string, error) {
	var data strings.Builder
	if after, ok := strings.CutPrefix(rest, "deny"); ok {
		data.WriteString("D\x00")
		rest = after
	} else if rest, ok = strings.CutPrefix(rest, "allow"); !ok {
		return "", fmt.Errorf("%q is neither allow nor deny", rest)
	}
	for rest != "" {
		variable, after, err := ruleVariable(rest)
		if err != nil {
			return "", err
		}
		name, value, _ := strings.Cut(variable[1:], "=")
		data.WriteString("+" + name + "=" + value[1:len(value)-1] + "\x00")
		rest = after
	}
	return data.String(), nil
}

// ruleVariable cuts the first of the variables off, with its comma and the character
// on both sides of its value.
func ruleVariable(text string) (variable, rest string, err error) {
	bad := fmt.Errorf("%q is no variable", text)
	at := strings.IndexByte(text, '=')
	if text[0] != ',' || at < 0 || at+1 == len(text) {
		return "", "", bad
	}
	end := strings.IndexByte(text[at+2:], text[at+1])
	if end < 0 {
		return "", "", bad
	}
	end += at + 3
	return text[:end], text[end:], nil
}

// ruleKeys are the keys that an address stands for: a range in one of its numbers is
// all numbers in it.
func ruleKeys(address string) ([]string, error) {
	before, after, found := strings.Cut(address, "-")
	if !found || strings.ContainsAny(address, "=@") {
		return []string{address}, nil
	}
	left := strings.LastIndexByte(before, '.') + 1
	right := strings.IndexByte(after, '.')
	if right < 0 {
		right = len(after)
	}
	bottom, err := ruleNumber(before[left:])
	if err != nil {
		return nil, err
	}
	top, err := ruleNumber(after[:right])
	var keys []string
	for n := bottom; n <= min(top, 255); n++ {
		keys = append(keys, before[:left]+strconv.FormatUint(n, 10)+after[right:])
	}
	return keys, err
}

// ruleNumber reads an end of a range; nothing is 0.
func ruleNumber(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	return strconv.ParseUint(text, 10, 32)
}

// readRuleRecords reads a constant database as tcprules writes it
// (https://cr.yp.to/cdb/cdb.txt): 256 pointers to tables, then the records, of which
// each begins with the lengths of key and data, then the tables.
func readRuleRecords(cdb []byte) ([]ruleRecord, error) {
	const header, pointers = 2048, 256
	if len(cdb) < header {
		return nil, errNoRules
	}
	end := uint32(len(cdb))
	for i := range pointers {
		end = min(end, binary.LittleEndian.Uint32(cdb[8*i:]))
	}
	var list []ruleRecord
	for at := uint32(header); at < end; {
		if end-at < 8 || len(list) > maxRuleRecords {
			return nil, errNoRules
		}
		key, data := binary.LittleEndian.Uint32(cdb[at:]), binary.LittleEndian.Uint32(cdb[at+4:])
		at += 8
		if uint64(key)+uint64(data) > uint64(end-at) {
			return nil, errNoRules
		}
		list = append(list, ruleRecord{key: string(cdb[at : at+key]), data: string(cdb[at+key : at+key+data])})
		at += key + data
	}
	return list, nil
}

// sameRules reports whether rules are the same, in the same order, wherever they
// stand.
func sameRules(a, b []ruleRecord) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].key != b[i].key || a[i].data != b[i].data {
			return false
		}
	}
	return true
}
