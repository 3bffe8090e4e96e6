package plain

import (
	"path"
	"strings"
)

// apacheFiles are where the virtual hosts of Apache are: Debian, Red Hat, SUSE.
var apacheFiles = [...]struct{ root, pattern string }{
	{"/etc/apache2", "/etc/apache2/sites-enabled/*"},
	{"/etc/httpd", "/etc/httpd/conf/httpd.conf"},
	{"/etc/httpd", "/etc/httpd/conf.d/*.conf"},
	{"/etc/apache2", "/etc/apache2/vhosts.d/*.conf"},
}

// apache reads the virtual hosts of Apache.
func (r *reading) apache() []vhost {
	var list []vhost
	for _, files := range apacheFiles {
		a := &apacheConf{reading: r, root: files.root, seen: map[string]bool{}, variables: map[string]string{"APACHE_LOG_DIR": "/var/log/apache2"}}
		for _, name := range r.matching(files.pattern) {
			a.read(name, 0)
		}
		list = append(list, a.done...)
	}
	return list
}

// apacheConf is one reading of Apache's configuration.
type apacheConf struct {
	*reading
	root      string // ServerRoot
	seen      map[string]bool
	variables map[string]string
	done      []vhost
	open      *vhost // inside <VirtualHost>; else nil
}

func (a *apacheConf) read(name string, depth int) {
	if depth > maxDepth || len(a.done) > maxVHosts {
		a.gaps.Add(name, "configuration was not read to its end: sites may be missing")
		return
	}
	joined := ""
	for line := range strings.Lines(a.text(name)) {
		line = joined + strings.TrimSpace(line)
		if rest, ok := strings.CutSuffix(line, `\`); ok {
			joined = rest
			continue
		}
		joined = ""
		if line != "" && line[0] != '#' {
			a.directive(words(a.expand(line)), depth)
		}
	}
}

// directive reads a line of the configuration, such as
//
//	ServerName shop.example
//	CustomLog ${APACHE_LOG_DIR}/shop.log combined
func (a *apacheConf) directive(word []string, depth int) {
	if len(word) == 0 {
		return
	}
	name, arguments := strings.ToLower(word[0]), word[1:]
	switch {
	case strings.HasPrefix(name, "<virtualhost"):
		a.open = &vhost{}
	case strings.HasPrefix(name, "</virtualhost"):
		if a.open != nil {
			a.done = append(a.done, *a.open)
			a.open = nil
		}
	case len(arguments) == 0:
	case name == "include" || name == "includeoptional":
		if file, ok := a.file(arguments[0]); ok {
			a.include(file, depth)
		}
	case name == "define" && len(arguments) > 1 && len(a.variables) < maxPerVHost:
		a.variables[arguments[0]] = arguments[1]
	case a.open != nil && len(a.open.names)+len(a.open.roots)+len(a.open.logs) < maxPerVHost:
		a.setting(name, arguments)
	}
}

func (a *apacheConf) include(pattern string, depth int) {
	for _, name := range a.matching(pattern) {
		if a.open != nil || !a.seen[name] { // many hosts may include the same lines
			a.seen[name] = true
			a.read(name, depth+1)
		}
	}
}

// file makes the pattern of an Include absolute.
func (a *apacheConf) file(pattern string) (string, bool) {
	if pattern == "" || strings.ContainsAny(pattern, "\x00$") {
		return "", false
	}
	if pattern[0] != '/' {
		pattern = a.root + "/" + pattern
	}
	return path.Clean(pattern), true
}

// setting reads a line within <VirtualHost>.
func (a *apacheConf) setting(name string, arguments []string) {
	v := a.open
	switch name {
	case "servername":
		host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arguments[0], "http://"), "https://"), ":")
		v.names = append([]string{host}, v.names...)
	case "serveralias":
		v.names = append(v.names, arguments[:min(len(arguments), maxPerVHost)]...)
	case "documentroot":
		if root, ok := folder(arguments[0], a.root); ok {
			v.roots = append(v.roots, root)
		}
	case "customlog", "transferlog":
		if log, ok := folder(arguments[0], a.root); ok {
			v.logs = append(v.logs, log)
		}
	case "suexecusergroup", "assignuserid":
		v.user = arguments[0]
	case "sethandler", "proxypassmatch", "proxypass":
		a.handler(arguments[len(arguments)-1])
	}
}

// handler reads where PHP listens: proxy:unix:/run/php/shop.sock|fcgi://localhost
// or fcgi://127.0.0.1:9000/var/www.
func (a *apacheConf) handler(text string) {
	text = strings.TrimPrefix(text, "proxy:")
	if socket, _, ok := strings.Cut(text, "|"); ok && strings.HasPrefix(socket, "unix:") {
		a.open.handler = listener(socket)
	} else if address, ok := strings.CutPrefix(text, "fcgi://"); ok {
		address, _, _ = strings.Cut(address, "/")
		a.open.handler = listener(address)
	}
}

// expand replaces ${NAME} by what Define or the environment says.
func (a *apacheConf) expand(line string) string {
	if !strings.Contains(line, "${") {
		return line
	}
	for name, value := range a.variables {
		line = strings.ReplaceAll(line, "${"+name+"}", value)
	}
	return line
}

// words cuts a line at blanks; what is in quotes is one word.
func words(line string) []string {
	var list []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		end := strings.IndexAny(line, " \t")
		if line[0] == '"' || line[0] == '\'' {
			if closing := strings.IndexByte(line[1:], line[0]); closing >= 0 {
				list = append(list, line[1:1+closing])
				line = line[closing+2:]
				continue
			}
		}
		if end < 0 {
			end = len(line)
		}
		list = append(list, line[:end])
		line = line[end:]
	}
	return list
}
