package panel

import (
	"errors"
	"io/fs"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// Pair is a line of a file that maps names to names, such as
//
//	shop.example: anna
//
// of cPanel's /etc/userdomains. Key and value have no blanks around them.
type Pair struct {
	Key, Value string
	Place      spoor.Evidence
}

const (
	pairBytes  = 64 << 20 // of a file that is read
	maxPairs   = 1_000_000
	quotedPair = 200 // bytes of a line that are kept as evidence
)

// ReadPairs reads the lines of a file, cut at the first separator. A file that is
// missing has none; what cannot be read or understood is a gap. Empty lines and
// those that begin with # are comments.
func ReadPairs(root *host.Root, name, separator string, gaps *spoor.Gaps) []Pair {
	data, err := root.ReadFile(name, pairBytes)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			gaps.Add(name, "cannot be read: "+Cause(err))
		}
		return nil
	}
	return parsePairs(name, string(data), separator, gaps)
}

func parsePairs(name, text, separator string, gaps *spoor.Gaps) []Pair {
	var pairs []Pair
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, separator)
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || key == "" || strings.IndexByte(line, 0) >= 0 {
			gaps.Add(name, "line is not NAME"+separator+" VALUE")
			continue
		}
		if len(pairs) == maxPairs {
			gaps.Add(name, "file was not read to its end")
			break
		}
		place := spoor.Evidence{What: "panel", File: name, Line: number, Text: line[:min(len(line), quotedPair)]}
		pairs = append(pairs, Pair{key, value, place})
	}
	return pairs
}

// IsDomain accepts the names that a panel gives to sites: letters, digits,
// hyphens and underscores between dots. Such a name can be part of a path.
func IsDomain(name string) bool {
	if name == "" || len(name) > 253 || name[0] == '.' || strings.Contains(name, "..") {
		return false
	}
	for _, c := range []byte(name) {
		if c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// IsLogin accepts the names of system users that a panel makes. Such a name can
// be part of a path.
func IsLogin(name string) bool { return IsDomain(name) && len(name) <= 64 }
