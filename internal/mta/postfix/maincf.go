package postfix

import (
	"path"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// MainCF is what main.cf says (postconf(5)). Parameters that it does not set
// have Postfix' own defaults, as far as they matter here.
type MainCF struct {
	root   *host.Root
	gaps   *spoor.Gaps
	folder string
	values map[string]Setting
	maps   map[string]map[string]Entry
}

// Setting is the value of a parameter as it is written, with where it stands.
// Place.Line is 0 for a default.
type Setting struct {
	Value string
	Place spoor.Evidence
}

// Entry is one line of a lookup table.
type Entry struct {
	Value string
	Place spoor.Evidence
}

const (
	configFolder = "/etc/postfix"
	configBytes  = 64 << 20 // largest file of the configuration that is read
	maxNested    = 20       // parameters in parameters
	maxExpansion = 1000     // parameters that one value may name, with those in them
	maxExpanded  = 16 << 20 // bytes of a value
)

var defaults = map[string]string{
	"mydestination":           "$myhostname, localhost.$mydomain, localhost",
	"virtual_alias_domains":   "$virtual_alias_maps",
	"virtual_alias_maps":      "$virtual_maps",
	"virtual_mailbox_domains": "$virtual_mailbox_maps",
	"queue_directory":         "/var/spool/postfix",
	"mail_owner":              "postfix",
	"myorigin":                "$myhostname",
	"alias_maps":              "hash:/etc/aliases",
	"mynetworks_style":        "${{$compatibility_level} <level {2} ? {subnet} : {host}}",
	"config_directory":        configFolder,
	"local_recipient_maps":    "proxy:unix:passwd.byname $alias_maps",
	"authorized_submit_users": "static:anyone",
	"milter_default_action":   "tempfail",
	"recipient_delimiter":     "",
	"syslog_name":             "postfix",
	"hash_queue_names":        "deferred, defer",
	"hash_queue_depth":        "1",
	"enable_long_queue_ids":   "no",
	"minimal_backoff_time":    "300s",
	"command_directory":       "/usr/sbin",
}

// ReadMainCF reads the main.cf of a folder. A file that is missing is empty.
func ReadMainCF(root *host.Root, folder string, gaps *spoor.Gaps) *MainCF {
	c := &MainCF{root: root, gaps: gaps, folder: folder, values: map[string]Setting{}, maps: map[string]map[string]Entry{}}
	name := path.Join(folder, "main.cf")
	data, err := root.ReadFile(name, configBytes)
	if err != nil {
		if root.Exists(name) {
			gaps.Add(name, "cannot be read: "+cause(err))
		}
		data = nil
	}
	for line := range logicalLines(string(data)) {
		parameter, value, ok := strings.Cut(line.text, "=")
		if ok {
			parameter, value = strings.TrimSpace(parameter), strings.TrimSpace(value)
			c.values[parameter] = Setting{value, spoor.Evidence{What: "main.cf", File: name, Line: line.number, Text: parameter + " = " + value}}
		}
	}
	if _, ok := c.values["myhostname"]; !ok {
		data, err := root.ReadFile("/etc/hostname", 4096)
		if name := strings.TrimSpace(string(data)); err == nil && strings.Contains(name, ".") {
			c.values["myhostname"] = Setting{Value: name}
		}
	}
	if _, ok := c.values["mydomain"]; !ok {
		_, domain, _ := strings.Cut(c.Get("myhostname"), ".")
		c.values["mydomain"] = Setting{Value: domain}
	}
	return c
}

// logicalLine is a line with those that continue it.
type logicalLine struct {
	text   string
	number int // of its first line, from 1
}

// logicalLines yields the lines of a configuration file: a line that begins with
// a blank continues the one before; empty lines and those that begin with # are
// none (postconf(5)).
func logicalLines(text string) func(yield func(logicalLine) bool) {
	return func(yield func(logicalLine) bool) {
		var current logicalLine
		number := 0
		for line := range strings.Lines(text) {
			number++
			line = strings.TrimRight(line, "\r\n")
			trimmed := strings.TrimSpace(line)
			switch {
			case trimmed == "" || trimmed[0] == '#':
			case line[0] == ' ' || line[0] == '\t':
				current.text += " " + trimmed
			default:
				if current.number > 0 && !yield(current) {
					return
				}
				current = logicalLine{trimmed, number}
			}
		}
		if current.number > 0 {
			yield(current)
		}
	}
}

// Setting returns a parameter as it is written, and whether main.cf sets it.
func (c *MainCF) Setting(name string) (Setting, bool) {
	s, ok := c.values[name]
	if !ok {
		s.Value = defaults[name]
	}
	return s, ok
}

// Get returns a parameter with the parameters in it replaced.
func (c *MainCF) Get(name string) string {
	left := maxExpansion
	return c.expand("$"+name, 0, &left)
}

// expand replaces $name, ${name}, $(name), ${name?text} and ${name:text}.
// Comparisons between braces are left as they are. left is how many more names
// may be replaced: parameters that name each other end with nothing.
func (c *MainCF) expand(text string, depth int, left *int) string {
	if !strings.Contains(text, "$") {
		return text
	}
	if depth > maxNested {
		return ""
	}
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "$")
		out.WriteString(before)
		if !ok || *left <= 0 || out.Len() > maxExpanded/2 {
			return out.String()
		}
		*left--
		var name string
		name, text = cutName(rest)
		if name == "" {
			out.WriteByte('$')
			continue
		}
		value := c.expand(c.conditional(name), depth+1, left)
		out.WriteString(value[:min(len(value), maxExpanded/2)])
	}
}

