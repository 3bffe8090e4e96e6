package live

import (
	"bytes"
	"slices"
	"strings"

	"spoor"
)

// requestKeys are the variables that are read of an environment: those that name
// a request (RFC 3875 §4.1). No other one is looked at: passwords are kept there.
func requestKeys() []string {
	return []string{
		"SCRIPT_FILENAME", "SCRIPT_NAME", "REQUEST_URI", "REQUEST_METHOD", "HTTP_HOST", "SERVER_NAME",
		"REMOTE_ADDR", "DOCUMENT_ROOT", "PATH_TRANSLATED", "PWD",
	}
}

// maxClaim is how much of a value is kept, in bytes: PATH_MAX of limits.h.
const maxClaim = 4096

// parseEnviron reads the variables of a request out of /proc/PID/environ. The
// query of a URL is cut off: it may hold a password or a session. A variable that
// is set twice counts as it is set first, as getenv(3) has it; one that is cut in
// two at the end of what was read is left out.
func parseEnviron(text []byte, whole bool) []spoor.Variable {
	keys := requestKeys()
	var claims []spoor.Variable
	for len(text) > 0 && len(claims) < len(keys) {
		variable, rest, ended := bytes.Cut(text, []byte{0})
		text = rest
		key, value, ok := bytes.Cut(variable, []byte{'='})
		if !ok || !ended && !whole || len(value) > maxClaim || !slices.Contains(keys, string(key)) {
			continue
		}
		if slices.ContainsFunc(claims, func(c spoor.Variable) bool { return c.Key == string(key) }) {
			continue
		}
		claim := spoor.Variable{Key: string(key), Value: string(value)}
		if claim.Key == "REQUEST_URI" {
			claim.Value = withoutQuery(claim.Value)
		}
		claims = append(claims, claim)
	}
	return claims
}

// withoutQuery is the path of a URL.
func withoutQuery(url string) string {
	if i := strings.IndexAny(url, "?#;"); i >= 0 {
		return url[:i]
	}
	return url
}

// claimOf is what a sighting claims for a key, or "".
func claimOf(claims []spoor.Variable, key string) string {
	for _, c := range claims {
		if c.Key == key {
			return c.Value
		}
	}
	return ""
}
