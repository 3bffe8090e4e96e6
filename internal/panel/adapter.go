package panel

import (
	"context"

	"spoor/internal/host"
)

// Server is what an adapter is told of the server it is opened on.
type Server struct {
	Root   *host.Root
	Passwd *host.Passwd
}

// Adapter is one panel: all that the command line needs to use it. A new panel is
// a folder with one of these, and a line in cli.
type Adapter struct {
	// Name is the panel's word on the command line, for example "plesk".
	Name string
	// Detect reports whether the server has the panel.
	Detect func(s *Server) bool
	// Open opens the panel. What of it cannot be read is a gap; an error means that
	// ctx ended, or that there is no such panel (fs.ErrNotExist).
	Open func(ctx context.Context, s *Server) (Panel, error)
}
