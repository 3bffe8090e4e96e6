package mta

import (
	"path"
	"strings"

	"spoor"
	"spoor/internal/host"
)

const (
	dovecotFile  = "/etc/dovecot/dovecot.conf"
	dovecotMore  = "/etc/dovecot/conf.d"
	usersBytes   = 64 << 20 // of a list of logins that is read
	configBytes  = 1 << 20  // of a file of Dovecot's configuration
	maxConfFiles = 1000
)

// LockLogin proposes that an account cannot log in at all: where its password is in
// a passwd-file of Dovecot, or in the system's.
func LockLogin(root *host.Root, passwd *host.Passwd, c *spoor.Culprit) spoor.Measures {
	if c.Source.Kind != spoor.KindAccount {
		return spoor.Measures{}
	}
	for _, name := range dovecotUsers(root) {
		if step, ok := lockLine(root, name, c.Source.Name, "{CRYPT}!"); ok {
			return spoor.Measures{Steps: []spoor.Step{step}}
		}
	}
	if account, ok := passwd.ByLogin(c.Source.Name); ok && account.UID > 0 {
		if step, ok := lockLine(root, "/etc/shadow", c.Source.Name, "!"); ok {
			step.What += ", for SMTP, IMAP, SSH and all else"
			return spoor.Measures{Steps: []spoor.Step{step}}
		}
	}
	return spoor.Measures{
		Open: []string{"the password: it is in no file that spoor knows (a database, perhaps)"}, ByHand: []string{"change the password of " + c.Source.Name},
	}
}

// lockLine puts a lock in front of the hash of a login in a file of lines such as
//
//	info@shop.test:{SHA512-CRYPT}$6$…:5000:5000::/var/vmail/info
//
// No password has a hash of crypt(3) that begins with ! (shadow(5)); Dovecot has to
// be told that it is one, since a password may also stand there as it is.
func lockLine(root *host.Root, name, login, lock string) (spoor.Step, bool) {
	data, err := root.ReadFile(name, usersBytes)
	file, unresolved := root.Resolve(name)
	if err != nil || unresolved != nil {
		return spoor.Step{}, false
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		user, rest, ok := strings.Cut(line, ":")
		if !ok || !strings.EqualFold(user, login) || strings.HasPrefix(user, "#") || strings.HasPrefix(rest, lock) {
			continue
		}
		return spoor.Step{
			Kind: spoor.StepEdit, What: user + " cannot log in: its password in " + host.Abs(file) + " is locked", Inverse: "the line is as it was",
			Edit: &spoor.Edit{Path: host.Abs(file), Changes: []spoor.LineChange{{Old: line, New: user + ":" + lock + rest}}},
		}, true
	}
	return spoor.Step{}, false
}

// dovecotUsers are the passwd-files that Dovecot's configuration names.
func dovecotUsers(root *host.Root) []string {
	var users []string
	for _, text := range dovecotConfig(root) {
		users = append(users, passwdFiles(text)...)
	}
	return users
}

// dovecotConfig is what the files of Dovecot's configuration say.
func dovecotConfig(root *host.Root) []string {
	files := []string{dovecotFile}
	names, err := root.List(dovecotMore, maxConfFiles)
	if err == nil {
		for _, name := range names {
			files = append(files, path.Join(dovecotMore, name))
		}
	}
	var texts []string
	for _, name := range files {
		if data, err := root.ReadFile(name, configBytes); err == nil {
			texts = append(texts, string(data))
		}
	}
	return texts
}

// HidesLogins reports whether Dovecot's submission service hands mail to the MTA
// without telling who had logged in: the MTA cannot refuse a login that it does not
// see.
//
//	submission_relay_host = 127.0.0.1
//	submission_relay_trusted = yes
func HidesLogins(root *host.Root) bool {
	relays, trusted := false, false
	for _, text := range dovecotConfig(root) {
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(line, "=")
			switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
			case "submission_relay_host":
				relays = value != ""
			case "submission_relay_trusted":
				trusted = value == "yes"
			}
		}
	}
	return relays && !trusted
}

// passwdFiles are those of the passdb blocks of a configuration:
//
//	passdb {
//	  driver = passwd-file
//	  args = scheme=CRYPT username_format=%u /etc/dovecot/users
//	}
func passwdFiles(text string) []string {
	var files []string
	inside, isFile, name := false, false, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "passdb"):
			inside, isFile, name = true, false, ""
		case inside && line == "}":
			if isFile && strings.HasPrefix(name, "/") && !strings.Contains(name, "%") {
				files = append(files, name)
			}
			inside = false
		case inside && key == "driver":
			isFile = value == "passwd-file"
		case inside && (key == "args" || key == "passwd_file_path"):
			words := strings.Fields(value)
			if len(words) > 0 {
				name = words[len(words)-1]
			}
		}
	}
	return files
}
