package live

import (
	"context"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"spoor"
)

// Attributor says whose mail a sighting is. It is for one goroutine.
type Attributor struct {
	Owner    func(uid int) spoor.Owner        // whose UID it is
	SiteAt   func(dir string) string          // the site that a folder below the root lies in, or ""
	ScriptAt func(domain, path string) string // the file that a request names, or ""
	// Workers tells what a web server says that one of its processes does; nil if
	// none is asked.
	Workers func(context.Context, *spoor.Sighting) (Worker, bool)
	// Interpreted tells which script an interpreter was started with, or ""; nil if
	// that is not looked at.
	Interpreted func(*spoor.Process) string
}

// Worker is what a web server says that one of its processes does.
type Worker struct {
	PID    int
	Server string // "php-fpm", "Apache"
	Script string // below the root; "" where it does not say
	Method string
	Path   string // of the URL, without the query
	Host   string // as the server names the site; "" where it does not say
	Client string // address; "" where no server says it
	Asked  string // the server that says Client
	Ended  bool   // it is the last request, not one that still runs
}

// Attribute fills in Source, Script, Client and Request, each with how it is
// known.
func (a *Attributor) Attribute(ctx context.Context, s *spoor.Sighting) {
	owner := spoor.Owner{UID: -1}
	if s.Process.UID >= 0 {
		owner = a.Owner(s.Process.UID)
	}
	s.Login = owner.Login
	worker, found := Worker{}, false
	if a.Workers != nil && s.Activity != spoor.ActivityOpenScript {
		worker, found = a.Workers(ctx, s)
	}
	if found {
		s.Request = strings.TrimSpace(worker.Method + " " + worker.Path)
	} else {
		s.Request = strings.TrimSpace(claimOf(s.Claims, "REQUEST_METHOD") + " " + claimOf(s.Claims, "REQUEST_URI"))
	}
	s.Script, s.ScriptKnown = a.script(s, owner, worker)
	s.Site = a.SiteAt(strings.TrimSuffix(s.Script, "/"))
	s.Client, s.ClientKnown = client(s, worker)
	s.Source, s.SourceKnown = a.source(s, owner)
}

// source is what is to blame: whose UID it is, and where that is the web
// server's, whose script it is.
func (a *Attributor) source(s *spoor.Sighting, owner spoor.Owner) (spoor.Source, spoor.Known) {
	if s.Process.UID < 0 {
		return spoor.Source{Kind: spoor.KindUnknown}, spoor.Known{}
	}
	uid := "uid " + strconv.Itoa(owner.UID)
	switch owner.Role {
	case spoor.RoleSite:
		known := spoor.Known{Certainty: spoor.CertaintyLikely, How: uid + ", by its home folder"}
		if owner.Exact {
			known = spoor.Known{Certainty: spoor.CertaintyExact, How: uid}
		}
		return spoor.Source{Kind: spoor.KindSite, Name: owner.Site}, known
	case spoor.RoleWebServer:
		if s.Site != "" && s.ScriptKnown.Certainty >= spoor.CertaintyLikely { // a claim would put it on somebody else
			known := spoor.Known{Certainty: spoor.CertaintyLikely, How: "the place of the script; " + uid + " is the web server"}
			return spoor.Source{Kind: spoor.KindSite, Name: s.Site}, known
		}
	default:
	}
	name := owner.Login
	if name == "" {
		name = strconv.Itoa(owner.UID)
	}
	return spoor.Source{Kind: spoor.KindUser, Name: name}, spoor.Known{Certainty: spoor.CertaintyExact, How: uid}
}

// script finds the script, by the best that is known of it.
func (a *Attributor) script(s *spoor.Sighting, owner spoor.Owner, worker Worker) (string, spoor.Known) {
	if file, ok := a.scriptFile(s.Files); ok {
		known := spoor.Known{Certainty: spoor.CertaintyExact, How: "descriptor " + strconv.Itoa(file.FD) + " of the process"}
		return file.Path, a.weigh(known, file, owner)
	}
	if worker.PID != 0 {
		if script, known := a.workerScript(worker); script != "" {
			return script, known
		}
	}
	if script, known := a.interpreted(s); script != "" {
		return script, known
	}
	if script := a.inSite(claimOf(s.Claims, "SCRIPT_FILENAME")); script != "" {
		return script, spoor.Known{Certainty: spoor.CertaintyClaim, How: "SCRIPT_FILENAME of the process"}
	}
	if dir := s.Process.Dir; dir != "" && a.SiteAt(dir) != "" {
		return strings.TrimSuffix(dir, "/") + "/", spoor.Known{Certainty: spoor.CertaintyLikely, How: "working directory of the process"}
	}
	return "", spoor.Known{}
}

