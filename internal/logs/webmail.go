package logs

import (
	"bytes"
	"path"
	"slices"
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
		slices.Sort(names)
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
	// maxWebmailBytes is how much text the logs of all webmails may have: there is a
	// line of some hundred bytes for each message that a person has written.
	maxWebmailBytes = 256 << 20
	// maxWebmailRatio is how many times its size a compressed one may expand to.
	maxWebmailRatio = 32
	// maxWebmailFiles bounds how many there may be.
	maxWebmailFiles = 1000
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
		f.add(c, false)
	}
	webmails := slices.Clone(f.streams[own:])
	f.streams = append(f.withinBounds(webmails), f.streams[:own]...)
}

// withinBounds leaves out what nobody has written by hand: whoever runs scripts as the
// user of the web server may put files beside such a log, and name them as if
// they were rotated ones. The youngest are kept.
func (f *finder) withinBounds(webmails []Stream) (kept []Stream) {
	left, files := int64(maxWebmailBytes), maxWebmailFiles
	for _, s := range webmails {
		first := len(s.Files)
		for first > 0 && files > 0 {
			file := &s.Files[first-1]
			size := file.SizeBytes
			if file.Compression != Plain {
				size *= maxWebmailRatio
			}
			if size > left {
				f.gaps.Add(file.Path, "the log of the webmail is too long to be one: it was not read")
				break
			}
			file.Webmail = true
			left, files, first = left-size, files-1, first-1
		}
		if s.Files = s.Files[first:]; len(s.Files) > 0 {
			kept = append(kept, s)
		}
	}
	return kept
}

// openWebmail opens a file of a webmail's log: a plain or a compressed one, which ends
// where it has expanded to more than a log does.
func openWebmail(root *host.Root, name string) (*source, error) {
	file, err := root.OpenFile(name)
	if err != nil {
		return nil, err
	}
	s, err := openFile(file)
	if err == nil && s.kind != Plain {
		s.Reader = &expanded{r: s.Reader, left: maxWebmailRatio * s.size}
	}
	return s, err
}

// isWebmail reports whether a file lies where a webmail's log does, or was rotated
// away from one, or begins as Roundcube's do.
func isWebmail(root *host.Root, name string) bool {
	folder, base := path.Split(name)
	for _, r := range webmailLogs(root) {
		if ruled, log := path.Split(r.path); ruled == folder {
			if _, ok := rotationOf(log, base); ok || log == base {
				return true
			}
		}
	}
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
