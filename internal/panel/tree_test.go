package panel

import (
	"testing"

	"spoor/internal/host"
)

// www is the folder that most tests keep their files in.
func www(t *testing.T, root *host.Root) Folder {
	t.Helper()
	f, err := OpenFolder(root, "/www")
	if err != nil {
		t.Fatal(err)
	}
	return f
}
