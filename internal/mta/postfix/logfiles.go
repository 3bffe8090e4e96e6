package postfix

import "slices"

// LogFiles implements mta.LogFiler: maillog_file (postlogd(8), Postfix 3.4).
func (q *Queue) LogFiles() []string { return q.conf.Logs }

func (c *Config) addLogFile(main *MainCF) {
	if name := main.Get("maillog_file"); name != "" && !slices.Contains(c.Logs, name) {
		c.Logs = append(c.Logs, name)
	}
}
