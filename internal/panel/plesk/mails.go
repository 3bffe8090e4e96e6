package plesk

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"spoor"
	"spoor/internal/panel"
)

const (
	iniLimit = 1 << 20 // bytes of one php.ini
	maxInis  = 500
	maxMails = 200_000
)

// ScriptMails returns the calls of mail() of a query that PHP mail logs tell of,
// by time: those of scripts in the folders of the sites that are meant. The
// logs are where php.ini says (mail.log), and where administrators usually put
// them. The error is that of ctx; everything else that is missing is a gap.
func (p *Panel) ScriptMails(ctx context.Context, q Query) ([]spoor.ScriptMail, error) {
	everything, err := panel.OpenFolder(p.root, "/")
	if err != nil {
		return nil, err
	}
	budget := &panel.Budget{PerFile: logBytes, Left: allLogBytes}
	meant := p.folders(q)
	zone := p.zone()
	var mails []spoor.ScriptMail
	for _, name := range p.mailLogs(everything) {
		log := panel.Log{Folder: everything, Name: name, Budget: budget, Gaps: &p.gaps}
		for mail := range log.ScriptMails(q.Window, zone) {
			if ctx.Err() != nil {
				return mails, ctx.Err()
			}
			if len(mails) == maxMails {
				p.gaps.Add(name, fmt.Sprintf("more than %d calls of mail(): the rest was left out", maxMails))
				break
			}
			if meant.hold(mail.Script) {
				mails = append(mails, mail)
			}
		}
	}
	slices.SortStableFunc(mails, func(a, b spoor.ScriptMail) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Script, b.Script))
	})
	return mails, ctx.Err()
}

// folders are what a query's scripts must lie in; nil is anywhere.
type folders []string

func (f folders) hold(script string) bool {
	if f == nil {
		return true
	}
	return slices.ContainsFunc(f, func(folder string) bool {
		return strings.HasPrefix(path.Clean(script), folder+"/")
	})
}

func (p *Panel) folders(q Query) folders {
	sites, all := p.selected(q)
	if all {
		return nil
	}
	meant := folders{}
	for _, site := range sites {
		if home := p.homeOfSite(site); home != "" && (site.Domain == site.Subscription || slices.Contains(q.Sites, site.Subscription)) {
			meant = append(meant, home)
		}
		meant = append(meant, site.DocumentRoots...)
	}
	if p.hasVHosts() && p.vhosts.Name() != p.conf.VHosts { // PHP resolves links
		for _, folder := range meant {
			meant = append(meant, p.vhosts.Name()+strings.TrimPrefix(folder, p.conf.VHosts))
		}
	}
	return meant
}

// zone is the server's own time zone; UTC where that is not known.
func (p *Panel) zone() *time.Location {
	data, err := p.root.ReadFile("/etc/localtime", iniLimit)
	if err != nil {
		return time.UTC
	}
	zone, err := time.LoadLocationFromTZData("server", data)
	if err != nil {
		return time.UTC
	}
	return zone
}

// mailLogs lists the PHP mail logs that are there, each once.
func (p *Panel) mailLogs(everything panel.Folder) []string {
	names := []string{"/var/log/phpmail.log", "/var/log/php_mail.log"}
	for _, ini := range p.inis() {
		data, err := p.root.ReadFile(ini, iniLimit)
		if err != nil {
			p.gaps.Add(ini, "PHP configuration cannot be read: "+panel.Cause(err))
			continue
		}
		switch name := mailLogOf(data); {
		case name == "syslog":
			names = append(names, "/var/log/messages", "/var/log/syslog")
		case strings.HasPrefix(name, "/"):
			names = append(names, path.Clean(name))
		}
	}
	var logs, files []string
	for _, name := range names {
		file, err := everything.Resolve(name)
		if err == nil && !slices.Contains(files, file) && everything.IsFile(file) {
			logs, files = append(logs, name), append(files, file)
		}
	}
	return logs
}

// inis lists the configuration files of every PHP that distributions and Plesk
// install.
func (p *Panel) inis() []string {
	var files []string
	for _, pattern := range []string{
		"etc/php.ini", "etc/php.d/*", "etc/php5/*/php.ini", "etc/php/*/*/php.ini",
		"opt/plesk/php/*/etc/php.ini", "opt/plesk/php/*/etc/php.d/*",
	} {
		files = append(files, p.glob("", strings.Split(pattern, "/"))...)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return !strings.HasSuffix(name, ".ini") })
	if len(files) > maxInis {
		p.gaps.Add(files[maxInis], fmt.Sprintf("more than %d PHP configuration files: the rest was left out", maxInis))
		files = files[:maxInis]
	}
	return files
}

// glob lists the files that a pattern names, sorted; a part of it is a name or
// a star.
func (p *Panel) glob(folder string, pattern []string) []string {
	if len(pattern) == 0 {
		return []string{folder}
	}
	if pattern[0] != "*" {
		name := folder + "/" + pattern[0]
		if !p.root.Exists(name) {
			return nil
		}
		return p.glob(name, pattern[1:])
	}
	dir, err := p.root.OpenDir(folder)
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }()
	var names []string
	for entry, err := range dir.Entries() {
		if err != nil || len(names) > maxInis {
			break
		}
		names = append(names, string(entry.Name))
	}
	slices.Sort(names)
	var files []string
	for _, name := range names {
		files = append(files, p.glob(folder+"/"+name, pattern[1:])...)
	}
	return files
}

// mailLogOf finds mail.log in the text of a php.ini:
//
//	mail.log = /var/log/phpmail.log
//
// The last setting counts. "" means that there is none.
func mailLogOf(ini []byte) string {
	value := ""
	for line := range bytes.Lines(ini) {
		key, after, ok := bytes.Cut(line, []byte{'='})
		if !ok || string(bytes.TrimSpace(key)) != "mail.log" {
			continue
		}
		after, _, _ = bytes.Cut(after, []byte{';'})
		value = string(bytes.Trim(bytes.TrimSpace(after), `"'`))
	}
	if strings.IndexByte(value, 0) >= 0 {
		return ""
	}
	return value
}
