package logs

import (
	"path"
	"slices"
	"strings"

	"spoor/internal/host"
)

// knownLogs are where distributions and panels log mail without a word in a
// configuration that we understand.
var knownLogs = [...]rule{
	{path: "/usr/local/psa/var/log/maillog", mail: allPriorities},
	{path: "/opt/psa/var/log/maillog", mail: allPriorities},
	{path: "/var/log/maillog", mail: allPriorities},
	{path: "/var/log/mail.log", mail: allPriorities},
	{path: "/var/log/postfix.log"}, // the manual's example for maillog_file

	// Exim's own: of Debian, DirectAdmin, Red Hat, cPanel, and of its source.
	{path: "/var/log/exim4/mainlog"},
	{path: "/var/log/exim4/rejectlog"},
	{path: "/var/log/exim/mainlog"},
	{path: "/var/log/exim/rejectlog"},
	{path: "/var/log/exim/main.log"},
	{path: "/var/log/exim/reject.log"},
	{path: "/var/log/exim_mainlog"},
	{path: "/var/log/exim_rejectlog"},
	{path: "/var/spool/exim/log/mainlog"},
	{path: "/var/spool/exim/log/rejectlog"},
}

// narrowLogs are what Debian writes besides mail.log, with the same lines.
var narrowLogs = [...]rule{{path: "/var/log/mail.info", mail: fromInfo}}

// generalLogs hold mail where nothing else does.
var generalLogs = [...]rule{
	{path: "/var/log/messages", mail: allPriorities, general: true},
	{path: "/var/log/syslog", mail: allPriorities, general: true},
}

// maxDovecotLogs bounds the names that are read of Dovecot's folder.
const maxDovecotLogs = 1000

// dovecotLogs lists where Dovecot writes its own logs, and what is in a folder of
// its.
func dovecotLogs(root *host.Root) []rule {
	const folder = "/var/log/dovecot"
	list := []rule{{path: "/var/log/dovecot.log"}, {path: "/var/log/dovecot-info.log"}}
	names, err := root.List(folder, maxDovecotLogs)
	if err != nil {
		return list
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			list = append(list, rule{path: path.Join(folder, name)})
		}
	}
	slices.SortFunc(list[2:], func(a, b rule) int { return strings.Compare(a.path, b.path) })
	return list
}

// isRejectlog reports whether a path is that of Exim's rejectlog.
func isRejectlog(name string) bool { return mainlogOf(name) != "" }

// mainlogOf returns where the mainlog is whose rejections a rejectlog repeats; ""
// if a path is no rejectlog's. Failed logins are in both, and count once.
func mainlogOf(name string) string {
	folder, base := path.Split(name)
	main := strings.Replace(base, "reject", "main", 1)
	if main == base || !strings.Contains(main, "log") {
		return ""
	}
	return folder + main
}
