package bundle

import (
	"bytes"
	"path"
	"strings"

	"spoor/internal/redact"
)

// message replaces the names in a file of the queue, in place: in the lines of the
// message what people wrote, elsewhere addresses and domains.
func (w *Writer) message(name string, file []byte) {
	names := w.source.Names
	if names == nil {
		return
	}
	at, field := 0, ""
	for part := range w.source.Parts("/"+name, file) {
		if part.Start < at || part.End < part.Start || part.End > len(file) {
			return
		}
		text := file[part.Start:part.End]
		switch {
		case part.Header:
			field = redact.Field(text, field)
			names.Line(field, text)
		case part.Body:
			names.Line("", text)
		default:
			names.Log(text)
		}
		at = part.End
	}
}

// setting is a file of a configuration, with names replaced and secrets gone. One
// that is no text is emptied, but for time zones, which are public.
func (w *Writer) setting(name string, text []byte) []byte {
	switch {
	case strings.HasPrefix(name, "usr/share/zoneinfo/"):
		return text
	case bytes.IndexByte(text[:min(len(text), 8<<10)], 0) >= 0, bytes.Contains(text, []byte("PRIVATE KEY-----")):
		return nil
	}
	for line := range bytes.Lines(text) {
		hideSecret(line)
	}
	if path.Base(name) == "passwd" {
		text = accounts(text)
	}
	if w.source.Names != nil {
		if path.Base(name) == "virtualdomains" {
			w.prefixes(text)
		} else {
			w.source.Names.Log(text)
		}
	}
	return text
}

// prefixes replaces the names in qmail's control/virtualdomains. What stands behind the
// domain is put in front of local parts (qmail-send(8): domain:prepend), and is replaced
// as it is in addresses.
func (w *Writer) prefixes(text []byte) {
	for line := range bytes.Lines(text) {
		domain, prefix, _ := bytes.Cut(bytes.TrimRight(line, "\r\n \t"), []byte{':'})
		w.source.Names.Log(domain)
		if bytes.IndexByte(prefix, '@') >= 0 {
			w.source.Names.Log(prefix)
			continue
		}
		address := append(bytes.Clone(prefix), "@example.test"...)
		w.source.Names.Text(address)
		copy(prefix, address)
	}
}

// accounts are the lines of a file in the form of passwd(5) without passwords and
// without what people are called.
func accounts(text []byte) []byte {
	var out []byte
	for line := range bytes.Lines(text) {
		fields := bytes.Split(line, []byte{':'})
		if len(fields) > 1 {
			fields[1] = []byte("x")
		}
		if len(fields) == 7 {
			fields[4] = nil
		}
		out = append(out, bytes.Join(fields, []byte{':'})...)
	}
	return out
}

// secretNames are files that hold nothing but secrets.
var secretNames = []string{"shadow", "gshadow", ".psa.shadow", "my.cnf", ".my.cnf", "sasldb2", "passwd.db", "passwd_db_key", "poppasswd", "cram-md5.pwd", "users", "passwd.client", "sasl_passwd", "sasl_password"}

func isSecret(name string) bool {
	base := path.Base(name)
	for _, secret := range secretNames {
		if base == secret || strings.HasPrefix(base, secret+"-") {
			return true
		}
	}
	ending := path.Ext(base)
	return ending == ".key" || ending == ".pem" || ending == ".p12"
}

// hideSecret overwrites a password in a line with x: a hash in the form of
// crypt(5), or the value of a setting whose name says so.
func hideSecret(line []byte) {
	text := bytes.TrimPrefix(bytes.TrimLeft(line, " \t"), []byte("hide ")) // Exim
	if end := bytes.IndexAny(text, "=: \t"); end > 0 && isSecretKey(bytes.ToLower(text[:end])) {
		blank(text[end:])
		return
	}
	hideInside(line)
	for i := 0; i+3 < len(line); i++ {
		if line[i] == '$' && isHashMark(line[i+1:]) {
			blankTo(line[i:], ": \t\r\n,\"'")
			return
		}
	}
}

// isSecretKey reports whether the value of a setting of this name is a secret, or has
// one in it: servers of databases in Exim's are host/database/user/password.
func isSecretKey(key []byte) bool {
	for _, word := range [...]string{
		"password", "passwd", "passphrase", "secret", "api_key", "apikey", "token", "_pass", "pwd",
		"mysql_servers", "pgsql_servers", "oracle_servers", "redis_servers", "ldap_default_servers", "client_send",
	} {
		if bytes.Contains(key, []byte(word)) {
			return true
		}
	}
	return string(key) == "pass"
}

// hideInside overwrites passwords within a value: password=… as in the connect of
// Dovecot's SQL, and user:password@ of a URL.
func hideInside(line []byte) {
	lower := lowered(line)
	for _, mark := range [...]string{"password=", "passwd=", "pass=", "pwd=", "secret=", "token="} {
		for at := 0; ; {
			i := bytes.Index(lower[at:], []byte(mark))
			if i < 0 {
				break
			}
			at += i + len(mark)
			blankTo(line[at:], " \t\r\n;,&\"'")
		}
	}
	for at := 0; ; {
		i := bytes.Index(line[at:], []byte("://"))
		if i < 0 {
			return
		}
		at += i + len("://")
		word := line[at:]
		if end := bytes.IndexAny(word, " \t\r\n/\"'"); end >= 0 {
			word = word[:end]
		}
		user, behind := bytes.IndexByte(word, ':'), bytes.LastIndexByte(word, '@')
		if user >= 0 && user < behind {
			blankTo(word[user+1:behind], "")
		}
	}
}

// isHashMark recognises what follows the first $ of a hash: 6$, 2y$, y$, apr1$.
func isHashMark(rest []byte) bool {
	end := bytes.IndexByte(rest, '$')
	if end < 1 || end > 6 || len(rest) < end+8 {
		return false
	}
	switch string(rest[:end]) {
	case "1", "2", "2a", "2b", "2y", "5", "6", "7", "y", "gy", "md5", "sha1", "apr1":
		return true
	}
	return false
}

// blank overwrites every letter and digit.
func blank(b []byte) {
	for i, c := range b {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 {
			b[i] = 'x'
		}
	}
}

func blankTo(b []byte, end string) {
	if i := bytes.IndexAny(b, end); i >= 0 {
		b = b[:i]
	}
	for i := range b {
		b[i] = 'x'
	}
}

// lowered is a line with its ASCII letters in lower case: every byte stays where it
// is, which bytes.ToLower does not promise of what is no UTF-8.
func lowered(line []byte) []byte {
	low := bytes.Clone(line)
	for i, c := range low {
		if c >= 'A' && c <= 'Z' {
			low[i] = c + 'a' - 'A'
		}
	}
	return low
}
