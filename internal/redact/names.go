package redact

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Names replaces names by others of the same length, always the same name by the
// same other. Lengths, and with them every count and offset of a queue file, stay
// what they are; so do the sorts of characters, and what is equal stays equal.
// Which name became which is known to the holder of the key and of Map alone.
//
// Its methods may be called by several goroutines at once. They change the slice
// that they are given.
type Names struct {
	mu      sync.Mutex
	mac     hash.Hash
	buffer  []byte
	digest  []byte
	words   map[string]string
	taken   map[string]bool
	learned map[string]bool
}

// New returns Names that depend on a secret key of at least 16 random bytes.
func New(key []byte) *Names {
	return &Names{mac: hmac.New(sha256.New, key), words: map[string]string{}, taken: map[string]bool{}, learned: map[string]bool{}}
}

// Learn makes Text replace a word wherever it stands, not only in addresses and
// domains: the login of a customer, the name of this host. A word of the mail
// system's own language stays.
func (n *Names) Learn(word string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, run := range strings.FieldsFunc(strings.ToLower(word), func(r rune) bool { return r >= utf8.RuneSelf || !isAlnum(byte(r)) }) {
		if len(run) >= minLearned && !vocabulary[run] && !allDigits(run) {
			n.learned[run] = true
		}
	}
}

// minLearned is the length from which a bare word is taken for a name.
const minLearned = 3

// Map is what became of the parts of names so far, by part: of labels of domains
// and of words in local parts.
func (n *Names) Map() map[string]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.words)
}

// Text replaces addresses, domains and learned words in a text of any sort, and
// leaves the rest.
func (n *Names) Text(b []byte) {
	for start := 0; start < len(b); {
		if !isToken(b[start]) {
			start++
			continue
		}
		end := start
		for end < len(b) && isToken(b[end]) {
			end++
		}
		n.token(b, start, end)
		start = end
	}
}

// token replaces what is a name in b[start:end], which is all between two
// characters that stand in no name.
func (n *Names) token(b []byte, start, end int) {
	token := b[start:end]
	if at := bytes.LastIndexByte(token, '@'); at > 0 && at < len(token)-1 {
		if bytes.IndexByte(token[:at], '@') > 0 { // qmail-smtpd: the login and the client's address
			n.token(b, start, start+at)
		} else {
			n.runs(token[keyLength(string(token[:at])):at], systemAccounts)
		}
		if domain := bytes.TrimRight(token[at+1:], "."); !isNumeric(domain) {
			n.domain(domain)
		}
		return
	}
	for at := start; at < end; {
		from := at
		for at < end && isDomain(b[at]) {
			at++
		}
		word := bytes.TrimRight(b[from:at], ".")
		switch {
		case isDomainName(word) && !isFileName(b, from, word):
			n.domain(word)
		case isMailbox(b[:from]):
			n.runs(word, systemAccounts)
		default:
			n.known(word)
		}
		for at < end && !isDomain(b[at]) {
			at++
		}
	}
}

// domain replaces the labels of a domain but for the last, and all of none that
// everybody knows.
func (n *Names) domain(name []byte) {
	lower := strings.ToLower(string(name))
	for known := lower; known != ""; _, known, _ = strings.Cut(known, ".") {
		if publicDomains[known] {
			n.runs(name[:len(name)-len(known)], vocabulary)
			return
		}
	}
	last := bytes.LastIndexByte(name, '.')
	if last < 0 {
		n.runs(name, vocabulary)
		return
	}
	n.runs(name[:last], vocabulary)
}

// runs replaces every run of letters and digits that is not kept.
func (n *Names) runs(b []byte, keep map[string]bool) {
	eachRun(b, func(run []byte) {
		if !keep[strings.ToLower(string(run))] {
			n.replace(run)
		}
	})
}

// known replaces the runs that were learned.
func (n *Names) known(b []byte) {
	eachRun(b, func(run []byte) {
		n.mu.Lock()
		learned := n.learned[strings.ToLower(string(run))]
		n.mu.Unlock()
		if learned {
			n.replace(run)
		}
	})
}

// Words replaces every word of a text that people wrote. Such words are not in
// Map: there is no end of them.
func (n *Names) Words(b []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	eachRun(b, func(run []byte) { overwrite(run, n.spell(strings.ToLower(string(run)), 0)) })
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if size > 1 {
			utf8.EncodeRune(b[i:i+size], n.rune(r, size))
		}
		i += size
	}
}

// rune is another character of as many bytes.
func (n *Names) rune(r rune, size int) rune {
	pick := rune(n.sum(string(r), 0)[0] & 15)
	switch size {
	case 2:
		return 0xe0 + pick // à to ï
	case 3:
		return 0x4e00 + pick
	}
	return 0x1f600 + pick
}

// replace overwrites a run of letters and digits that is part of a name.
func (n *Names) replace(run []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	overwrite(run, n.other(strings.ToLower(string(run))))
}

