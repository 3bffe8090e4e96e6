//go:build e2e

package plesk

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"spoor/internal/host/hosttest"
)

// unpack makes an archive of a server, and a tree of the archive.
func unpack(t *testing.T, root string, options ...string) (tree, names string) {
	t.Helper()
	dir := t.TempDir()
	archive := filepath.Join(dir, "server.tar.gz")
	spoor(t, 0, append([]string{"--root", root, "bundle", "--to", archive}, options...)...)
	tree = filepath.Join(dir, "server")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "tar", "-xzf", archive, "-C", tree).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	text, _ := os.ReadFile(archive + ".names")
	return tree, string(text)
}

// document is what spoor answers of a tree, without where that is.
func document(t *testing.T, tree string) map[string]any {
	t.Helper()
	var answer map[string]any
	if err := json.Unmarshal([]byte(spoor(t, 0, "--root", tree, "--json")), &answer); err != nil {
		t.Fatal(err)
	}
	delete(answer, "root")
	delete(answer, "time")
	return answer
}

// TestAnArchiveKnowsWhatTheDatabaseSaid compares answers about a server with Plesk's
// database, and about its archive, which has none.
func TestAnArchiveKnowsWhatTheDatabaseSaid(t *testing.T) {
	root := hosttest.Unpack(t, "qmail")
	stage(t, root)
	serve(t, root)
	live := document(t, root)
	whole, _ := unpack(t, root, "--full")
	renamed, names := unpack(t, root)
	if err := os.Remove(root + "/var/lib/mysql/mysql.sock"); err != nil {
		t.Fatal(err)
	}
	without := document(t, root)
	full := document(t, whole)
	if !reflect.DeepEqual(full["sources"], live["sources"]) {
		is, _ := json.Marshal(full["sources"])
		was, _ := json.Marshal(live["sources"])
		t.Errorf("of the archive the sources are\n%s\nof the server\n%s", is, was)
	}
	if reflect.DeepEqual(full["sources"], without["sources"]) {
		t.Error("the database makes no difference, so that this test shows nothing")
	}
	proof, _ := json.Marshal(full["sources"])
	if !strings.Contains(string(proof), "hosting: dom_id=1 sys_user_id=1") {
		t.Errorf("the archive does not quote the database: %s", proof)
	}

	was, is := sources(t, full), sources(t, document(t, renamed))
	if len(was) != len(is) {
		t.Fatalf("there are %d sources, and %d in the archive with other names", len(was), len(is))
	}
	others := map[string]map[string]any{}
	for name, other := range is {
		others[original(names, name)] = other
	}
	for name, one := range was {
		for _, key := range []string{"kind", "verdict", "queued", "confidence", "score", "attribution"} {
			if !reflect.DeepEqual(one[key], others[name][key]) {
				t.Errorf("%s of %v is %v in the archive with other names, and was %v", key, name, others[name][key], one[key])
			}
		}
	}
	psa, err := os.ReadFile(renamed + "/spoor-psa.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"site1", "shop", "blog", "password", "AES-128"} {
		if strings.Contains(string(psa), name) {
			t.Errorf("%q is in the archive:\n%s", name, psa)
		}
	}
	if shadow, err := os.ReadFile(renamed + "/etc/psa/.psa.shadow"); err == nil && len(shadow) > 0 {
		t.Errorf("the password is in the archive: %q", shadow)
	}
}

// sources are those of an answer, by name.
func sources(t *testing.T, answer map[string]any) map[string]map[string]any {
	t.Helper()
	list, ok := answer["sources"].([]any)
	if !ok {
		t.Fatalf("no sources in %v", answer)
	}
	named := map[string]map[string]any{}
	for _, one := range list {
		source, ok := one.(map[string]any)
		name, ok1 := source["source"].(string)
		if !ok || !ok1 {
			t.Fatalf("no name in %v", one)
		}
		named[name] = source
	}
	return named
}

// original is a name of the archive as it was, by the list of names.
func original(list, name string) string {
	was := map[string]string{}
	for line := range strings.Lines(list) {
		other, word, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		was[other] = word
	}
	return regexp.MustCompile("[a-z0-9]+").ReplaceAllStringFunc(name, func(run string) string {
		if word, ok := was[run]; ok {
			return word
		}
		return run
	})
}
