package panel

import (
	"path"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// phpConf is where one PHP keeps its configuration: php.ini, and in folders beside
// it what is read later and the pools of PHP-FPM.
type phpConf struct{ ini, later, pools string }

// phpConfs are those of distributions and panels.
var phpConfs = [...]phpConf{
	{"etc/php/*/*/php.ini", "conf.d", "pool.d"},
	{"etc/php5/*/php.ini", "conf.d", "pool.d"},
	{"etc/php.ini", "php.d", "php-fpm.d"},
	{"opt/plesk/php/*/etc/php.ini", "php.d", "php-fpm.d"},
	{"opt/cpanel/*/root/etc/php.ini", "php.d", "php-fpm.d"},
	{"usr/local/*/lib/php.ini", "php.conf.d", "php-fpm.d"},
}

// PHPPolicy adds whether PHP records which script sends mail: in its header
// (mail.add_x_header), or in a log (mail.log). By default it does neither.
func PHPPolicy(root *host.Root, policy *spoor.MailPolicy) {
	for _, conf := range phpConfs {
		for _, ini := range conf.inis(root) {
			policy.Weak = append(policy.Weak, weakPHP(root, conf, ini)...)
		}
	}
}

// inis are the php.ini files that are there; that of the command line matters to cron
// jobs alone.
func (c phpConf) inis(root *host.Root) []string {
	inis := glob(root, "", strings.Split(c.ini, "/"))
	if len(inis) > 1 {
		inis = slices.DeleteFunc(inis, func(name string) bool { return strings.HasSuffix(name, "/cli/php.ini") })
	}
	return inis
}

// general are a php.ini and what is read behind it, in their order.
func (c phpConf) general(root *host.Root, ini string) []string {
	files := []string{ini}
	for _, name := range glob(root, path.Dir(ini)+"/"+c.later, []string{"*"}) {
		if strings.HasSuffix(name, ".ini") {
			files = append(files, name)
		}
	}
	return files
}

// poolsOf are the files of the pools of PHP-FPM beside a php.ini.
func (c phpConf) poolsOf(root *host.Root, ini string) []string {
	return glob(root, path.Dir(ini)+"/"+c.pools, []string{"*"})
}

// phpSettings are the two settings, with where they stand.
type phpSettings struct {
	header      bool
	log         string
	headerPlace spoor.Evidence
}

func weakPHP(root *host.Root, conf phpConf, ini string) []spoor.Weakness {
	general := phpSettings{headerPlace: spoor.Evidence{What: "php", File: ini, Text: "mail.add_x_header is not set: by default it is Off"}}
	for _, name := range conf.general(root, ini) {
		general.read(root, name)
	}
	pools := conf.poolsOf(root, ini)
	var weak []spoor.Weakness
	better := 0
	for _, name := range pools {
		pool := general
		pool.read(root, name)
		if _, bad := pool.weakness(name); !bad {
			better++
		} else if _, known := general.weakness(ini); !known {
			w, _ := pool.weakness(name)
			weak = append(weak, w)
		}
	}
	if w, bad := general.weakness(ini); bad && (better == 0 || better < len(pools)) {
		weak = append(weak, w)
	}
	return weak
}

// weakness reports what the settings leave unknown.
func (p *phpSettings) weakness(subject string) (spoor.Weakness, bool) {
	w := spoor.Weakness{Kind: spoor.WeakNoScriptNames, Subject: subject, Place: p.headerPlace}
	if p.log != "" {
		w.Kind, w.Value = spoor.WeakNoScriptHeader, p.log
	}
	return w, !p.header
}

// read reads the settings in the text of a php.ini or of a pool.
func (p *phpSettings) read(root *host.Root, name string) {
	eachPHPSetting(root, name, func(key, value string, place spoor.Evidence) {
		switch key {
		case "mail.add_x_header":
			p.header, p.headerPlace = isOn(value), place
		case "mail.log":
			p.log = value
		}
	})
}

// eachPHPSetting yields the settings of a php.ini or of a pool, in their order:
//
//	mail.add_x_header = On
//	php_admin_flag[mail.add_x_header] = on
func eachPHPSetting(root *host.Root, name string, yield func(key, value string, place spoor.Evidence)) {
	data, err := root.ReadFile(name, iniLimit)
	if err != nil {
		return
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		key = strings.TrimSpace(key)
		if setting, ok := strings.CutPrefix(key, "php_"); ok {
			_, setting, _ = strings.Cut(setting, "[")
			key = strings.TrimSuffix(setting, "]")
		}
		value, _, _ = strings.Cut(value, ";")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		yield(key, value, spoor.Evidence{What: "php", File: name, Line: number, Text: strings.TrimSpace(line)})
	}
}

// isOn reads a boolean of php.ini.
func isOn(value string) bool {
	switch strings.ToLower(value) {
	case "on", "yes", "true", "1":
		return true
	}
	return false
}
