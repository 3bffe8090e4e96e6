package panel

import (
	"fmt"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

const (
	iniLimit = 1 << 20 // bytes of one php.ini
	maxInis  = 2000
)

// iniPatterns are where distributions and panels put PHP's configuration: first
// Debian and Red Hat, then Plesk, cPanel and DirectAdmin.
var iniPatterns = [...]string{
	"etc/php.ini", "etc/php.d/*", "etc/php5/*/php.ini", "etc/php/*/*/php.ini", "etc/php/*/*/conf.d/*",
	"opt/plesk/php/*/etc/php.ini", "opt/plesk/php/*/etc/php.d/*",
	"opt/cpanel/*/root/etc/php.ini", "opt/cpanel/*/root/etc/php.d/*",
	"usr/local/*/lib/php.ini", "usr/local/*/lib/php.conf.d/*",
}

// inis lists the configuration files of every PHP that distributions and panels
// install: php.ini of each, then what is read after it.
func inis(root *host.Root, gaps *spoor.Gaps) []string {
	var files []string
	for _, pattern := range iniPatterns {
		files = append(files, glob(root, "", strings.Split(pattern, "/"))...)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return !strings.HasSuffix(name, ".ini") })
	if len(files) > maxInis {
		gaps.Add(files[maxInis], fmt.Sprintf("more than %d PHP configuration files: the rest was left out", maxInis))
		files = files[:maxInis]
	}
	return files
}

// glob lists the files that a pattern names, sorted; a part of it is a name or
// a star.
func glob(root *host.Root, folder string, pattern []string) []string {
	if len(pattern) == 0 {
		return []string{folder}
	}
	first, rest := pattern[0], pattern[1:]
	if first != "*" {
		name := folder + "/" + first
		if !root.Exists(name) {
			return nil
		}
		return glob(root, name, rest)
	}
	names, err := root.List(folder, maxInis)
	if err != nil {
		return nil
	}
	slices.Sort(names)
	var files []string
	for _, name := range names {
		files = append(files, glob(root, folder+"/"+name, rest)...)
	}
	return files
}
