package panel

import (
	"context"
	"encoding/hex"
	"net/url"
	"path"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// scriptFinder finds the files that the requests to one site name.
type scriptFinder struct {
	folder Folder // of the subscription
	home   string
	roots  []string
	known  map[string]string // by path, with a mark for TLS
}

func (w *Web) scriptFinder(site Site) *scriptFinder {
	f := &scriptFinder{home: site.Home, roots: site.DocumentRoots, known: map[string]string{}}
	if site.Home != "" {
		f.folder, _ = w.folder.Sub(site.Home) // the zero Folder holds nothing
	}
	return f
}

// Bounds on the path of a request, beyond which it names no script.
const (
	maxURLBytes = 2048
	maxURLParts = 32
)

// find returns the path below the root of the regular file that a request path
// names in a document root of the site, or "".
func (f *scriptFinder) find(logged string, tls bool) string {
	if len(f.roots) == 0 || len(logged) > maxURLBytes {
		return ""
	}
	key := logged
	if tls {
		key = "tls " + logged
	}
	script, known := f.known[key]
	if !known {
		script = f.look(logged, tls)
		f.known[key] = script
	}
	return script
}

func (f *scriptFinder) look(logged string, tls bool) string {
	name, ok := decodePath(logged)
	if !ok {
		return ""
	}
	if user, ok := strings.CutPrefix(name, "/~"); ok {
		return f.fileIn(f.home+"/web_users", "/"+user)
	}
	roots := slices.Clone(f.roots)
	if tls { // up to Plesk 9 the files served over TLS have a folder of their own
		slices.SortStableFunc(roots, func(a, b string) int { return isTLSRoot(b) - isTLSRoot(a) })
	}
	for _, root := range roots {
		rest := name
		if path.Base(root) == "cgi-bin" {
			if rest, ok = strings.CutPrefix(name, "/cgi-bin"); !ok || !strings.HasPrefix(rest, "/") {
				continue
			}
		}
		if script := f.fileIn(root, rest); script != "" {
			return script
		}
	}
	return ""
}

func isTLSRoot(root string) int {
	if path.Base(root) == "httpsdocs" {
		return 1
	}
	return 0
}

// fileIn walks down from a document root to the first regular file: what comes
// behind it is handed to the script (PATH_INFO, RFC 3875 §4.1.5). A directory
// stands for its index.php.
func (f *scriptFinder) fileIn(root, name string) string {
	here := root
	parts := strings.Split(strings.Trim(name, "/"), "/")
	if len(parts) > maxURLParts {
		return ""
	}
	for _, part := range parts {
		here = path.Join(here, part)
		if f.folder.IsFile(here) {
			return here
		}
		if !f.folder.IsDir(here) {
			return ""
		}
	}
	if index := here + "/index.php"; f.folder.IsFile(index) {
		return index
	}
	return ""
}

// decodePath undoes the escapes of the log (mod_log_config of Apache: \", \\,
// \xhh) and of the URL (RFC 3986 §2.1), and cleans the path. It reports false
// for a path that no server maps to a file.
func decodePath(logged string) (string, bool) {
	name, err := url.PathUnescape(unescapeLogged(logged))
	if err != nil || !strings.HasPrefix(name, "/") || strings.IndexByte(name, 0) >= 0 {
		return "", false
	}
	return path.Clean(name), true
}

func unescapeLogged(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		i++
		if text[i] == 'x' && i+2 < len(text) {
			if code, err := hex.DecodeString(text[i+1 : i+3]); err == nil {
				out.Write(code)
				i += 2
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

const (
	maxEntries = 200_000 // that one search for a script looks at
	maxDepth   = 40      // of folders below a document root
)

// FindScript searches document roots for regular files called name, as
// X-PHP-Originating-Script names the script without its folder. Links are not
// followed. Paths are absolute below the root and sorted. A search that was cut
// short is a gap; the error is that of ctx.
func (w *Web) FindScript(ctx context.Context, name string, documentRoots []string) ([]string, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return nil, nil
	}
	s := scriptSearch{gaps: w.gaps, name: name, left: maxEntries}
	homes := w.homes()
	for _, root := range documentRoots {
		dir, err := w.openRoot(root, homes[root])
		if err != nil {
			w.gaps.Add(root, "document root cannot be searched: "+Cause(err))
			continue
		}
		s.walk(ctx, dir, path.Clean(host.Abs(root)), 0)
		_ = dir.Close()
	}
	slices.Sort(s.found)
	return slices.Compact(s.found), ctx.Err()
}

// scriptSearch is one search, with what it may still look at.
type scriptSearch struct {
	gaps  *spoor.Gaps
	name  string
	left  int
	found []string
}

func (s *scriptSearch) walk(ctx context.Context, dir *host.Dir, folder string, depth int) {
	var deeper []string
	for entry, err := range dir.Entries() {
		if ctx.Err() != nil {
			return
		}
		if err != nil || s.left <= 0 {
			s.gaps.Add(folder, "folder was not searched to its end")
			return
		}
		s.left--
		switch {
		case entry.Type == host.TypeRegular && string(entry.Name) == s.name:
			s.found = append(s.found, folder+"/"+s.name)
		case entry.Type == host.TypeDirectory:
			deeper = append(deeper, string(entry.Name))
		}
	}
	slices.Sort(deeper)
	for _, name := range deeper {
		if depth >= maxDepth || s.left <= 0 {
			s.gaps.Add(folder+"/"+name, "folder was not searched to its end")
			return
		}
		sub, err := dir.OpenDir(name)
		if err != nil {
			s.gaps.Add(folder+"/"+name, "folder was not searched: "+Cause(err))
			continue
		}
		s.walk(ctx, sub, folder+"/"+name, depth+1)
		_ = sub.Close()
	}
}
