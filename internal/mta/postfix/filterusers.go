package postfix

import (
	"path"
	"strings"

	"spoor/internal/host"
)

// FiltersMail reports whether a UID is that of a content filter which pipe(8) runs:
// what it hands back by sendmail(1) somebody else wrote.
func (q *Queue) FiltersMail(uid int) bool { return q.conf.Filters[uid] }

// addFilters adds the UIDs under which the content filters of an instance run.
func (c *Config) addFilters(main *MainCF, passwd *host.Passwd) {
	for _, login := range main.filterUsers() {
		if account, ok := passwd.ByLogin(login); ok {
			if c.Filters == nil {
				c.Filters = map[int]bool{}
			}
			c.Filters[account.UID] = true
		}
	}
}

// filterUsers are the logins of the services of pipe(8) that content_filter names,
// in main.cf or for one service of master.cf:
//
//	smtp inet n - y - - smtpd -o content_filter=spamassassin
//	spamassassin unix - n - - - pipe user=debian-spamd argv=/usr/bin/spamc -f -e /usr/sbin/sendmail -oi -f ${sender} ${recipient}
func (c *MainCF) filterUsers() []string {
	data, err := c.root.ReadFile(path.Join(c.folder, "master.cf"), configBytes)
	if err != nil {
		return nil // services tells of it
	}
	filters := map[string]bool{transportOf(c.Get("content_filter")): true}
	users := map[string]string{} // of services of pipe(8), by their names
	for line := range logicalLines(string(data)) {
		fields := strings.Fields(line.text)
		if len(fields) < masterColumns {
			continue
		}
		arguments := fields[masterColumns:]
		if set, ok := c.overrides(arguments, line.number)["content_filter"]; ok {
			filters[transportOf(set.Value)] = true
		}
		if fields[masterColumns-1] == "pipe" && fields[1] == "unix" {
			users[fields[0]] = pipeUser(arguments)
		}
	}
	var logins []string
	for name, login := range users {
		if filters[name] && login != "" {
			logins = append(logins, login)
		}
	}
	return logins
}

// masterColumns is how many columns a service has before its arguments (master(5)).
const masterColumns = 8

// transportOf is the service of transport:destination.
func transportOf(filter string) string {
	name, _, _ := strings.Cut(filter, ":")
	return strings.TrimSpace(name)
}

// pipeUser is the login of user=login:group, before the command (pipe(8)).
func pipeUser(arguments []string) string {
	for _, argument := range arguments {
		if strings.HasPrefix(argument, "argv=") {
			return ""
		}
		if user, ok := strings.CutPrefix(argument, "user="); ok {
			login, _, _ := strings.Cut(user, ":")
			return login
		}
	}
	return ""
}
