package plain

import (
	"path"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/panel"
)

const (
	confBytes   = 4 << 20 // of one configuration file
	allBytes    = 64 << 20
	maxFiles    = 50_000 // of configuration, each as often as it is included
	maxDepth    = 10     // of files in files
	maxListed   = 5000   // names of one folder
	maxVHosts   = 50_000
	maxPerVHost = 100 // names, document roots and logs
)

// reading is one reading of the configuration of the web servers. It is bounded:
// files may name each other in circles.
type reading struct {
	root  *host.Root
	gaps  *spoor.Gaps
	files int
	bytes int
	texts map[string]string // of files that were read
}

// text reads a configuration file. One that is missing is empty.
func (r *reading) text(name string) string {
	text, known := r.texts[name]
	if r.files++; r.files > maxFiles || r.bytes > allBytes {
		r.gaps.Add(name, "too many configuration files: sites may be missing")
		return ""
	}
	if known {
		return text
	}
	data, err := r.root.ReadFile(name, confBytes)
	if err != nil {
		if r.root.Exists(name) {
			r.gaps.Add(name, "configuration cannot be read: "+panel.Cause(err))
		}
		data = nil
	}
	r.bytes += len(data)
	r.texts[name] = string(data)
	return r.texts[name]
}

// matching lists the files that a pattern names, sorted, as path.Match does. Only
// parts with a special character are looked for.
func (r *reading) matching(pattern string) []string {
	found := []string{""}
	for part := range strings.SplitSeq(strings.Trim(path.Clean(pattern), "/"), "/") {
		var next []string
		for _, folder := range found {
			if !strings.ContainsAny(part, "*?[") {
				next = append(next, folder+"/"+part)
				continue
			}
			if next = append(next, r.in(folder, part)...); len(next) > maxListed {
				break
			}
		}
		found = next[:min(len(next), maxListed)]
	}
	return found
}

func (r *reading) in(folder, pattern string) []string {
	names, err := r.root.List(folder, maxListed)
	if err != nil {
		return nil
	}
	slices.Sort(names)
	var list []string
	for _, name := range names {
		if ok, err := path.Match(pattern, name); ok && err == nil && name[0] != '.' {
			list = append(list, folder+"/"+name)
		}
	}
	return list
}

// pools maps where the pools of PHP-FPM listen to the users that they run as:
//
//	[shop]
//	user = anna
//	listen = /run/php/$pool.sock
func (r *reading) pools() map[string]string {
	users := map[string]string{}
	for _, pattern := range [...]string{"/etc/php/*/fpm/pool.d/*.conf", "/etc/php5/fpm/pool.d/*.conf", "/etc/php-fpm.d/*.conf"} {
		for _, name := range r.matching(pattern) {
			pool, user, listen := "", "", ""
			add := func() {
				if user != "" && listen != "" {
					users[listener(strings.ReplaceAll(listen, "$pool", pool))] = strings.ReplaceAll(user, "$pool", pool)
				}
			}
			for line := range strings.Lines(r.text(name)) {
				line, _, _ = strings.Cut(line, ";")
				line = strings.TrimSpace(line)
				if strings.HasPrefix(line, "[") {
					add()
					pool, user, listen = strings.Trim(line, "[]"), "", ""
				}
				key, value, _ := strings.Cut(line, "=")
				switch value = strings.Trim(strings.TrimSpace(value), `"'`); strings.TrimSpace(key) {
				case "user":
					user = value
				case "listen":
					listen = value
				}
			}
			add()
		}
	}
	return users
}

// listener writes where PHP listens in one form: a socket's path, or address and
// port.
func listener(text string) string {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "unix:"), "fcgi://")
	if strings.HasPrefix(text, "/") {
		return strings.Replace(path.Clean(text), "/var/run/", "/run/", 1)
	}
	if !strings.Contains(text, ":") {
		text = "127.0.0.1:" + text
	}
	return strings.TrimSuffix(strings.Replace(text, "localhost:", "127.0.0.1:", 1), "/")
}
