package qmail

import (
	"path"
	"slices"
	"strings"
	"syscall"

	"spoor/internal/host"
)

// ruleFiles are rules of tcprules(1) for SMTP: their text, and what tcpserver(1)
// reads.
type ruleFiles struct {
	source, cdb string // absolute below the root, without symbolic links
	hasSource   bool
	text        string       // of source
	compiled    []ruleRecord // of cdb; nil where that cannot be read
}

// current reports whether what tcpserver reads is what would be made of the text.
func (f *ruleFiles) current() bool {
	rules, err := compileRules(f.text)
	return f.hasSource && f.compiled != nil && err == nil && sameRules(rules, f.compiled)
}

// maxRunScripts bounds the services of a folder.
const maxRunScripts = 1000

// runFolders are where services of daemontools, runit and s6 are.
var runFolders = [...]string{"/service", "/var/service", "/etc/service", "/etc/sv", "/var/qmail/supervise", "/run/service"}

// ruleFiles finds the rules for SMTP: in their usual places, and those that the run
// scripts of services name.
func (q *Queue) ruleFiles() []ruleFiles {
	names := slices.Clone(tcpRules[:])
	for _, folder := range runFolders {
		services, err := q.root.List(folder, maxRunScripts)
		if err != nil {
			continue
		}
		slices.Sort(services)
		for _, service := range services {
			script, err := q.root.ReadFile(path.Join(folder, service, "run"), maxDefault)
			if err == nil {
				names = append(names, rulesOf(string(script))...)
			}
		}
	}
	var list []ruleFiles
	seen := map[string]bool{}
	for _, name := range names {
		f := ruleFiles{source: q.linkFree(name), cdb: q.linkFree(name + ".cdb")}
		if seen[f.source] {
			continue
		}
		seen[f.source] = true
		data, err := q.root.ReadFile(f.source, controlLimit)
		f.hasSource, f.text = err == nil, string(data)
		if cdb, err := q.root.ReadFile(f.cdb, controlLimit); err == nil {
			if f.compiled, err = readRuleRecords(cdb); err == nil && f.compiled == nil {
				f.compiled = []ruleRecord{}
			}
		}
		if f.hasSource || f.compiled != nil {
			list = append(list, f)
		}
	}
	return list
}

// linkFree is a path without symbolic links, where there is something; else as it is.
func (q *Queue) linkFree(name string) string {
	if file, err := q.root.Resolve(name); err == nil {
		return host.Abs(file)
	}
	return name
}

// rulesOf finds the files of rules that the tcpserver of an SMTP service is called
// with (tcpserver(1), -x), without their ".cdb".
func rulesOf(script string) []string {
	if !strings.Contains(script, "tcpserver") || !strings.Contains(script, "smtp") {
		return nil
	}
	var names []string
	words := strings.Fields(script)
	for i, word := range words {
		switch {
		case word == "-x" && i+1 < len(words):
			word = words[i+1]
		case strings.HasPrefix(word, "-x"):
			word = word[2:]
		default:
			continue
		}
		name, ok := strings.CutSuffix(strings.Trim(word, `"'`), ".cdb")
		if ok && path.IsAbs(name) && path.Clean(name) == name && plainPath(name) {
			names = append(names, name)
		}
	}
	return names
}

// plainPath reports whether a path can be typed without quoting.
func plainPath(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+-") == ""
}

// tcprulesPrograms are where tcprules(1) is: Debian's, and that of the source.
var tcprulesPrograms = [...]string{"/usr/bin/tcprules", "/usr/local/bin/tcprules", "/command/tcprules", "/usr/sbin/tcprules"}

// tcprules is the program that compiles rules; "" where it is not installed.
func (q *Queue) tcprules() string {
	for _, name := range tcprulesPrograms {
		if info, err := q.root.Stat(name); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return name
		}
	}
	return ""
}

// safeFolder reports whether root alone can put files into the folder of a file, or
// another folder in its place: tcprules writes a second file there, and would follow a
// link in its place.
func (q *Queue) safeFolder(name string) bool {
	for folder := path.Dir(name); ; folder = path.Dir(folder) {
		info, err := q.root.Stat(folder)
		if err != nil {
			return false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || st.Uid != 0 || st.Mode&0o022 != 0 {
			return false
		}
		if folder == "/" {
			return true
		}
	}
}
