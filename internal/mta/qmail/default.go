package qmail

import (
	"io"
	"maps"
	"slices"
	"strings"

	"spoor"
)

// maxDefault bounds a .qmail file that is looked at, in bytes.
const maxDefault = 16 << 10

// maxDomains bounds the domains of a folder.
const maxDomains = 100000

// DefaultPolicies adds what .qmail-default files tell of mail for users that do
// not exist: one for each domain that has a folder in one of the folders. A
// domain without such a file is taken to reject, which files cannot prove, so it
// is not listed.
func (q *Queue) DefaultPolicies(policy *spoor.MailPolicy, folders ...string) {
	for _, folder := range folders {
		domains, err := q.root.List(folder, maxDomains)
		if err != nil {
			continue
		}
		slices.Sort(domains)
		for _, domain := range domains {
			if text, ok := q.defaultOf(folder + "/" + domain); ok && strings.Contains(domain, ".") {
				policy.Domains = append(policy.Domains, defaultPolicy(strings.ToLower(domain), folder+"/"+domain+"/"+dotDefault, text))
			}
		}
	}
	const alias = "/var/qmail/alias"
	text, ok := q.defaultOf(alias)
	if !ok {
		return
	}
	for _, domain := range slices.Sorted(maps.Keys(q.control.local)) {
		policy.Domains = append(policy.Domains, defaultPolicy(domain, alias+"/"+dotDefault, text))
	}
}

const dotDefault = ".qmail-default"

// defaultOf reads the .qmail-default in a folder. The folder may belong to a
// customer, so a link in the file's place is not followed.
func (q *Queue) defaultOf(folder string) (string, bool) {
	dir, err := q.root.OpenDir(folder)
	if err != nil {
		return "", false
	}
	defer func() { _ = dir.Close() }()
	file, err := dir.Open([]byte(dotDefault))
	if err != nil {
		return "", false
	}
	defer file.Close()
	buffer := make([]byte, maxDefault)
	n, err := file.Read(buffer)
	if err != nil && n == 0 && err != io.EOF { //nolint:errorlint // File.Read returns it bare
		return "", false
	}
	return string(buffer[:n]), true
}

// defaultPolicy reads the instructions of a .qmail-default (dot-qmail(5)).
func defaultPolicy(domain, file, text string) spoor.DomainPolicy {
	d := spoor.DomainPolicy{Domain: domain, Policy: spoor.NonexistentDiscard, Place: spoor.Evidence{What: "qmail-default", File: file}}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
			continue
		case line[0] == '|' && (strings.Contains(line, "bouncesaying") || strings.Contains(line, "bounce-no-mailbox")):
			d.Policy = spoor.NonexistentBounce
		case line[0] == '|':
			d.Policy = spoor.NonexistentUnknown
		case line[0] == '/' || line[0] == '.':
			d.Policy = spoor.NonexistentForward // into one mailbox
		default:
			d.Policy, d.Target = spoor.NonexistentForward, strings.TrimPrefix(line, "&")
		}
		d.Value, d.Place.Line, d.Place.Text = line, number, line
		return d
	}
	return d
}
