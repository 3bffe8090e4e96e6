package paneltest

import "strings"

// damage changes one file of a tree. What changes a content leaves links, folders
// and empty files as they are, and reports false.
type damage struct {
	name string
	do   func(files map[string]string, name string) bool
}

// damages are what becomes of files on a server that somebody broke or broke
// into.
func damages() []damage {
	content := func(change func(string) string) func(map[string]string, string) bool {
		return func(files map[string]string, name string) bool {
			if files[name] == "" || strings.HasPrefix(files[name], "-> ") {
				return false
			}
			files[name] = change(files[name])
			return true
		}
	}
	link := func(target string) func(map[string]string, string) bool {
		return func(files map[string]string, name string) bool {
			remove(files, name)
			files[strings.TrimSuffix(name, "/")] = "-> " + target
			return true
		}
	}
	return []damage{
		{"is missing", remove},
		{"is empty", content(func(string) string { return "" })},
		{"ends early", content(func(s string) string { return s[:len(s)/2] })},
		{"is full of NULs", content(func(s string) string { return strings.Repeat("\x00", 1000) + "\n" + strings.ReplaceAll(s, " ", "\x00") })},
		{"has one long line", content(func(s string) string { return s + strings.Repeat("a", 1<<20) })},
		{"has escapes in its names", content(func(s string) string { return s + "\n\x1b[31mred.example: \x1b[0m\nx\x9b.example: anna\n" })},
		{"has names that climb", content(func(s string) string {
			return s + "\n../../etc: anna\nup.example: ../../etc\n../etc: anna==root==sub==x==/etc==\n"
		})},
		{"is a folder", func(files map[string]string, name string) bool {
			remove(files, name)
			files[strings.TrimSuffix(name, "/")+"/"] = ""
			return true
		}},
		{"leads out of the root", link("../../../../../../../../../../etc/passwd")},
		{"leads to etc", link("/etc")},
		{"leads to itself", func(files map[string]string, name string) bool {
			name = strings.TrimSuffix(name, "/")
			return link(name[strings.LastIndexByte(name, '/')+1:])(files, name+"/")
		}},
	}
}

// remove takes a file away, with all below it if it is a folder.
func remove(files map[string]string, name string) bool {
	folder := strings.TrimSuffix(name, "/") + "/"
	for other := range files {
		if other == name || strings.HasPrefix(other, folder) {
			delete(files, other)
		}
	}
	return true
}
