package plesk

import (
	"context"

	"spoor/internal/panel"
)

// Adapter is what the command line knows of Plesk.
func Adapter() panel.Adapter {
	return panel.Adapter{
		Name:   "plesk",
		Detect: func(s *panel.Server) bool { return Detect(s.Root) },
		Open: func(ctx context.Context, s *panel.Server) (panel.Panel, error) {
			p, err := Open(ctx, s.Root, s.Passwd)
			if err != nil {
				return nil, err
			}
			return p, nil
		},
	}
}
