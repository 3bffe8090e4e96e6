// Package paneltest is what every panel adapter must do: answer for every UID,
// list its sites in order, and take whatever it reads for hostile.
package paneltest

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/panel"
)

// Server is a server with a panel, as a tree of hosttest.Tree.
type Server struct {
	Adapter panel.Adapter
	Files   map[string]string
	Sites   []string // domains, sorted
}

// Run holds an adapter to the contract, on a server in order and on the same with
// each of its files damaged in turn.
func Run(t *testing.T, s Server) {
	t.Helper()
	t.Run("a server in order", func(t *testing.T) {
		p := open(t, s.Adapter, s.Files)
		if p == nil {
			t.Fatal("the panel was not found")
		}
		if p.Name() != s.Adapter.Name {
			t.Errorf("its name is %q", p.Name())
		}
		var got []string
		for _, site := range p.Sites() {
			got = append(got, site.Domain)
		}
		if !slices.Equal(got, s.Sites) {
			t.Errorf("sites %q, want %q", got, s.Sites)
		}
		check(t, p)
	})
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		for _, damage := range damages() {
			files := maps.Clone(s.Files)
			if !damage.do(files, name) {
				continue
			}
			t.Run(name+" "+damage.name, func(t *testing.T) {
				if p := open(t, s.Adapter, files); p != nil {
					check(t, p)
				}
			})
		}
	}
}

// open opens the panel of a tree, or returns nil if it is not found there.
func open(t *testing.T, a panel.Adapter, files map[string]string) panel.Panel {
	t.Helper()
	root := hosttest.Tree(t, files)
	var gaps spoor.Gaps
	passwd, err := root.Passwd(&gaps)
	if err != nil {
		passwd = &host.Passwd{}
	}
	on := &panel.Server{Root: root, Passwd: passwd}
	if !a.Detect(on) {
		return nil
	}
	p, err := a.Open(t.Context(), on)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// check asks a panel everything, twice.
func check(t *testing.T, p panel.Panel) {
	t.Helper()
	for range 2 {
		for _, uid := range []int{-1, 0, 1, 33, 48, 1000, 1001, 1002, 4711, 65534, 1 << 31} {
			owner := p.Owner(uid)
			if owner.UID != uid || !slices.IsSorted(owner.Sites) {
				t.Errorf("Owner(%d) = %+v", uid, owner)
			}
			if owner.Exact && (owner.Role != spoor.RoleSite || owner.Site == "") {
				t.Errorf("Owner(%d) is exact about no site: %+v", uid, owner)
			}
		}
		checkSites(t, p.Sites())
	}
	if scripts, ok := p.(panel.Scripts); ok {
		search(t, scripts, p.Sites())
	}
	for _, gap := range p.Gaps() {
		if gap.File == "" || gap.Reason == "" || gap.Count < 1 {
			t.Errorf("gap %+v", gap)
		}
	}
}

func checkSites(t *testing.T, sites []panel.Site) {
	t.Helper()
	if !slices.IsSortedFunc(sites, func(a, b panel.Site) int { return strings.Compare(a.Domain, b.Domain) }) {
		t.Error("the sites are not in the order of their domains")
	}
	for _, site := range sites {
		if site.Domain == "" || strings.ContainsFunc(site.Domain+site.Subscription, unicode.IsControl) {
			t.Errorf("a site is called %q of %q", site.Domain, site.Subscription)
		}
		for _, name := range slices.Concat(site.DocumentRoots, site.AccessLogs) {
			if !strings.HasPrefix(name, "/") || strings.Contains(name, "/../") || strings.IndexByte(name, 0) >= 0 {
				t.Errorf("%s has %q", site.Domain, name)
			}
		}
	}
}

// search looks for scripts in all that the panel lists.
func search(t *testing.T, scripts panel.Scripts, sites []panel.Site) {
	t.Helper()
	query := panel.Query{Window: panel.Window{From: time.Unix(0, 0), Until: time.Unix(1<<33, 0)}}
	if _, err := scripts.WebHits(t.Context(), query); err != nil {
		t.Error(err)
	}
	if _, err := scripts.ScriptMails(t.Context(), query); err != nil {
		t.Error(err)
	}
	for _, site := range sites {
		found, err := scripts.FindScript(t.Context(), "passwd", site.DocumentRoots)
		if len(found) > 0 || err != nil {
			t.Errorf("/etc/passwd was found as a script: %q, %v", found, err)
		}
	}
}
