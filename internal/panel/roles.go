package panel

import (
	"spoor"
	"spoor/internal/host"
)

// OwnerOf answers whose UID it is from passwd alone: every role but RoleSite,
// which only a panel can tell. Of two logins with one UID the first line wins,
// as in getpwuid(3).
func OwnerOf(passwd *host.Passwd, uid int) spoor.Owner {
	account, ok := passwd.ByUID(uid)
	if !ok {
		return spoor.Owner{UID: uid, GID: -1, Role: spoor.RoleNobody}
	}
	return spoor.Owner{
		UID: uid, GID: account.GID, Login: account.Login,
		Role:  RoleOf(passwd, account),
		Proof: []spoor.Evidence{account.Evidence()},
	}
}

// RoleOf tells what an account is for, by its login: the numbers differ from
// one distribution to the next, and 30 is the web server of one and the mail
// store of another. UID 0 alone is root's whatever it is called, since the
// kernel says so. An account that is for nothing else has RoleUser.
//
// "nobody" runs the web server only where passwd has no login that is made for
// that. A panel that knows better, as where Apache always runs as nobody,
// decides for itself.
func RoleOf(passwd *host.Passwd, account host.Account) spoor.Role {
	switch {
	case account.UID == 0 || account.Login == "root":
		return spoor.RoleRoot
	case runsWebServer(account.Login):
		return spoor.RoleWebServer
	case runsMail(account.Login):
		return spoor.RoleMailSystem
	case account.Login == "nobody" && !hasWebServer(passwd):
		return spoor.RoleWebServer
	}
	return spoor.RoleUser
}

func hasWebServer(passwd *host.Passwd) bool {
	for _, account := range passwd.All() {
		if runsWebServer(account.Login) {
			return true
		}
	}
	return false
}

// runsWebServer knows the logins of Apache and its like: apache (Red Hat),
// www-data (Debian), wwwrun (SUSE), www (FreeBSD), http (Arch).
func runsWebServer(login string) bool {
	switch login {
	case "apache", "apache2", "www-data", "wwwrun", "www", "httpd", "http",
		"nginx", "lighttpd", "lsadm", "caddy":
		return true
	}
	return false
}

// runsMail knows the logins of MTAs, mail stores, mailing lists and filters.
func runsMail(login string) bool {
	switch login {
	case "alias", "qmaild", "qmaill", "qmailp", "qmailq", "qmailr", "qmails", // qmail INSTALL.ids
		"vpopmail", "popuser", "mhandlers-user", "qscand", "simscan", // qmail and Plesk add-ons
		"postfix", "Debian-exim", "exim", "mailnull", "smmsp", "smmta", "mail", "courier",
		"vmail", "dovecot", "dovenull", "cyrus", "fetchmail",
		"mailman", "list", "majordom", "sympa",
		"cpaneleximfilter", "cpaneleximscanner", "mailtrap", // cPanel
		"clamav", "amavis", "vscan", "drweb", "spamd", "debian-spamd", "postgrey", "opendkim", "opendmarc":
		return true
	}
	return false
}
