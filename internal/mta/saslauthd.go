package mta

import (
	"bytes"

	"spoor"
)

// pleskSaslauthd reads Plesk's daemon: who failed to log in, and not from where.
// Of a user who does not exist it writes two lines; the second counts.
//
//	No such user 'U' in mail authorization database
//	failed mail authentication attempt for user 'U' (password len=8)
//	failed mail authenticatication attempt for user 'U' (password len=8) (old versions)
func pleskSaslauthd(b []byte, e *spoor.Event) spoor.LineSort {
	for _, failed := range [...]string{"failed mail authentication attempt for user '", "failed mail authenticatication attempt for user '"} {
		if !hasAny(b, failed) {
			continue
		}
		user := before(b[len(failed):], "' (password len=")
		if user == nil {
			return spoor.LineUnknown
		}
		e.Kind, e.Address = spoor.EventLoginFailed, user
		return spoor.LineEvent
	}
	if hasAny(b, "No such user '", "select timeout, exiting", "select() ", "listen=", "privileges set to ", "Invalid ", "Unable to ", "couldn't ", "Couldn't ", "Mail user ", "user '", "terminated", "Error ") {
		return spoor.LineKnown
	}
	return spoor.LineUnknown
}

// saslauthd reads Cyrus' daemon. The account is the client's word; reason and
// service behind it are not.
//
//	do_auth         : auth failure: [user=anna] [service=smtp] [realm=example.com] [mech=pam] [reason=PAM auth error]
func saslauthd(b []byte, e *spoor.Event) spoor.LineSort {
	if hasAny(b, "pam_") {
		return pam(b, e)
	}
	action, isAuth := bytes.CutPrefix(b, []byte("do_auth"))
	failure, ok := bytes.CutPrefix(bytes.TrimLeft(action, " "), []byte(": auth failure: [user="))
	if !ok || !isAuth {
		if hasAny(b, "do_auth", "detach_tty", "ipc_init", "server_exit", "do_request", "get_accept_lock", "rel_accept_lock", "have_baby", "handle_sigchld", "auth_", "zmauth: ", "zmpost: ", "DEBUG: ",
			"PAM ", "master ", "cache_", "released accept lock", "acquired accept lock", "num_procs", "mech_option", "run_path", "auth_mech", "main ", "lak_", "Entry not found", "user ldap_", "Retrying authentication", "Authentication failed for ") {
			return spoor.LineKnown
		}
		return spoor.LineUnknown
	}
	const service = "] [service="
	at := bytes.LastIndex(failure, []byte(service))
	if at < 0 {
		return spoor.LineUnknown
	}
	e.Kind, e.Address = spoor.EventLoginFailed, failure[:at]
	if hasAny(failure[at+len(service):], "imap", "pop", "sieve") {
		e.Kind = spoor.EventAccessFailed
	}
	return spoor.LineEvent
}
