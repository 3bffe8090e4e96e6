package exim

import (
	"iter"
	"path"
	"strings"
)

// logs are the values of log_file_path that distributions compile in.
var logs = [...]string{"/var/log/exim4/%slog", "/var/log/exim/%slog", "/var/log/exim/%s.log", "/var/log/exim_%slog"}

// LogFiles implements mta.LogFiler: mainlog and rejectlog, where log_file_path
// says and in the usual places.
func (q *Queue) LogFiles() []string {
	var files []string
	for _, pattern := range append(q.conf.logPatterns(), logs[:]...) {
		for _, name := range [...]string{"main", "reject"} {
			files = append(files, strings.Replace(pattern, "%s", name, 1))
		}
	}
	return files
}

// LogsTwice implements mta.TwiceLogger: log_file_path names syslog and files.
func (q *Queue) LogsTwice() bool {
	syslog, file := false, false
	for item := range q.conf.logItems() {
		syslog = syslog || item == "syslog"
		file = file || item == "" || strings.HasPrefix(item, "/")
	}
	return syslog && file
}

// logItems are the places in log_file_path. An empty one is that of the program.
func (c *Config) logItems() iter.Seq[string] {
	list, separator := c.LogPath, ":"
	if rest, ok := strings.CutPrefix(list, "<"); ok && rest != "" {
		separator, list = rest[:1], rest[1:]
	}
	names := strings.NewReplacer("$spool_directory", c.Spool, "$primary_hostname", c.Hostname)
	return func(yield func(string) bool) {
		for item := range strings.SplitSeq(list, separator) {
			if !yield(names.Replace(strings.TrimSpace(item))) {
				return
			}
		}
	}
}

// logPatterns are the files in log_file_path, each with %s for the name of the
// log. The date in a name, %D or %M, is left out where it comes last: files with it
// look as if they had been rotated (spec.txt, "Where the logs are written").
func (c *Config) logPatterns() []string {
	var patterns []string
	for item := range c.logItems() {
		for _, date := range [...]string{"%D", "%M"} {
			if before, ok := strings.CutSuffix(item, date); ok {
				item = strings.TrimRight(before, "-._")
			}
		}
		base := path.Base(item)
		dates := strings.Count(base, "%D") + strings.Count(base, "%M")
		if strings.HasPrefix(item, "/") && dates <= 1 && strings.Count(item, "%") == 1+dates && strings.Contains(item, "%s") {
			patterns = append(patterns, item)
		}
	}
	if len(patterns) == 0 && c.Spool != "" {
		patterns = append(patterns, path.Join(c.Spool, "log/%slog"))
	}
	return patterns
}
