package logs

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// rotation is what the name of a rotated file tells, beside that of its log.
type rotation struct {
	processed bool // by Plesk's statistics
	number    int  // of logrotate: 1 is the youngest; 0 where there is none
	date      string
}

var extensions = []string{".gz", ".bz2", ".xz", ".zst"}

// rotationOf reads the name of a sibling of base, such as maillog.1,
// maillog.processed.2.gz, maillog-20261101.xz and mail.log.3; where base has a place
// for a date, as main-%D.log, of a file with one there, such as main-20261101.log.
func rotationOf(base, name string) (rotation, bool) {
	date, rest, ok := cutBase(base, name)
	r := rotation{date: date}
	if !ok || rest == "" {
		return r, ok && date != ""
	}
	for _, extension := range extensions {
		if cut, ok := strings.CutSuffix(rest, extension); ok {
			rest = cut
			break
		}
	}
	rest, r.processed = strings.CutPrefix(rest, ".processed")
	for rest != "" {
		end := 1
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		digits := rest[1:end]
		n, ok := number([]byte(digits))
		switch {
		case !ok || rest[0] != '.' && rest[0] != '-':
			return r, false
		case rest[0] == '.' && len(digits) <= 5 && r.number == 0:
			r.number = n
		case len(digits) >= 2 && len(digits) <= 12:
			r.date += digits // logrotate's dateformat may part it: -2026-11-01
		default:
			return r, false
		}
		rest = rest[end:]
	}
	return r, r.processed || r.number > 0 || len(r.date) >= 8 || isMonth(r.date)
}

// cutBase takes the name of a log off a file's, with the date in it: %D stands for a
// day, %M for a month.
func cutBase(base, name string) (date, rest string, ok bool) {
	before, after, dated := strings.Cut(base, "%D")
	length := len("20261101")
	if !dated {
		before, after, dated = strings.Cut(base, "%M")
		length = len("202611")
	}
	if rest, ok = strings.CutPrefix(name, before); !ok || !dated {
		return "", rest, ok
	}
	if len(rest) < length {
		return "", rest, false
	}
	if _, ok = number([]byte(rest[:length])); !ok {
		return "", rest, false
	}
	date = rest[:length]
	rest, ok = strings.CutPrefix(rest[length:], after)
	return date, rest, ok
}

// isMonth knows 202611, as Exim names a log of a month (%M of log_file_path).
func isMonth(date string) bool {
	return len(date) == 6 && date[:2] == "20" && "01" <= date[4:] && date[4:] <= "12"
}

// rotated is a file with what its name tells.
type rotated struct {
	File
	rotation
}

// siblings lists what was rotated away from a log, oldest first.
func siblings(root *host.Root, name string, gaps *spoor.Gaps) []File {
	folder, base := path.Split(name)
	dir, err := root.OpenDir(folder)
	if err != nil {
		gaps.Add(folder, "rotated logs could not be listed: "+cause(err))
		return nil
	}
	defer func() { _ = dir.Close() }()
	var list []rotated
	for entry, err := range dir.Entries() {
		if err != nil {
			gaps.Add(folder, "rotated logs could not be listed: "+cause(err))
			break
		}
		r, ok := rotationOf(base, string(entry.Name))
		if !ok || entry.Type != host.TypeRegular {
			continue
		}
		file, err := fileOf(root, path.Join(folder, string(entry.Name)))
		if err != nil {
			gaps.Add(path.Join(folder, string(entry.Name)), "could not be read: "+cause(err))
			continue
		}
		list = append(list, rotated{File: file, rotation: r})
	}
	sortRotated(list)
	return withoutHalves(list)
}

// sortRotated puts the oldest first: by number or date where all have it, else by
// time of modification, which compressing keeps.
func sortRotated(list []rotated) {
	numbers, dates := true, true
	for i := range list {
		numbers = numbers && list[i].date == "" && (list[i].processed == list[0].processed || list[i].number == 0)
		dates = dates && list[i].date != ""
	}
	slices.SortFunc(list, func(a, b rotated) int {
		var order int
		switch {
		case numbers:
			order = cmp.Compare(b.number, a.number)
		case dates:
			order = cmp.Or(strings.Compare(a.date, b.date), cmp.Compare(b.number, a.number))
		default:
			order = a.ModTime.Compare(b.ModTime)
		}
		return cmp.Or(order, a.ModTime.Compare(b.ModTime), strings.Compare(a.Path, b.Path))
	})
}

// withoutHalves leaves out the compressed copy of a file that is still there:
// logrotate is at work on it.
func withoutHalves(list []rotated) []File {
	plain := map[string]bool{}
	for i := range list {
		plain[list[i].Path] = true
	}
	var files []File
	for i := range list {
		extension := path.Ext(list[i].Path)
		if slices.Contains(extensions, extension) && plain[strings.TrimSuffix(list[i].Path, extension)] {
			continue
		}
		files = append(files, list[i].File)
	}
	return files
}
