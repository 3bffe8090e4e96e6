package panel

import (
	"io"
	"path"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// Bounds of what is read of users' own forwards.
const (
	maxForwardFile   = 64 << 10 // bytes of one file
	maxHomeEntries   = 10_000   // of one home folder that are looked at
	maxMailboxes     = 100_000  // of the server
	maxOwnForwards   = 100_000
	maxQuotedForward = 300 // bytes
)

// mailboxFolders are where mailboxes lie that are no system users: a folder for each
// domain, and in it one for each mailbox. Plesk's, vpopmail's, and the usual ones of
// Postfix and Exim with Dovecot.
var mailboxFolders = [...]string{
	"/var/qmail/mailnames", "/home/vpopmail/domains", "/var/vpopmail/domains", "/var/vmail", "/var/mail/vhosts", "/var/mail/virtual",
	"/home/vmail", "/srv/vmail", "/var/spool/mail/vhosts",
}

// filterFolders have one Exim filter for each domain: cPanel's.
const filterFolder = "/etc/vfilters"

// OwnForwards adds what users themselves forward or have answered: .forward and .qmail
// files, Exim filters and Sieve scripts, of users of passwd, of sites, and of
// mailboxes in their usual places. Customers write these files, so what a link leads
// to outside of the customer's folder is not read. managed is set where the panel has
// told of its own forwards: its .qmail files are left out then.
func OwnForwards(root *host.Root, passwd *host.Passwd, sites []Site, policy *spoor.MailPolicy, managed bool) {
	r := &ownReader{root: root, policy: policy, seen: map[string]bool{}}
	for _, account := range passwd.All() {
		r.home(account.Home, account.Login)
	}
	for _, site := range sites {
		name := site.Subscription
		if account, ok := passwd.ByUID(site.UID); ok {
			name = account.Login
		}
		r.home(site.Home, name)
	}
	for _, base := range mailboxFolders {
		r.mailboxes(base, managed)
	}
	r.domainFilters()
	if r.full {
		policy.Gaps = append(policy.Gaps, spoor.Gap{File: "forwards of users", Reason: "there are more than are read", Count: 1})
	}
}

// ownReader reads the files.
type ownReader struct {
	root   *host.Root
	policy *spoor.MailPolicy
	seen   map[string]bool // home folders that were read
	boxes  int
	full   bool
}

// home reads the files in a home folder.
func (r *ownReader) home(name, login string) {
	folder, err := OpenFolder(r.root, name)
	if err != nil || !path.IsAbs(name) || folder.Name() == "/" || r.seen[folder.Name()] {
		return
	}
	r.seen[folder.Name()] = true
	for _, entry := range r.dotFiles(folder, folder.Name()) {
		file := path.Join(folder.Name(), entry)
		switch {
		case entry == ".forward":
			r.forwardFile(folder, file, login)
		case strings.HasPrefix(entry, ".forward+") || strings.HasPrefix(entry, ".forward-"):
			r.forwardFile(folder, file, login+entry[len(".forward"):])
		case strings.HasPrefix(entry, ".qmail"):
			if address, ok := qmailAddress(entry, login, "-"); ok {
				r.read(folder, file, address, qmailForwards)
			}
		case entry == ".dovecot.sieve" || entry == ".sieve":
			r.read(folder, file, login, sieveForwards)
		}
	}
	// cPanel has the filters of mailboxes in etc, DirectAdmin their scripts in imap.
	r.perMailbox(folder, path.Join(folder.Name(), "etc"), "filter", filterForwards)
	r.perMailbox(folder, path.Join(folder.Name(), "imap"), ".dovecot.sieve", sieveForwards)
}

// dotFiles lists the names in a folder that begin with a dot, in order.
func (r *ownReader) dotFiles(folder Folder, name string) []string {
	return r.names(folder, name, maxHomeEntries, func(entry string) bool {
		return strings.HasPrefix(entry, ".forward") || strings.HasPrefix(entry, ".qmail") || entry == ".dovecot.sieve" || entry == ".sieve"
	})
}

// names lists the names in a folder that are wanted, in order. At most so many of all are
// looked at; where there are more, that is a gap.
func (r *ownReader) names(folder Folder, name string, most int, wanted func(entry string) bool) []string {
	dir, err := folder.OpenDir(name)
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }()
	var list []string
	looked := 0
	for entry, err := range dir.Entries() {
		if err != nil {
			break
		}
		if looked++; looked > most {
			r.policy.Gaps = append(r.policy.Gaps, spoor.Gap{File: name, Reason: "has more files than are looked at for users' forwards", Count: 1})
			break
		}
		if name := string(entry.Name); wanted(name) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// perMailbox reads a file of each mailbox below DOMAIN/USER in a folder of a customer.
func (r *ownReader) perMailbox(folder Folder, top, file string, parse forwardParser) {
	for _, domain := range r.names(folder, top, maxMailboxes, isDomain) {
		for _, user := range r.names(folder, path.Join(top, domain), maxMailboxes, isUser) {
			if r.boxes++; r.boxes > maxMailboxes {
				r.full = true
				return
			}
			r.read(folder, path.Join(top, domain, user, file), user+"@"+strings.ToLower(domain), parse)
		}
	}
}

func isDomain(name string) bool { return strings.Contains(name, ".") && name[0] != '.' }
func isUser(name string) bool   { return name[0] != '.' }

// mailboxes reads the files of mailboxes below a folder that has one for each domain.
func (r *ownReader) mailboxes(base string, managed bool) {
	top, err := OpenFolder(r.root, base)
	if err != nil || r.seen["mailboxes "+top.Name()] {
		return
	}
	r.seen["mailboxes "+top.Name()] = true
	for _, domain := range r.names(top, top.Name(), maxMailboxes, isDomain) {
		folder, err := top.Sub(path.Join(top.Name(), domain))
		if err != nil {
			continue
		}
		for _, user := range r.names(folder, folder.Name(), maxMailboxes, isUser) {
			if r.boxes++; r.boxes > maxMailboxes {
				r.full = true
				return
			}
			home, address := path.Join(folder.Name(), user), user+"@"+strings.ToLower(domain)
			r.read(folder, path.Join(home, ".dovecot.sieve"), address, sieveForwards)
			if !managed {
				r.read(folder, path.Join(home, ".qmail"), address, qmailForwards)
			}
			if base != "/var/qmail/mailnames" {
				r.forwardFile(folder, path.Join(home, ".forward"), address)
			}
		}
		if managed {
			continue
		}
		for _, entry := range r.dotFiles(folder, folder.Name()) {
			if address, ok := qmailAddress(entry, "", ""); ok && address != "default" {
				r.read(folder, path.Join(folder.Name(), entry), address+"@"+strings.ToLower(domain), qmailForwards)
			}
		}
	}
}

// domainFilters reads the filters of whole domains.
func (r *ownReader) domainFilters() {
	folder, err := OpenFolder(r.root, filterFolder)
	if err != nil {
		return
	}
	for _, domain := range r.names(folder, folder.Name(), maxMailboxes, isDomain) {
		r.read(folder, path.Join(folder.Name(), domain), "*@"+strings.ToLower(domain), filterForwards)
	}
}

// qmailAddress is the local part that a .qmail file is for (dot-qmail(5), "Extension
// addresses"): a colon in its name stands for a dot. The users of alias are all those
// that are not of another.
func qmailAddress(entry, login, between string) (string, bool) {
	extension, extended := strings.CutPrefix(entry, ".qmail-")
	extension = strings.ReplaceAll(extension, ":", ".")
	switch {
	case !extended:
		return login, entry == ".qmail" && login != "" && login != "alias"
	case login == "alias":
		return extension, extension != "default"
	default:
		return login + between + extension, extension != ""
	}
}

// forwardFile reads a .forward: a list as in aliases(5), or what Exim's redirect
// router and Sieve know by its first line.
func (r *ownReader) forwardFile(folder Folder, file, address string) {
	r.read(folder, file, address, func(text string, found *ownFound) {
		first, _, _ := strings.Cut(text, "\n")
		switch first = strings.ToLower(strings.Join(strings.Fields(strings.TrimLeft(first, "# \t")), " ")); {
		case strings.HasPrefix(first, "exim filter"):
			filterForwards(text, found)
		case strings.HasPrefix(first, "sieve filter"):
			sieveForwards(text, found)
		default:
			aliasForwards(text, found)
		}
	})
}

// forwardParser finds in a text what it forwards.
type forwardParser func(text string, found *ownFound)

// read reads one file. What cannot be read, or is no file of the customer's, forwards
// nothing.
func (r *ownReader) read(folder Folder, name, address string, parse forwardParser) {
	file, err := folder.OpenFile(name)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxForwardFile+1))
	if err != nil {
		return
	}
	if len(data) > maxForwardFile {
		r.policy.Gaps = append(r.policy.Gaps, spoor.Gap{File: name, Reason: "is longer than what is read of a user's forwards", Count: 1})
		data = data[:maxForwardFile]
	}
	text := string(data)
	found := &ownFound{lines: strings.Split(text, "\n")}
	parse(text, found)
	for _, one := range found.list {
		if len(r.policy.Forwards)+len(r.policy.Answers) >= maxOwnForwards {
			r.full = true
			return
		}
		line := strings.TrimSpace(found.lines[one.line-1])
		place := spoor.Evidence{What: "forward", File: name, Line: one.line, Text: line[:min(len(line), maxQuotedForward)]}
		if one.target == "" {
			r.policy.Answers = append(r.policy.Answers, spoor.Responder{Address: address, Place: place})
		} else {
			r.policy.Forwards = append(r.policy.Forwards, spoor.Forward{Address: address, Target: one.target, Place: place})
		}
	}
}
