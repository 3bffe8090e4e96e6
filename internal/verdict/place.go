package verdict

import (
	"path"
	"slices"
	"strings"

	"spoor"
)

// placement is a script in a folder where no site keeps its programs.
type placement struct {
	degree float64 // how sure it is that the mail is from it, from 0 to 1
	proof  []spoor.Evidence
}

// placementOf looks at the script that a source is, or else at the likeliest one.
func placementOf(t *spoor.Traffic) placement {
	if t.Source.Kind == spoor.KindScript {
		if misplaced(t.Source.Name) {
			return placement{degree: t.Confidence, proof: firstOf(t.Evidence)}
		}
		return placement{}
	}
	var most placement
	for _, c := range t.Candidates {
		if c.Source.Kind != spoor.KindScript || c.Confidence <= most.degree || !misplaced(c.Source.Name) {
			continue
		}
		most = placement{degree: c.Confidence, proof: append([]spoor.Evidence{{What: "script", Text: c.Source.Name}}, firstOf(c.Evidence)...)}
	}
	return most
}

var (
	// webRoots are the names that the document root of a site has with panels and
	// distributions: what is above it says nothing.
	webRoots = []string{"htdocs", "httpdocs", "httpsdocs", "public_html", "private_html", "www", "html", "web", "public", "docroot", "subdomains"}
	// dataFolders are names of folders for pictures, uploads and temporary files.
	dataFolders = []string{"uploads", "upload", "images", "img", "fonts", "cache", "tmp", "temp", ".well-known"}
)

// misplaced reports whether a file lies in a folder for data, or is hidden.
func misplaced(script string) bool {
	folder, name := path.Split(script)
	folders := strings.FieldsFunc(strings.ToLower(folder), func(r rune) bool { return r == '/' })
	below := folders[topOf(folders):]
	if len(folders) > 0 && (folders[0] == "dev" || folders[0] == "tmp") {
		return true // /dev/shm
	}
	hidden := strings.HasPrefix(name, ".") || len(below) > 0 && strings.HasPrefix(below[len(below)-1], ".")
	return hidden || slices.ContainsFunc(below, func(one string) bool { return slices.Contains(dataFolders, one) })
}

// topOf is how many folders lead to the root of a site: what they are called, a user or
// a customer chose. Where none has the name of a document root, that is the first that
// is called as a domain, as for more domains with cPanel; at least it is below a home.
func topOf(folders []string) int {
	top := 0
	for i, one := range folders {
		if slices.Contains(webRoots, one) {
			top = i + 1
		}
	}
	if top > 0 {
		return top
	}
	for i, one := range folders {
		if strings.IndexByte(one, '.') > 0 {
			return i + 1
		}
	}
	if len(folders) > 1 && folders[0] == "home" {
		return 2
	}
	return 0
}

// misplacedScript reads MISPLACED_SCRIPT: sites send mail from their programs, and
// what lies among uploads was uploaded.
func misplacedScript(f *facts) reading {
	weight := 3 * ramp(f.placement.degree, 0.2, 0.7) * f.enough()
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight:   weight,
		count:    f.t.Messages,
		text:     percentOf(f.placement.degree) + " sure that it is from a script in a folder for uploads, pictures or temporary files",
		evidence: f.placement.proof,
	}
}
