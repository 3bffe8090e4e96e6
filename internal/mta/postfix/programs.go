package postfix

import (
	"path"
	"slices"

	"spoor/internal/mta"
)

// mailPrograms tells by what local mail enters: sendmail(1), which hands it to
// postdrop(1).
func mailPrograms(s *mta.Server) mta.Programs {
	main := ReadMainCF(s.Root, configFolder, s.Gaps)
	p := mta.Programs{Submit: mta.Sendmail(), Folders: []string{"/usr/lib/postfix", "/usr/libexec/postfix"}}
	for _, folder := range []string{"/usr/sbin", main.Get("command_directory")} {
		p.Submit = append(p.Submit, path.Join(folder, "postdrop"))
	}
	for parameter, list := range map[string]*[]string{"sendmail_path": &p.Submit, "daemon_directory": &p.Folders} {
		if setting, ok := main.Setting(parameter); ok && path.IsAbs(setting.Value) && !slices.Contains(*list, setting.Value) {
			*list = append(*list, setting.Value)
		}
	}
	return p
}
