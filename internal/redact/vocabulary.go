package redact

// words makes a set.
func words(list ...string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, word := range list {
		set[word] = true
	}
	return set
}

// systemAccounts are local parts that say what a message is, and of whom they are
// on every server (RFC 2142).
var systemAccounts = words("postmaster", "root", "mailer", "daemon", "abuse", "hostmaster", "webmaster", "nobody", "anonymous", "apache",
	"www", "data", "apache2", "httpd", "nginx", "mail", "alias", "qmailq", "qmails", "qmaild", "bounce", "bounces", "owner", "request", "srs0", "srs1", "double")

// vocabulary are words that mail systems write, and labels that say what a host
// is for. They are no names even where a login or a label is spelled so.
var vocabulary = words("localhost", "localdomain", "local", "mail", "mx", "smtp", "imap", "pop", "pop3", "www", "ns", "arpa", "addr", "ip6",
	"from", "to", "for", "by", "with", "via", "id", "msg", "uid", "gid", "pid", "qp", "status", "sent", "deferred", "bounced", "success", "failure",
	"deferral", "delivery", "remote", "relay", "delay", "delays", "dsn", "client", "user", "users", "host", "helo", "ehlo", "proto", "queue", "queued",
	"message", "messages", "size", "nrcpt", "active", "removed", "expired", "returned", "sender", "recipient", "recipients", "subject", "info", "error",
	"warning", "fatal", "panic", "reject", "rejected", "accepted", "connect", "disconnect", "connection", "lost", "timeout", "timed", "out", "refused",
	"unknown", "login", "auth", "sasl", "plain", "cram", "digest", "password", "failed", "authenticated", "authentication", "postfix", "exim", "exim4",
	"qmail", "dovecot", "courier", "cyrus", "saslauthd", "amavis", "spamd", "opendkim", "policyd", "cron", "pickup", "cleanup", "qmgr", "smtpd", "lmtp",
	"virtual", "pipe", "anvil", "bounce", "trivial", "rewrite", "submission", "smtps", "master", "home", "var", "etc", "usr", "log", "spool", "tmp",
	"vhosts", "httpdocs", "htdocs", "public", "html", "cgi", "bin", "sbin", "lib", "opt", "srv", "root", "admin", "test", "backup", "web", "site", "dsl",
	"dyn", "dynamic", "static", "pool", "cable", "example", "invalid", "date", "received", "return", "path", "content", "type", "text", "charset", "utf",
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mon", "tue", "wed", "thu", "fri", "sat", "sun", "utc", "gmt")

// publicDomains are of large receivers and of lists that everybody asks: which of
// them refused mail is what an answer rests on, and tells nothing of a person.
var publicDomains = words("gmail.com", "googlemail.com", "google.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "office365.com", "microsoft.com",
	"yahoo.com", "yahoodns.net", "aol.com", "icloud.com", "me.com", "apple.com", "gmx.de", "gmx.net", "gmx.com", "web.de", "t-online.de", "mail.ru", "yandex.ru",
	"qq.com", "163.com", "126.com", "comcast.net", "orange.fr", "free.fr", "laposte.net", "libero.it", "proton.me", "protonmail.ch", "spamhaus.org",
	"spamcop.net", "barracudacentral.org", "sorbs.net", "uceprotect.net", "surbl.org", "uribl.com", "localhost.localdomain")
