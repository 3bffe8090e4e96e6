package panel

import (
	"errors"
	"path"
	"slices"

	"spoor"
	"spoor/internal/host"
)

// Places keeps those of the paths that a panel records which are really there.
type Places struct {
	Root   *host.Root
	Folder Folder // that everything lies in
	Gaps   *spoor.Gaps
}

// NewPlaces returns the places of a whole root.
func NewPlaces(root *host.Root, gaps *spoor.Gaps) (Places, error) {
	everything, err := OpenFolder(root, "/")
	return Places{Root: root, Folder: everything, Gaps: gaps}, err
}

// DocumentRoots keeps those of the names that are directories in the home folder
// of a customer, wherever the customer's links lead; of two names of one directory the first. Without a home
// there are none.
func (p Places) DocumentRoots(home string, names ...string) []string {
	if home == "" {
		return nil
	}
	folder, err := p.Folder.Sub(home)
	if err != nil {
		return nil
	}
	var roots, folders []string
	for _, name := range names {
		if name == "" {
			continue
		}
		name = path.Clean(host.Abs(name))
		linkFree, err := folder.Resolve(name)
		if errors.Is(err, ErrOutside) {
			p.Gaps.Add(name, "document root leads out of the folder of its user: it was not followed")
		}
		if err == nil && folder.IsDir(linkFree) && !slices.Contains(folders, linkFree) {
			roots, folders = append(roots, name), append(folders, linkFree)
		}
	}
	return roots
}

// Logs keeps those of the names that are files; of two names of one file the
// first.
func (p Places) Logs(names ...string) []string {
	var logs, files []string
	for _, name := range names {
		file, err := p.Folder.Resolve(name)
		if err == nil && !slices.Contains(files, file) && p.Folder.IsFile(file) {
			logs, files = append(logs, name), append(files, file)
		}
	}
	return logs
}

// FirstFolder returns the first of the names that is a directory, or "".
func (p Places) FirstFolder(names ...string) string {
	for _, name := range names {
		if p.Folder.IsDir(name) {
			return name
		}
	}
	return ""
}
