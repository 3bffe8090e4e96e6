package panel

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// MendPHP proposes that PHP records which script sends mail: in its header, and in
// a log for each pool of PHP-FPM, which belongs to the pool's user. It only reads.
func MendPHP(root *host.Root, passwd *host.Passwd, m *spoor.Mending) spoor.Measures {
	file := m.Finding.Subject
	for _, conf := range phpConfs {
		if !matches(conf.ini, file) && !matches(path.Dir(conf.ini)+"/"+conf.pools+"/*", file) {
			continue
		}
		p := &phpMender{root: root, passwd: passwd, live: m.Live, conf: conf}
		if strings.HasSuffix(file, "/php.ini") {
			return p.ini(file)
		}
		return p.finish(p.pool(file, true), file)
	}
	return spoor.Measures{}
}

// matches reports whether a file has the form of a pattern of phpConfs.
func matches(pattern, file string) bool {
	ok, err := path.Match("/"+pattern, file)
	return err == nil && ok
}

// phpMender proposes the steps for one PHP.
type phpMender struct {
	root   *host.Root
	passwd *host.Passwd
	live   bool
	conf   phpConf
}

// ini turns the header on for all, and gives each pool a log.
func (p *phpMender) ini(file string) spoor.Measures {
	var m spoor.Measures
	step, ok := p.header(file)
	if !ok {
		m.ByHand = append(m.ByHand, "set mail.add_x_header = On in "+file)
		return m
	}
	m.Steps = append(m.Steps, step)
	for _, pool := range glob(p.root, path.Dir(file)+"/"+p.conf.pools, []string{"*"}) {
		if strings.HasSuffix(pool, ".conf") {
			m.Add(p.pool(pool, false))
		}
	}
	return p.finish(m, file)
}

// header is the step that sets mail.add_x_header in a php.ini.
func (p *phpMender) header(file string) (spoor.Step, bool) {
	data, err := p.root.ReadFile(file, iniLimit)
	if err != nil {
		return spoor.Step{}, false
	}
	change := spoor.LineChange{New: "mail.add_x_header = On", Front: sectioned.Match(data)}
	lines := strings.Split(string(data), "\n")
	for _, line := range lines {
		if key, _, ok := strings.Cut(line, "="); ok && strings.TrimSpace(key) == "mail.add_x_header" {
			change.Old, change.Front = line, false // the last one counts
		}
	}
	if change.Old != "" && count(lines, change.Old) > 1 {
		return spoor.Step{}, false
	}
	return spoor.Step{
		Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: linkFree(p.root, file), Changes: []spoor.LineChange{change}},
		What: file + ": PHP names the script in the header of its mail (mail.add_x_header)", Inverse: "the setting is as it was",
	}, true
}

// sectioned finds settings for one host or folder, behind which no general one may
// stand (php.ini, "Per host and per directory configuration").
var sectioned = regexp.MustCompile(`(?im)^\s*\[(HOST|PATH)\s*=`)

func count(lines []string, line string) int {
	n := 0
	for _, one := range lines {
		if one == line {
			n++
		}
	}
	return n
}

// pool gives a pool its log, and the header if that is off for it alone.
func (p *phpMender) pool(file string, header bool) spoor.Measures {
	data, err := p.root.ReadFile(file, iniLimit)
	if err != nil {
		return spoor.Measures{}
	}
	name, user := poolOf(string(data))
	account, known := p.passwd.ByLogin(user)
	if name == "" || !known {
		return spoor.Measures{ByHand: []string{"set php_admin_flag[mail.add_x_header] and php_admin_value[mail.log] for each pool in " + file}}
	}
	var settings phpSettings
	settings.read(p.root, file)
	log := "/var/log/phpmail-" + name + ".log"
	var lines []string
	if header {
		lines = append(lines, "php_admin_flag[mail.add_x_header] = on")
	}
	var steps []spoor.Step
	if settings.log == "" {
		lines = append(lines, "php_admin_value[mail.log] = "+log)
		if !p.root.Exists(log) {
			empty := ""
			steps = append(steps, spoor.Step{
				Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: linkFree(p.root, log), Content: &empty, Mode: 0o600, UID: account.UID, GID: account.GID},
				What: log + " is made for " + user, Inverse: "it is taken away if nothing was written to it", Optional: true,
			})
		}
	}
	if len(lines) == 0 {
		return spoor.Measures{}
	}
	steps = append(steps, spoor.Step{
		Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: linkFree(p.root, file), Changes: []spoor.LineChange{{New: strings.Join(lines, "\n")}}},
		What: file + ": the pool " + name + " logs which script sends (" + strings.Join(lines, "; ") + ")", Inverse: "the lines are taken out",
	})
	return spoor.Measures{Steps: steps, Open: []string{"the log of a pool belongs to its user, who can write what he likes into it: spoor takes it for a claim"}}
}

// poolOf is the name and the user of the one pool in a file; "" if it has several,
// or signs in its name that no file has.
func poolOf(text string) (name, user string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			if name != "" {
				return "", ""
			}
			name = strings.Trim(line, "[]")
		}
		if key, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(key) == "user" {
			user = strings.TrimSpace(value)
		}
	}
	if name == "global" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != "" || strings.HasPrefix(name, ".") {
		return "", ""
	}
	return name, user
}

func linkFree(root *host.Root, name string) string {
	if file, err := root.Resolve(name); err == nil {
		return host.Abs(file)
	}
	if folder, err := root.Resolve(path.Dir(name)); err == nil {
		return host.Abs(path.Join(folder, path.Base(name)))
	}
	return name
}

// finish has PHP read its configuration again, after the steps and after their
// undo.
func (p *phpMender) finish(m spoor.Measures, file string) spoor.Measures {
	if len(m.Steps) == 0 {
		return m
	}
	unit := unitOf(file)
	if !p.live || unit == "" || !p.root.Exists("/run/systemd/system") {
		m.ByHand = append(m.ByHand, "have PHP read its configuration again: reload PHP-FPM, or the web server")
		return m
	}
	reload := reloadUnit(unit)
	before := spoor.Step{Kind: spoor.StepCommand, Command: &spoor.Command{Undo: reload, Lenient: true}, Optional: true}
	after := spoor.Step{
		Kind: spoor.StepCommand, Command: &spoor.Command{Do: reload}, Optional: true,
		What: strings.Join(reload, " "), Inverse: "the same, once the configuration is as it was",
	}
	m.Steps = slices.Concat([]spoor.Step{before}, m.Steps, []spoor.Step{after})
	return m
}

// reloadUnit is the command that has a service read its files again.
func reloadUnit(unit string) []string {
	return []string{"/usr/bin/systemctl", "reload-or-restart", unit}
}

// unitOf is the service that reads a configuration of PHP, on Debian and in Plesk;
// "" for others.
func unitOf(file string) string {
	parts := strings.Split(strings.TrimPrefix(file, "/"), "/")
	switch {
	case len(parts) > 4 && parts[0] == "etc" && parts[1] == "php" && parts[3] == "fpm":
		return "php" + parts[2] + "-fpm.service"
	case len(parts) > 4 && parts[0] == "etc" && parts[1] == "php" && parts[3] == "apache2":
		return "apache2.service"
	case len(parts) > 4 && parts[0] == "opt" && parts[1] == "plesk":
		return "plesk-php" + strings.ReplaceAll(parts[3], ".", "") + "-fpm.service"
	}
	return ""
}
