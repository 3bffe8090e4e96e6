package spoor_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms says which rooms of the house each package may enter: imports point
// downwards only. A package that is not listed has no place. "test" packages
// may be imported by tests alone.
//
// docs/architecture.md shows the same table in words.
var rooms = map[string][]string{
	"spoor":                                {},
	"spoor/internal/host":                  {"spoor"},
	"spoor/internal/word":                  {},
	"spoor/internal/logs":                  {"spoor", "spoor/internal/host", "spoor/internal/word"},
	"spoor/internal/disk":                  {},
	"spoor/internal/disk/disktest":         {"spoor/internal/disk"},
	"spoor/internal/vault":                 {"spoor", "spoor/internal/disk"},
	"spoor/internal/guard":                 {"spoor/internal/disk"},
	"spoor/internal/store":                 {"spoor"},
	"spoor/internal/redact":                {},
	"spoor/internal/bundle":                {"spoor", "spoor/internal/host", "spoor/internal/redact"},
	"spoor/internal/mta":                   {"spoor", "spoor/internal/host", "spoor/internal/disk"},
	"spoor/internal/mta/mtatest":           {"spoor", "spoor/internal/mta", "spoor/internal/host", "spoor/internal/disk", "spoor/internal/host/hosttest", "spoor/internal/disk/disktest"},
	"spoor/internal/mta/exim":              {"spoor", "spoor/internal/mta", "spoor/internal/host", "spoor/internal/disk"},
	"spoor/internal/mta/postfix":           {"spoor", "spoor/internal/mta", "spoor/internal/host", "spoor/internal/disk", "spoor/internal/word"},
	"spoor/internal/mta/qmail":             {"spoor", "spoor/internal/mta", "spoor/internal/host", "spoor/internal/disk", "spoor/internal/guard"},
	"spoor/internal/panel":                 {"spoor", "spoor/internal/host"},
	"spoor/internal/panel/cpanel":          {"spoor", "spoor/internal/panel", "spoor/internal/host"},
	"spoor/internal/panel/directadmin":     {"spoor", "spoor/internal/panel", "spoor/internal/host"},
	"spoor/internal/panel/plain":           {"spoor", "spoor/internal/panel", "spoor/internal/host"},
	"spoor/internal/panel/plesk":           {"spoor", "spoor/internal/panel", "spoor/internal/host"},
	"spoor/internal/live":                  {"spoor", "spoor/internal/host"},
	"spoor/internal/trace":                 {"spoor"},
	"spoor/internal/verdict":               {"spoor"},
	"spoor/internal/audit":                 {"spoor"},
	"spoor/internal/probe":                 {"spoor"},
	"spoor/internal/measure":               {"spoor", "spoor/internal/disk"},
	"spoor/internal/remedy":                {"spoor", "spoor/internal/disk", "spoor/internal/vault"},
	"spoor/internal/shim":                  {},
	"spoor/internal/origin":                {"spoor", "spoor/internal/host", "spoor/internal/shim"},
	"spoor/internal/recorder":              {"spoor", "spoor/internal/host", "spoor/internal/disk", "spoor/internal/vault", "spoor/internal/origin", "spoor/internal/shim"},
	"spoor/internal/report":                {"spoor"},
	"spoor/internal/cli":                   {"*"},
	"spoor/cmd/spoor":                      {"spoor/internal/cli"},
	"spoor/cmd/spoor-sendmail":             {"spoor/internal/shim"},
	"spoor/cmd/spoor-docs":                 {"spoor/internal/cli"},
	"spoor/internal/host/hosttest":         {"spoor/internal/host"},
	"spoor/internal/panel/paneltest":       {"spoor", "spoor/internal/panel", "spoor/internal/host", "spoor/internal/host/hosttest"},
	"spoor/internal/panel/plesk/plesktest": {},
	"spoor/e2e/plesk":                      {"spoor/internal/host/hosttest", "spoor/internal/panel/plesk/plesktest"},
	"spoor/e2e/live":                       {"spoor/e2e/mailtest"},
	"spoor/e2e/plesk/utility":              {},
	"spoor/e2e/expiry":                     {},
	"spoor/e2e/journal":                    {"spoor/internal/host/hosttest"},
	"spoor/e2e/mailtest":                   {},
	"spoor/e2e/postfix":                    {"spoor", "spoor/internal/probe", "spoor/internal/mta", "spoor/internal/mta/postfix", "spoor/internal/host", "spoor/internal/disk", "spoor/e2e/mailtest"},
	"spoor/e2e/qmail":                      {"spoor/e2e/mailtest"},
	"spoor/e2e/shim":                       {},
	"spoor/e2e/exim":                       {"spoor", "spoor/e2e/mailtest", "spoor/internal/disk", "spoor/internal/host", "spoor/internal/mta", "spoor/internal/mta/exim"},
	"spoor/bench/qmailgen":                 {},
	"spoor/bench/queuegen":                 {},
	"spoor/bench/maillog":                  {},
	"spoor/bench/floor":                    {"spoor/bench/qmailgen"},
	"spoor/bench/cmd/qmailgen":             {"spoor/bench/qmailgen"},
	"spoor/bench/cmd/queuegen":             {"spoor/bench/queuegen"},
	"spoor/bench/cmd/floor":                {"spoor/bench/floor"},
	"spoor/bench/cmd/maillog":              {"spoor/bench/maillog"},
	"spoor/bench/cmd/accuracy":             {"spoor/bench/maillog"},
	"spoor/bench/cmd/sendbench":            {},
	"spoor/bench/cmd/plainwrapper":         {},
	"spoor/bench/cmd/pair":                 {},
	"spoor/bench/cmd/postfixrm":            {"spoor", "spoor/internal/mta", "spoor/internal/mta/postfix", "spoor/internal/host", "spoor/internal/disk"},
}

