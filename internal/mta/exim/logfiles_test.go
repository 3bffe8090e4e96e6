package exim

import (
	"slices"
	"testing"
)

func TestLogFilesFollowTheConfiguration(t *testing.T) {
	for path, want := range map[string][]string{
		"":                                  {"/var/spool/exim/log/%slog"},
		"syslog":                            {"/var/spool/exim/log/%slog"},
		"/var/log/exim_%slog":               {"/var/log/exim_%slog"},
		"syslog : /var/log/%slog":           {"/var/log/%slog"},
		"<; /a/%slog; $spool_directory/%s":  {"/a/%slog", "/var/spool/exim/%s"},
		"/var/log/exim/%slog-%D":            {"/var/log/exim/%slog"},
		"/var/log/exim4/%s-%D.log":          {"/var/log/exim4/%s-%D.log"},
		"/var/log/exim_%M_%slog":            {"/var/log/exim_%M_%slog"},
		"/var/log/exim/%D/%slog : /b/%slog": {"/b/%slog"},
		"relative/%slog : /no/name":         {"/var/spool/exim/log/%slog"},
	} {
		c := Config{Spool: "/var/spool/exim", LogPath: path}
		if got := c.logPatterns(); !slices.Equal(got, want) {
			t.Errorf("log_file_path = %s: %q, want %q", path, got, want)
		}
	}
	q := Queue{conf: Config{LogPath: "/x/%slog"}}
	if got := q.LogFiles(); !slices.Equal(got[:2], []string{"/x/mainlog", "/x/rejectlog"}) || !slices.Contains(got, "/var/log/exim4/mainlog") {
		t.Errorf("log files %q", got)
	}
}

func TestWhetherLinesAreInFilesAndInSyslog(t *testing.T) {
	for path, want := range map[string]bool{
		"": false, "syslog": false, "/var/log/exim_%slog": false, "syslog : /var/log/%slog": true, ":syslog": true,
		"<; /a/%slog; syslog": true, "/var/log/syslog/%slog": false,
	} {
		q := Queue{conf: Config{Spool: "/var/spool/exim", LogPath: path}}
		if got := q.LogsTwice(); got != want {
			t.Errorf("log_file_path = %s: %t", path, got)
		}
	}
}
