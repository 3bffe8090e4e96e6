package panel

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
)

const maxMails = 200_000

// ScriptMails returns the calls of mail() of a query that PHP mail logs tell of,
// by time: those of scripts in the folders of the sites that are meant. The
// logs are where php.ini says (mail.log), and where administrators usually put
// them. The error is that of ctx; everything else that is missing is a gap.
func (w *Web) ScriptMails(ctx context.Context, q Query) ([]spoor.ScriptMail, error) {
	everything, err := OpenFolder(w.root, "/")
	if err != nil {
		return nil, err
	}
	budget := &Budget{PerFile: logBytes, Left: allLogBytes}
	meant := w.folders(q)
	zone := w.zone()
	var mails []spoor.ScriptMail
	for _, name := range w.mailLogs(everything) {
		log := Log{Folder: everything, Name: name, Budget: budget, Gaps: w.gaps}
		for mail := range log.ScriptMails(q.Window, zone) {
			if ctx.Err() != nil {
				return mails, ctx.Err()
			}
			if len(mails) == maxMails {
				w.gaps.Add(name, fmt.Sprintf("more than %d calls of mail(): the rest was left out", maxMails))
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

func (w *Web) folders(q Query) folders {
	sites, all := w.selected(q)
	if all {
		return nil
	}
	meant := folders{}
	for _, site := range sites {
		if site.Home != "" && (site.Domain == site.Subscription || slices.Contains(q.Sites, site.Subscription)) {
			meant = append(meant, site.Home)
		}
		meant = append(meant, site.DocumentRoots...)
	}
	for _, name := range meant { // PHP resolves links
		if linkFree, err := w.folder.Resolve(name); err == nil && !slices.Contains(meant, linkFree) {
			meant = append(meant, linkFree)
		}
	}
	return meant
}

// zone is the server's own time zone; UTC where that is not known.
func (w *Web) zone() *time.Location {
	data, err := w.root.ReadFile("/etc/localtime", iniLimit)
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
func (w *Web) mailLogs(everything Folder) []string {
	names := []string{"/var/log/phpmail.log", "/var/log/php_mail.log", "/var/log/php-mail.log", "/var/log/php/mail.log"}
	for _, ini := range inis(w.root, w.gaps) {
		data, err := w.root.ReadFile(ini, iniLimit)
		if err != nil {
			w.gaps.Add(ini, "PHP configuration cannot be read: "+Cause(err))
			continue
		}
		switch name := mailLogOf(data); {
		case name == "syslog":
			names = append(names, "/var/log/messages", "/var/log/syslog")
		case strings.HasPrefix(name, "/"):
			names = append(names, path.Clean(name))
		}
	}
	names = append(names, w.poolLogs()...)
	var logs, files []string
	for _, name := range names {
		file, err := everything.Resolve(name)
		if err == nil && !slices.Contains(files, file) && everything.IsFile(file) {
			logs, files = append(logs, name), append(files, file)
		}
	}
	return logs
}

// poolLogs are the logs that pools of PHP-FPM name for themselves.
func (w *Web) poolLogs() []string {
	var names []string
	for _, conf := range phpConfs {
		for _, pool := range glob(w.root, "", strings.Split(path.Dir(conf.ini)+"/"+conf.pools+"/*", "/")) {
			var settings phpSettings
			if settings.read(w.root, pool); strings.HasPrefix(settings.log, "/") && !strings.ContainsAny(settings.log, "$\x00") {
				names = append(names, path.Clean(settings.log))
			}
		}
	}
	return names
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