// overwrite puts another word in the place of a run. Case stays.
func overwrite(run []byte, other string) {
	for i, c := range run {
		if c >= 'A' && c <= 'Z' {
			run[i] = other[i] - 'a' + 'A'
		} else {
			run[i] = other[i]
		}
	}
}

// Bounds of what is remembered. Longer runs are parts of identifiers, each of which
// is met once.
const (
	longestName = 24
	mostNames   = 1 << 20
)

// other is what stands for a part of a name, in lower case. Two never share one, as
// long as there are others of that length and form.
func (n *Names) other(word string) string {
	if other, ok := n.words[word]; ok {
		return other
	}
	other := n.spell(word, 0)
	if allDigits(word) || len(word) > longestName || len(n.words) >= mostNames {
		return other
	}
	for round := uint32(1); n.taken[other] && round < 64; round++ {
		other = n.spell(word, round)
	}
	n.words[word], n.taken[other] = other, true
	return other
}

// spell makes a word of the same form: letters for letters, digits for digits.
func (n *Names) spell(word string, round uint32) string {
	spelled := make([]byte, len(word))
	var sum []byte
	for i := range len(word) {
		if i%sha256.Size == 0 {
			sum = n.sum(word, round<<16|uint32(i/sha256.Size))
		}
		c := sum[i%sha256.Size]
		if word[i] >= '0' && word[i] <= '9' {
			spelled[i] = '0' + c%10
			continue
		}
		spelled[i] = 'a' + c%26
	}
	return string(spelled)
}

// sum is a keyed hash; it stays good until the next one. n.mu is held.
func (n *Names) sum(word string, round uint32) []byte {
	n.mac.Reset()
	n.buffer = append(binary.BigEndian.AppendUint32(n.buffer[:0], round), word...)
	_, _ = n.mac.Write(n.buffer)
	n.digest = n.mac.Sum(n.digest[:0])
	return n.digest
}

func eachRun(b []byte, visit func(run []byte)) {
	for start := 0; start < len(b); {
		if !isAlnum(b[start]) {
			start++
			continue
		}
		end := start
		for end < len(b) && isAlnum(b[end]) {
			end++
		}
		visit(b[start:end])
		start = end
	}
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// isToken reports whether a byte may stand in an address or a domain. A slash may,
// and stands between the parts of a path far more often.
func isToken(c byte) bool { return c != '/' && (c == '@' || isLocal(c)) }

func allDigits(word string) bool { return strings.Trim(word, "0123456789") == "" }

// isDomainName reports whether a word has the form of a domain name with at least
// two labels, of which the last is of letters.
func isDomainName(word []byte) bool {
	last := bytes.LastIndexByte(word, '.')
	if last <= 0 || len(word)-last < 3 {
		return false
	}
	for _, c := range word[last+1:] {
		if c < 'A' || c > 'z' || c > 'Z' && c < 'a' {
			return false
		}
	}
	for _, c := range word[:last] {
		if !isDomain(c) {
			return false
		}
	}
	return true
}

// isNumeric reports whether what stands behind an @ is an address (IPv4).
func isNumeric(domain []byte) bool { return len(bytes.Trim(domain, "0123456789.")) == 0 }

// mailStores are folders in which a folder for each domain holds one for each
// mailbox.
var mailStores = [...]string{"/mailnames/", "/mail/", "/imap/", "/vmail/", "/virtual/"}

// isMailbox reports whether the part of a path behind before is the name of a
// mailbox: it follows a domain in a store of mail.
func isMailbox(before []byte) bool {
	path, ok := bytes.CutSuffix(before, []byte{'/'})
	if !ok {
		return false
	}
	slash := bytes.LastIndexByte(path, '/')
	if slash < 0 || !isDomainName(path[slash+1:]) {
		return false
	}
	for _, store := range mailStores {
		if bytes.HasSuffix(path[:slash+1], []byte(store)) {
			return true
		}
	}
	return false
}

// isFileName reports whether a word that has the form of a domain is the name of
// a file: by its ending, or by an ending that is a country's too, in a path.
func isFileName(b []byte, start int, word []byte) bool {
	ending := strings.ToLower(string(word[bytes.LastIndexByte(word, '.')+1:]))
	if slices.Contains([]string{"php", "phtml", "html", "htm", "log", "conf", "cfg", "ini", "txt", "gz", "xz", "bz", "zst", "css", "js", "db", "service", "socket", "lock", "eml", "err", "pid", "cgi", "asp", "jsp", "png", "jpg", "gif", "xml", "json", "byname", "byuid"}, ending) {
		return true
	}
	inPath := start > 0 && b[start-1] == '/' && (start < 2 || b[start-2] != '/')
	return inPath && slices.Contains([]string{"pl", "py", "sh", "cf", "so", "rb", "in", "md"}, ending)
}
