package exim

// begins reports whether a line begins with one of the texts of a table, which is
// sorted and in which none begins with another: so the one before the line's
// place is the only one that can.
func begins(line []byte, table []string) bool {
	low, high := 0, len(table)
	for low < high {
		middle := (low + high) / 2
		if isBefore(line, table[middle]) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	if low == 0 {
		return false
	}
	_, ok := cut(line, table[low-1])
	return ok
}

// isBefore reports whether a line comes before a text in the order of bytes.
func isBefore(line []byte, text string) bool {
	for i := range min(len(line), len(text)) {
		if line[i] != text[i] {
			return line[i] < text[i]
		}
	}
	return len(line) < len(text)
}

// troubles are the beginnings of what Exim writes where its server needs help: most go to
// paniclog too.
var troubles = [...]string{
	`"discard" verb not allowed in `, `"drop" verb not allowed in `, `"timeout_dns" is no longer available`, "(SSL_CTX_",
	"2nd fork for serialized ETRN failed: ", `ACL "warn" with "message" setting `, "ACL for QUIT returned ERROR: ",
	"ACL for not-QUIT returned ERROR: ", "Attempt to exec tainted path: ", "Attempt to open msglog file path ", "Bad db record size for ",
	"Bad expansion for ", "Can't cleanup environment", "Cannot lock ", "Cannot open main log file ", "Cannot open panic log file ",
	"Cannot open reject log file ", "Could not open datafile for message ", "Couldn't ", "DCC: Connecting to ", "DCC: Creating ",
	"DCC: error while opening spool file", "DMARC failure ", "Daemon cannot be run when ", "Delivery status for ", "Duplicate lookup name ",
	"Error in system filter: ", "Error loading ", "Error reading OCSP response from ", "Error reading spool file ",
	"Error/short write while writing ", "Exim configuration error", "Exim configuration file ", "Exim internal error: ", "Expansion of ",
	"Failed setting ownership on spool file ", "Failed to create IPv6 socket ", "Failed to create directory ", "Failed to create spool file ",
	"Failed to expand ", "Failed to get read lock for ", "Failed to get write lock for ", "Failed to open ", "Failed to read PEM file ",
	"Failed to reopen ", "Failed writing transport result", "Fork failed for local delivery ", "Format error in spool file ", "Lookup module ",
	"More than one path given in log_file_path", "Process failed (", "Rewrite of ", "SEGV_", "SIGSEGV", "Setting IPV6_V6ONLY ", "Spool error for ",
	"Spool error: no recipients for ", "Spool format error ", "Stat failed on ", "TLS error (D-H param setting ", "TLS error (RSA_generate_key)",
	"Taint mismatch, ", "Tainted '", "Tainted dirname ", "Tainted filename ", "Tainted name ", "Unexpected error return ",
	"Unrecognised socks auth method ", "Wrong ownership on ", "acl_smtp_mime: ", "already initialised GnuTLS",
	"attempt to open journal for reading ", "attempt to use tainted ", "attempt to used tainted ", "backtrace", "bad internal_store_malloc request ",
	"bad local_part ", "bad memory ", "bad protocol option in transport: ", "bad router variable name ", "bad value for smtp_receive_timeout",
	"both local_from_check and ", "buffer underflow in ", "callout transport '", "can't return to previous working dir", "cannot accept message: failed to stat ",
	"cannot run initgroups()", "configured error code starts with incorrect digit ", "could not stat ", "daemon: close(",
	"daemon: delivery process fork failed", "daemon: fork of ", "debug tag may not contain ", "delivery re-exec ", "dlfunc{", "dmarc: ",
	"dns_again_means_nonexist recursion ", "excessive memory alloc request", "exec of ", "exim user lost privilege for using ", "expansion of ",
	"failed to alloc ", "failed to create pipe in queue runner ", "failed to dup inetd socket ", "failed to expand ", "failed to find ",
	"failed to fork automatic delivery ", "failed to fsync journal: ", "failed to load cert chain from ", "failed to malloc ", "failed to open ",
	"failed to parse address ", "failed to read delivery status for ", "failed to set up ETRN command: ", "failed to stat ",
	"failed to update journal for ", "failed to write journal for ", "failed to write to ", "failure to create DMARC history file",
	"failure to read ", "failure to send DMARC forensic report", "failure to store ", "failure to write to DMARC history file", "fork failed",
	"fork of delivery process ", "fork of process for ETRN failed", "fork() failed when starting daemon", "getrlimit(", `home directory "`,
	"initgroups failed for uid=", "internal ACL error: ", "internal error in ", "internal error: ", "internal problem in ",
	"invalid message_size_limit: ", "invalid value for message_size_limit: ", `link("`, "listen() failed on interface ",
	"local_scan() function crashed ", "local_scan() function timed out ", "log directory space check failed: ", "log string overflowed ",
	"log_file_path ", "malformed ratelimit data: ", "malloc() failed for ", "malware acl condition: ", "mime acl condition: ", "nmh lookup: ",
	"no port specified for interface ", "non-existent configuration file", "null conn-context pointer", "partial matching is not applicable ",
	"pid file path ", "pid_file_path ", "priv_drop_temp: ", "priv_restore: ", "queue run: error on pipe", "queue run: process ",
	"queue run: unexpected data on pipe", "re-exec of exim ", "readsock fdopen: ", "regex acl condition: ", "regular expression error: ",
	"remote delivery process count got out of step", "rewrite rule repeat ignored ", "rmdir(", "routing loop for ", "setegid(", "seteuid(",
	"setgroups: ", "setrlimit(", "setting SO_REUSEADDR on socket failed ", "setup fail for ", "shadow transport ", "signing: ", "signing_init: ",
	"smtp-wait database entry for ", "smtp_notquit_exit() called ", "socket bind() to port ", "socks auth failed", "spam acl condition: ",
	"spool directory space check failed: ", "spool_directory ", "store_mark called for pool ", "store_reset called ",
	"string too large in smtp_printf", "string too long in header_add", "string_format internal error", "string_format: unsupported type ",
	"string_sprintf expansion was longer ", "syslog_processname is longer ", "system filter generated more than ",
	"tainted search query is not properly quoted", "tls_verify_certificates ", "too many lookups open", "unable to expand message_size_limit",
	"unable to open debug log", "unable to open file ", "unable to read file: ", "unable to set gid=", "uname() failed ",
	"unknown item in dnslist (ignored): ", "unknown log name ", "unknown named ", "unlink(", "write failed on panic log",
}

// remarks are the beginnings of lines that are understood and of no use here.
var remarks = [...]string{
	"ALPN unusable with ", "ARC: ", "ATRN '", "Abandon queue run: ", "Authentication-Results: ", "CNAME loop for ", "Child mail process returned status ",
	"Connection aborted; STARTTLS support ", "Connection to host ", "DANE attempt failed; ", "DANE error: ", "DCC: Couldn't shutdown socket",
	"DCC: warning - ", "DKIM START: ", "DKIM: ", "DNS list lookup defer ", "DNS list lookup for ", "Delivery deferred by system filter",
	"EHLO/HELO response must not contain newlines", "ETRN ", "End '", "End ODMR ", "End queue run: ", "Error in ", "Error or EOF on input from ",
	"Error while reading message with no usable sender address", "Failed to get user name for uid ", "Failed to look up uid ", "Frozen",
	"Header modification in data ACLs ", "Input from inetd is not supported ", "Internal error: invalid IPv6 address ", "Long A lookup for ",
	"Long AAAA lookup for ", "Long MX lookup for ", "Long PTR lookup for ", "Long forward lookup for ", "Long host lookup for ", "Long lookup for ",
	"Long name lookup for ", "Long reverse lookup for ", "Loop detected in lookup of local part of ", "MIME acl condition warning ",
	"Malformed IP address ", "Message abandoned: ", "Message has been ", "Message is frozen", "OCSP dates invalid", "OCSP unusable with this GnuTLS ",
	"PDKIM: ", "PRDR ", "Process ", "Received TLS cert status response", "Remote host ", "Required TLS certificate status not received",
	`Response to "`, "Retry time not yet reached", "SA: ", "SMTP command timeout on", "SMTP connection ", "SMTP data timeout ", "SMTP error from remote ",
	"SMTP protocol error in ", "SMTP protocol violation: ", "SMTP syntax error in ", "SMTP timeout ", "SSL channel closed on write",
	"SSL verify denied by event-action", "SSL verify error: ", "SSL_write error ", "SSL_write: (from ", "STARTTLS used when not advertised",
	"Sender identification ", "Sender verify failed", "Server certificate revoked", "Server certificate status unknown", "SpamAssassin as ",
	"Spool file ", "Spool read error on ", "Start '", "Start ODMR ", "Start queue run: ", "TLS ALPN (", "TLS client disconnected cleanly ",
	"TLS error (SSL_read): ", "TLS error (SSL_write): ", "TLS error in certificate ", "TLS error on ", "TLS recv error on connection ",
	"TLS send error on connection ", "TLS session failure", "TLS session required but ", "TLS session: (", "Temporary error with DCC: ",
	"Timeout on nmh lookup ", "Too many recipients: ", "Unfrozen by ", "Unknown DCC response: ", "VRFY failed for ",
	"WARNING: deprecated Diffie-Hellman parameter ", "WARNING: obsolete syntax used for lookup", "Warning: ", "Wrong header from DCC", "address <", "arc: ", "bad addresses found in headers",
	"bind of [", "cancelled by ", "creation of pipe for filter or :include: failed", "debugging Exim in inetd wait mode ", "deliver_datafile lseek: ",
	"delivery setrlimit(", "dnslist query is too long ", `dnslists domain "`, "dnssec fail on SRV for ", "failed to connect to ", "failed to move ",
	"failed to run fakens: ", "failed to set socket NODELAY", "failed to unlink ", "fork failed for ", "frozen by ", "getsockname() failed: ",
	"getsockopt() failed from ", "header snprintf failed", "host name alias list truncated", "ident connection to ", "ignoring AUTH=",
	"internal scanner error (ignored): ", "invalid return ", "list matching forced to fail: ", "listen backlog ", "live variable '",
	"local part longer than ", "lowest numbered MX record points to local host", "mime_regex acl condition warning ", "moved from ",
	"no @ found in the subject of ", "no IP address found for host ", "no MAIL in ", "no host name found for IP address ", "no immediate delivery: ",
	"no recipients found in headers", "notify triggered queue run", "original recipients ignored (system filter)",
	"overlong formatted string in transport", "overlong message header line received ", "overlong write_command in outgoing SMTP",
	"peer close after all rcpt responses", "qualify/rewrite: ", "read from fakens failed: ", "recipient <", "recipient verify defer (",
	"recipient verify fail (", "redirection process ", "regex acl condition warning ", "remote host address is the local host", `response to "`,
	"responsible-mailbox truncated", "retry time not reached ", "ridiculously long message header received ", "sender address changed to <",
	"sender verify defer (", "sender verify fail (", "setitimer() failed: ", "setsockopt(SO_KEEPALIVE) ", "spam acl condition warning ",
	"timed out while reading local message", `unable to parse "`, "unexpected EOF while reading SMTP command ",
	"unexpected disconnection while reading SMTP command ", "unfrozen by ",
}
