package logs

import (
	"bytes"
	"path"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// Webmails run as the user of the web server, and so do the scripts of many sites:
// what stands in their logs is a claim. It is read for the address of the browser
// behind a message, and never as the MTA's.

// roundcube is the program whose files have stamps of this form (log_date_format of
// Roundcube): 27-Nov-2026 07:40:11 +0000.
var roundcube = []byte("roundcube")

// webmailLogs lists where Roundcube tells of the messages that it has handed over:
// of Debian, Red Hat, Plesk, cPanel with MySQL, and DirectAdmin. In home folders of
// users are none: they could write whatever they like.
func webmailLogs(root *host.Root) []rule {
	folders := []string{"/var/log/roundcube", "/var/log/roundcubemail", "/var/log/plesk-roundcube", "/var/cpanel/roundcube/log", "/usr/share/roundcube/logs"}
	names, err := root.List("/var/www/html", maxWebFolders)
	if err == nil {
		for _, name := range names {
			if strings.HasPrefix(name, "roundcube") {
				folders = append(folders, path.Join("/var/www/html", name, "logs"))
			}
		}
	}
	var list []rule
	for _, folder := range folders {
		list = append(list, rule{path: folder + "/sendmail.log"}, rule{path: folder + "/sendmail"})
	}
	return list
}

const (
	// maxWebFolders bounds the names that are read of a document root.
	maxWebFolders = 1000
	// maxWebmailBytes is how long a log of a webmail may be: it has a line of some
	// hundred bytes for each message that a person has written.
	maxWebmailBytes = 256 << 20
)

// addWebmails puts the logs of webmails before the others: of lines of one second
// those of a webmail, which cuts its stamps to that, are to come first. Without
// another log they are none of the mail's.
func (f *finder) addWebmails() {
	if len(f.streams) == 0 {
		return
	}
	own := len(f.streams)
	for _, c := range present(f.root, webmailLogs(f.root)) {
		if c.info.Size() > maxWebmailBytes {
			f.gaps.Add(c.path, "the log of the webmail is too long to be one: it was not read")
			continue
		}
		f.add(c, false)
	}
	for _, s := range f.streams[own:] {
		for i := range s.Files {
			s.Files[i].Webmail = true
		}
	}
	f.streams = append(f.streams[own:len(f.streams):len(f.streams)], f.streams[:own]...)
}

// isWebmail reports whether a file begins as Roundcube's do.
func isWebmail(root *host.Root, name string) bool {
	file, err := root.OpenFile(name)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	var head [len("[00-Xxx-0000 00:00:00 +0000]: ")]byte
	n, _ := file.ReadAt(head[:], 0)
	var s splitter
	return s.splitRoundcube(head[:n], &spoor.Line{}) == headerTagged
}

// splitRoundcube reads a line of Roundcube's own files:
//
//	[27-Nov-2026 07:40:11 +0000]: <8ab3k2lp> User anna@shop.example [203.0.113.7]; Message <0f3c@shop.example> for …
func (s *splitter) splitRoundcube(text []byte, l *spoor.Line) header {
	const size = len("[27-Nov-2026 07:40:11 ")
	end := bytes.Index(text[:min(len(text), size+16)], []byte("]: "))
	if end < size || text[3] != '-' || text[7] != '-' || text[12] != ' ' || text[size-1] != ' ' {
		return headerNone
	}
	dayOfMonth, okDay := number(text[1:3])
	month := monthOf(text[4:7])
	year, okYear := number(text[8:12])
	seconds, okTime := clockTime(text[13:21])
	zone, rest, okZone := isoZone(text[size:end])
	if !okDay || !okYear || !okTime || !okZone || len(rest) > 0 || month == 0 || dayOfMonth < 1 || dayOfMonth > 31 || year < 2001 {
		return headerNone
	}
	s.mark = mark(microsAt(year, month, dayOfMonth, seconds) - zone)
	l.Time, l.Program, l.Body = spoor.Stamp(s.mark), roundcube, text[end+3:]
	return headerTagged
}
