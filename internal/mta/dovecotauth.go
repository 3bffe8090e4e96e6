package mta

import (
	"bytes"

	"spoor"
)

// dovecotPassdb reads what Dovecot's auth processes say of one attempt, which they
// do where auth_verbose is set. The same attempt may be told by a login service,
// or by an MTA that asks Dovecot.
//
//	passwd-file(anna@example.com,192.0.2.4,<YADINsQCDs5BH8Pg>): Password mismatch
//	conn unix:auth-worker (pid=12,uid=97): auth-worker<7>: sql(anna@example.com,192.0.2.4): unknown user
//	pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=anna rhost=192.0.2.4
func dovecotPassdb(tag, b []byte, e *spoor.Event) spoor.LineSort {
	if user, client, ok := authTag(tag); ok {
		return namedPassdb(user, client, b, e)
	}
	b = cutWorker(b)
	if hasAny(b, "pam_") {
		return pam(b, e)
	}
	open := 0
	for open < len(b) && (b[open] == '-' || b[open] >= 'a' && b[open] <= 'z' || b[open] >= '0' && b[open] <= '9') {
		open++
	}
	end := bytes.Index(b, []byte("): "))
	if open == 0 || open >= len(b) || b[open] != '(' || end < open {
		if hasAny(b, "client in: ", "client out: ", "master in: ", "master out: ", "new auth connection: ", "Warning: ", "Killed with signal ", "conn ", "Shutting down", "ldap: ", "mysql: ", "pgsql: ", "Reconnected", "passwd-file ", "Master ") {
			return spoor.LineKnown
		}
		return spoor.LineUnknown
	}
	if !passdbRefused(b[end+len("): "):]) {
		return spoor.LineKnown
	}
	user, client := passdbClient(b[open+1 : end])
	if client == nil {
		return spoor.LineKnown // a recipient was looked up
	}
	e.Kind, e.Address, e.Client = spoor.EventAccessFailed, user, client
	return spoor.LineEvent
}

// authTag reads account and address where the tag has them, as since Dovecot 2.4.
// client is nil where a recipient was looked up.
//
//	auth(anna@example.com,192.0.2.4,sasl:plain)<YADINsQCDs5BH8Pg>
//	auth-worker(anna@example.com,192.0.2.4,sasl:login,master)<77><YADINsQCDs5BH8Pg>
func authTag(tag []byte) (user, client []byte, ok bool) {
	open, end := bytes.IndexByte(tag, '('), bytes.LastIndexByte(tag, ')')
	if open < 0 || end < open {
		return nil, nil, false
	}
	inside := tag[open+1 : end]
	if bytes.IndexByte(inside, ',') < 0 { // auth(default)
		return nil, nil, false
	}
	inside = bytes.TrimSuffix(inside, []byte(",master"))
	const mechanism = ",sasl:"
	if at := bytes.LastIndex(inside, []byte(mechanism)); at >= 0 && bytes.IndexByte(inside[at+len(mechanism):], ',') < 0 {
		inside = inside[:at]
	}
	user, client = passdbClient(inside)
	return user, client, true
}

// namedPassdb is what a password database says of the account in the tag.
//
//	sql: Password mismatch
//	request [7]: sql: unknown user
func namedPassdb(user, client, b []byte, e *spoor.Event) spoor.LineSort {
	if hasAny(b, "request [") {
		_, b, _ = bytes.Cut(b, []byte("]: "))
	}
	_, text, ok := bytes.Cut(b, []byte(": "))
	if !ok || client == nil || !passdbRefused(text) {
		return spoor.LineKnown
	}
	e.Kind, e.Address, e.Client = spoor.EventAccessFailed, user, client
	return spoor.LineEvent
}

// cutWorker takes the connection of a worker off the start.
func cutWorker(b []byte) []byte {
	const worker = "auth-worker<"
	rest := b
	if hasAny(b, "conn ") {
		at := bytes.Index(b, []byte(": "+worker))
		if at < 0 {
			return b
		}
		rest = b[at+2:]
	}
	if !hasAny(rest, worker) {
		return b
	}
	if end := bytes.Index(rest, []byte(">: ")); end >= 0 {
		return rest[end+len(">: "):]
	}
	return b
}

// passdbRefused reports whether a password was wrong, as far as this passdb is
// the last that was asked.
func passdbRefused(text []byte) bool {
	if bytes.HasSuffix(text, []byte(" - trying the next passdb")) {
		return false
	}
	return hasAny(text, "unknown user", "Unknown user", "Password mismatch", "password mismatch", "pam_authenticate() failed: ", "pam_acct_mgmt() failed: ", "invalid credentials", "Invalid credentials",
		"Invalid password", "Login failed ", "Username character disallowed", "Empty username", "Authentication failed", "authentication failed", "Authentication failure due to policy ",
		"password not found", "Password not in expected format", "User is blocked", "user is blocked")
}

// passdbClient reads account and address: "anna,192.0.2.4",
// "anna,192.0.2.4,<session>" or, without a session, "anna,192.0.2.4,". An account that was not understood is "?".
func passdbClient(b []byte) (user, client []byte) {
	if comma := bytes.LastIndexByte(b, ','); comma >= 0 && (comma+1 == len(b) || bytes.HasSuffix(b, []byte{'>'})) {
		b = b[:comma]
	}
	comma := bytes.LastIndexByte(b, ',')
	if comma < 0 {
		return nil, nil
	}
	user, client = b[:comma], ipOf(b[comma+1:])
	if string(user) == "?" {
		user = nil
	}
	return user, client
}

// pam reads a module of PAM that was asked by Dovecot or by saslauthd. The client
// chooses ruser; rhost comes after it, and the last one is PAM's. What PAM knows
// as user follows where there is such a user.
//
//	pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=anna rhost=192.0.2.4  user=anna
func pam(b []byte, e *spoor.Event) spoor.LineSort {
	module, text, ok := bytes.Cut(b, []byte("): "))
	if !ok {
		return spoor.LineUnknown
	}
	_, service, ok := bytes.Cut(module, []byte{'('})
	if !ok {
		return spoor.LineUnknown
	}
	fields, ok := bytes.CutPrefix(text, []byte("authentication failure; "))
	if !ok {
		return spoor.LineKnown // check pass; user unknown
	}
	const remoteUser, remoteHost, systemUser = " ruser=", " rhost=", " user="
	at := bytes.LastIndex(fields, []byte(remoteHost))
	if at < 0 {
		return spoor.LineUnknown
	}
	host, user, _ := bytes.Cut(fields[at+len(remoteHost):], []byte(systemUser))
	e.Client = ipOf(bytes.TrimSpace(host))
	e.Address = bytes.TrimSpace(user)
	if start := bytes.Index(fields[:at], []byte(remoteUser)); start >= 0 && at > start+len(remoteUser) {
		e.Address = fields[start+len(remoteUser) : at]
	}
	e.Kind = spoor.EventAccessFailed
	if hasAny(service, "smtp:", "smtp.postfix:", "smtpd:", "submission:") {
		e.Kind = spoor.EventLoginFailed
	}
	return spoor.LineEvent
}