// nearParents is how many of the processes before it may be the interpreter of the
// script: a shell may stand between.
const nearParents = 3

// interpreted is the script that an interpreter was started with, wherever it
// lies. The interpreter is what the kernel says; its arguments are its own to
// change.
func (a *Attributor) interpreted(s *spoor.Sighting) (string, spoor.Known) {
	if a.Interpreted == nil || s.Activity == spoor.ActivityOpenScript {
		return "", spoor.Known{}
	}
	if s.Activity == spoor.ActivityConnection {
		if script := a.Interpreted(&s.Process); script != "" {
			return script, spoor.Known{Certainty: spoor.CertaintyClaim, How: "arguments of the process"}
		}
	}
	for i := range s.Parents[:min(len(s.Parents), nearParents)] {
		if s.Parents[i].UID != s.Process.UID {
			break // somebody else's: cron, or an administrator's shell
		}
		if script := a.Interpreted(&s.Parents[i]); script != "" {
			return script, spoor.Known{Certainty: spoor.CertaintyClaim, How: "arguments of its parent " + strconv.Itoa(s.Parents[i].PID)}
		}
	}
	return "", spoor.Known{}
}

// scriptFile picks the open file that is the script: it lies in a site and is
// open for reading. One with the name of a script comes before others.
func (a *Attributor) scriptFile(files []spoor.OpenFile) (spoor.OpenFile, bool) {
	best, found := spoor.OpenFile{}, false
	for _, file := range files {
		if !file.Readonly || a.inSite(file.Path) == "" {
			continue
		}
		if isScript(file.Path) {
			return file, true
		}
		if !found {
			best, found = file, true
		}
	}
	return best, found
}

// weigh lowers what a descriptor proves: anybody can open a script of somebody
// else that all may read, and where the web server runs the scripts of all sites,
// one of them can do so on purpose.
func (a *Attributor) weigh(known spoor.Known, file spoor.OpenFile, owner spoor.Owner) spoor.Known {
	site := a.SiteAt(path.Dir(file.Path))
	own := file.UID == owner.UID || site == owner.Site || slices.Contains(owner.Sites, site)
	switch {
	case owner.Role == spoor.RoleWebServer:
		known.Certainty = spoor.CertaintyLikely
	case !own:
		known.Certainty = spoor.CertaintyClaim
		known.How += ", a file of somebody else"
	case !isScript(file.Path):
		known.Certainty = spoor.CertaintyLikely
	}
	if !file.Current {
		known.How += "; the file has been renamed or removed since"
	}
	return known
}

func (a *Attributor) workerScript(w Worker) (string, spoor.Known) {
	how := w.Server + " says what its process " + strconv.Itoa(w.PID) + " runs"
	if w.Ended {
		how = w.Server + " says what its process " + strconv.Itoa(w.PID) + " ran last"
	}
	known := spoor.Known{Certainty: spoor.CertaintyLikely, How: how}
	if script := a.inSite(w.Script); script != "" {
		return script, known
	}
	if w.Host == "" || w.Path == "" {
		return "", known
	}
	return a.ScriptAt(w.Host, w.Path), known
}

// inSite returns a path if it is clean and lies in a site, and "" otherwise.
func (a *Attributor) inSite(name string) string {
	if !strings.HasPrefix(name, "/") || path.Clean(name) != name || a.SiteAt(path.Dir(name)) == "" {
		return ""
	}
	return name
}

// client finds the address that the request came from.
func client(s *spoor.Sighting, worker Worker) (string, spoor.Known) {
	if addr, err := netip.ParseAddr(worker.Client); err == nil {
		return addr.Unmap().String(), spoor.Known{Certainty: spoor.CertaintyLikely, How: worker.Asked + " says it of the request"}
	}
	if addr, err := netip.ParseAddr(claimOf(s.Claims, "REMOTE_ADDR")); err == nil {
		return addr.Unmap().String(), spoor.Known{Certainty: spoor.CertaintyClaim, How: "REMOTE_ADDR of the process"}
	}
	return "", spoor.Known{}
}
