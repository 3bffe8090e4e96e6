package logs

import (
	"path"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// maxConfig bounds a configuration file of syslog, in bytes.
const maxConfig = 1 << 20

// priorities is the set of priorities of the facility mail that a rule logs: bit
// 0 is debug, bit 7 emerg.
type priorities uint8

const (
	allPriorities priorities = 0xff
	fromInfo      priorities = 0xfe
)

// rule is a file that a syslog daemon writes mail's messages to.
type rule struct {
	path    string
	mail    priorities
	general bool // other facilities too
}

// rules reads the configurations of syslogd, rsyslogd and syslog-ng. What they
// say in forms other than selectors and simple destinations is not understood.
func rules(root *host.Root, gaps *spoor.Gaps) []rule {
	var list []rule
	names := []string{"/etc/rsyslog.conf", "/etc/syslog.conf"}
	if dir, err := root.OpenDir("/etc/rsyslog.d"); err == nil {
		for entry, err := range dir.Entries() {
			if err == nil && strings.HasSuffix(string(entry.Name), ".conf") {
				names = append(names, path.Join("/etc/rsyslog.d", string(entry.Name)))
			}
		}
		_ = dir.Close()
	}
	slices.Sort(names[2:])
	for _, name := range names {
		list = append(list, selectorRules(readConfig(root, name, gaps))...)
	}
	return append(list, syslogNG(readConfig(root, "/etc/syslog-ng/syslog-ng.conf", gaps))...)
}

func readConfig(root *host.Root, name string, gaps *spoor.Gaps) string {
	data, err := root.ReadFile(name, maxConfig)
	if err != nil {
		if root.Exists(name) {
			gaps.Add(name, "syslog's configuration could not be read: "+cause(err))
		}
		return ""
	}
	return string(data)
}

// selectorRules reads the lines of syslog.conf(5), rsyslog's among them:
//
//	mail.*                                  -/usr/local/psa/var/log/maillog
func selectorRules(text string) []rule {
	var list []rule
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
		selector, action := cutSelector(strings.TrimSpace(line))
		target := actionFile(action)
		if target == "" {
			continue
		}
		r := rule{path: target}
		for part := range strings.SplitSeq(selector, ";") {
			r.apply(part)
		}
		if r.mail != 0 {
			list = append(list, r)
		}
	}
	return list
}

// cutSelector parts a line at its first blank; rsyslog's own forms of a selector
// have a fixed one each.
func cutSelector(line string) (selector, action string) {
	if rest, ok := strings.CutPrefix(line, "if $syslogfacility-text == 'mail' then "); ok {
		return "mail.*", rest
	}
	if line == "" || strings.ContainsRune("#$:&", rune(line[0])) {
		return "", ""
	}
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return "", ""
	}
	return line[:i], strings.TrimSpace(line[i:])
}

// actionFile returns the file that an action writes to, or "".
func actionFile(action string) string {
	if strings.HasPrefix(action, "action(") && strings.Contains(action, "omfile") {
		for _, key := range []string{`file="`, `File="`} {
			if _, rest, ok := strings.Cut(action, key); ok {
				name, _, _ := strings.Cut(rest, `"`)
				return absolute(name)
			}
		}
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(action, "-"), ";") // a template may follow
	name, _, _ = strings.Cut(name, " ")
	return absolute(strings.TrimSpace(name))
}

// absolute returns a clean path, or "" for what is none or no regular log.
func absolute(name string) string {
	if !strings.HasPrefix(name, "/") || strings.HasPrefix(name, "/dev/") {
		return ""
	}
	return path.Clean(name)
}

var priorityNames = []string{"debug", "info", "notice", "warning", "err", "crit", "alert", "emerg"}

// apply changes the rule by one selector, such as "*.info", "mail.none" or
// "mail,news.=err".
func (r *rule) apply(selector string) {
	facilities, priority, ok := strings.Cut(strings.ToLower(strings.TrimSpace(selector)), ".")
	if !ok {
		return
	}
	names := strings.Split(facilities, ",")
	for _, name := range names {
		r.general = r.general || name != "mail" && priority != "none"
	}
	if !slices.Contains(names, "mail") && !slices.Contains(names, "*") {
		return
	}
	priority, negative := strings.CutPrefix(priority, "!")
	priority, single := strings.CutPrefix(priority, "=")
	var set priorities
	switch level := levelOf(priority); {
	case priority == "none":
		set, negative = allPriorities, true
	case priority == "*":
		set = allPriorities
	case level < 0:
		return
	case single:
		set = 1 << level
	default:
		set = allPriorities << level
	}
	if negative {
		r.mail &^= set
		return
	}
	r.mail |= set
}

func levelOf(priority string) int {
	switch priority {
	case "warn":
		priority = "warning"
	case "error":
		priority = "err"
	case "panic":
		priority = "emerg"
	}
	return slices.Index(priorityNames, priority)
}

// syslogNG reads simple destinations, filters and log statements of syslog-ng:
//
//	destination d_mail { file("/var/log/mail.log"); };
//	filter f_mail { facility(mail); };
//	log { source(s_src); filter(f_mail); destination(d_mail); };
func syslogNG(text string) []rule {
	files, mail := map[string]string{}, map[string]priorities{}
	var list []rule
	for statement := range strings.SplitSeq(withoutComments(text), "};") {
		head, body, _ := strings.Cut(statement, "{")
		words := strings.Fields(head)
		switch {
		case len(words) == 2 && words[0] == "destination":
			files[words[1]] = absolute(argument(body, "file"))
		case len(words) == 2 && words[0] == "filter" && strings.Contains(body, "facility(mail") && !strings.Contains(body, "not facility(mail"):
			mail[words[1]] = allPriorities
			if strings.Contains(body, "level(") || strings.Contains(body, " and ") {
				mail[words[1]] = fromInfo
			}
		case len(words) == 1 && words[0] == "log":
			filter, target := argument(body, "filter"), files[argument(body, "destination")]
			if set := mail[filter]; set != 0 && target != "" {
				list = append(list, rule{path: target, mail: set})
			}
		}
	}
	return list
}

func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// argument returns what stands in brackets behind a name, without quotes.
func argument(text, name string) string {
	_, rest, ok := strings.Cut(text, name+"(")
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, ")")
	return strings.Trim(strings.TrimSpace(value), `"'`)
}
