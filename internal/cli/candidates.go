package cli

import (
	"context"

	"spoor"
)

func (s *server) addCandidates(ctx context.Context, traffic []spoor.Traffic) {}

func (s *server) addMessageCandidates(ctx context.Context, m *spoor.Message, a *spoor.Attribution) {}