// testOnly are the packages that no product code imports.
var testOnly = []string{
	"spoor/internal/host/hosttest", "spoor/internal/disk/disktest", "spoor/internal/mta/mtatest", "spoor/internal/panel/paneltest", "spoor/internal/panel/plesk/plesktest",
	"spoor/e2e/mailtest",
}

// sourceFiles yields the Go files of the project with their package paths.
func sourceFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".go") {
			files[name] = strings.TrimSuffix("spoor/"+filepath.ToSlash(filepath.Dir(name)), "/.")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// imports lists what a file imports.
func imports(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, one := range parsed.Imports {
		name, err := strconv.Unquote(one.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	return list
}

func ours(name string) bool { return name == "spoor" || strings.HasPrefix(name, "spoor/") }

func TestImportsPointDownwards(t *testing.T) {
	seen := map[string]bool{}
	for file, pkg := range sourceFiles(t) {
		seen[pkg] = true
		allowed, ok := rooms[pkg]
		if !ok {
			t.Errorf("%s: package %s has no row in the table of rooms", file, pkg)
			continue
		}
		for _, name := range imports(t, file) {
			isTest := strings.HasSuffix(file, "_test.go")
			switch {
			case !ours(name), isTest && (name == pkg || slices.Contains(testOnly, name)):
			case slices.Contains(testOnly, name) && !slices.Contains(allowed, name):
				t.Errorf("%s imports %s, which is for tests", file, name)
			case isTest && slices.Contains(allowed, "*"), slices.Contains(allowed, "*"), slices.Contains(allowed, name):
			default:
				t.Errorf("%s: %s may not enter %s", file, pkg, name)
			}
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(rooms)) {
		if !seen[pkg] {
			t.Errorf("the table of rooms lists %s, which does not exist", pkg)
		}
	}
}

// TestTheNounsDoNothing keeps input and output, clocks and goroutines out of
// the root package.
func TestTheNounsDoNothing(t *testing.T) {
	banned := []string{"os", "io", "io/fs", "net", "net/http", "context", "log", "os/exec", "syscall"}
	for file, pkg := range sourceFiles(t) {
		if pkg != "spoor" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, name := range imports(t, file) {
			if slices.Contains(banned, name) {
				t.Errorf("%s imports %s: nouns do nothing", file, name)
			}
		}
	}
}

func TestNoPackageIsALumberRoom(t *testing.T) {
	for file, pkg := range sourceFiles(t) {
		base := pkg[strings.LastIndexByte(pkg, '/')+1:]
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "types", "manager", "misc"}, base) {
			t.Errorf("%s: a package called %s is a lumber room", file, base)
		}
	}
}