// cutName splits what follows a $ into a name, which may be in brackets, and the
// rest.
func cutName(text string) (name, rest string) {
	if text == "" {
		return "", ""
	}
	if text[0] == '{' || text[0] == '(' {
		level := 0
		for i := range len(text) {
			switch text[i] {
			case '{', '(':
				level++
			case '}', ')':
				if level--; level == 0 {
					return text[1:i], text[i+1:]
				}
			}
		}
		return "", text
	}
	end := 0
	for end < len(text) && (isAlnum(text[end]) || text[end] == '_') {
		end++
	}
	return text[:end], text[end:]
}

// conditional is what stands for a name, or for name?text and name:text.
func (c *MainCF) conditional(name string) string {
	value := func(name string) string {
		s, _ := c.Setting(strings.TrimSpace(name))
		return s.Value
	}
	if at := strings.IndexAny(name, "?:"); at >= 0 {
		set := value(name[:at]) != ""
		text := strings.Trim(name[at+1:], "{}")
		if set == (name[at] == '?') {
			return text
		}
		return ""
	}
	return value(name)
}

// List splits the value of a parameter at blanks and commas.
func (c *MainCF) List(name string) []string {
	return strings.FieldsFunc(c.Get(name), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}

// copies are the addresses that cleanup(8) adds to messages.
func (c *MainCF) copies() []string {
	all := []string{c.Get("always_bcc")}
	for _, parameter := range [...]string{"sender_bcc_maps", "recipient_bcc_maps"} {
		for _, spec := range c.List(parameter) {
			table, _ := c.Table(spec)
			for _, entry := range table {
				all = append(all, entry.Value)
			}
		}
	}
	return slices.DeleteFunc(all, func(address string) bool { return !strings.Contains(address, "@") })
}

// tableTypes are the lookup tables whose source is a text of the same name: a
// key, blanks, a value.
var tableTypes = map[string]bool{"hash": true, "btree": true, "texthash": true, "lmdb": true, "cdb": true, "dbm": true, "sdbm": true, "": true}

// Table reads the source of a lookup table such as hash:/etc/postfix/virtual. ok
// is false for tables whose content is elsewhere. Keys are in lower case.
func (c *MainCF) Table(spec string) (table map[string]Entry, ok bool) {
	spec = strings.TrimPrefix(spec, "proxy:")
	kind, name, found := strings.Cut(spec, ":")
	if !found {
		kind, name = "", spec
	}
	if !tableTypes[kind] || !strings.HasPrefix(name, "/") {
		return nil, false
	}
	if known, ok := c.maps[name]; ok {
		return known, known != nil
	}
	c.maps[name] = nil
	data, err := c.root.ReadFile(name, configBytes)
	if err != nil {
		c.gaps.Add(name, "table of Postfix cannot be read: "+cause(err))
		return nil, false
	}
	table = map[string]Entry{}
	for line := range logicalLines(string(data)) {
		key, value := line.text, ""
		if end := strings.IndexAny(line.text, " \t"); end >= 0 {
			key, value = line.text[:end], strings.TrimSpace(line.text[end:])
		}
		key = strings.ToLower(strings.TrimSuffix(strings.Trim(key, `"`), ":"))
		table[key] = Entry{value, spoor.Evidence{What: "table", File: name, Line: line.number, Text: line.text}}
	}
	c.maps[name] = table
	return table, true
}

// ReadConfig reads the configuration of a server, with that of the instances
// that postmulti(1) manages.
func ReadConfig(root *host.Root, passwd *host.Passwd, gaps *spoor.Gaps) (Config, *MainCF) {
	main := ReadMainCF(root, configFolder, gaps)
	served := main.domains()
	conf := Config{
		Dirs: []string{main.Get("queue_directory")}, Hostname: main.Get("myhostname"), OwnerUID: -1,
		Serves: served.serves, Alias: main.alias(), Realm: main.Get("smtpd_sasl_local_domain"), Mains: []*MainCF{main},
	}
	conf.Copies = main.copies()
	conf.addLogFile(main)
	conf.addFilters(main, passwd)
	if owner, ok := passwd.ByLogin(main.Get("mail_owner")); ok {
		conf.OwnerUID = owner.UID
	}
	for _, folder := range main.List("multi_instance_directories") {
		other := ReadMainCF(root, folder, gaps)
		conf.Copies = append(conf.Copies, other.copies()...)
		conf.addLogFile(other)
		conf.addFilters(other, passwd)
		conf.Mains = append(conf.Mains, other)
		if dir := other.Get("queue_directory"); dir != conf.Dirs[0] {
			conf.Dirs = append(conf.Dirs, dir)
		}
		for domain := range other.domains().exact {
			served.exact[domain] = true
		}
	}
	return conf, main
}
