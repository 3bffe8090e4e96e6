package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/mta"
	"spoor/internal/report"
)

func explainCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "explain ID|FILE|-",
		Short: "where one message came from, hop by hop, with the proof",
		Long: `explain attributes one message: by its queue ID, or from a file or standard
input that holds it with its whole header, such as a spam complaint's.

What this server's own MTA wrote is the proof: its lines at the top of the header,
and what it keeps beside the message. Everything below those lines can have been
written by anybody and is shown as a claim.`,
		Example: `  spoor explain 2996948
  spoor explain /tmp/complaint.eml
  spoor explain - < /tmp/complaint.eml`,
		Args: oneArg("name one message: a queue ID, a file, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.explain(cmd.Context(), args[0]) },
	}
}

func (o *options) explain(ctx context.Context, name string) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	m, err := o.oneMessage(ctx, s, name)
	if err != nil {
		return err
	}
	if err := s.readLog(ctx, o); err != nil {
		return err
	}
	a := s.tracer.Attribute(m)
	s.addMessageCandidates(ctx, m, &a)
	page := &report.Explain{
		Root: s.root.Dir(), Host: s.host, Time: o.env.Now().UTC(), MTA: s.queue.MTA(), Panel: s.panel.Name(),
		Message: m, Attribution: &a, Logins: s.logins(m),
	}
	if format == "json" {
		return page.JSON(o.env.Out)
	}
	return page.Text(o.env.Out, o.style())
}

// oneMessage reads the message that a user named.
func (o *options) oneMessage(ctx context.Context, s *server, name string) (*spoor.Message, error) {
	if name == "-" {
		return s.queue.Read(o.env.In)
	}
	if s.queue.IsID(name) {
		return s.find(ctx, spoor.QueueID(name))
	}
	f, err := os.Open(name) // the user's own file, not the examined server's
	if err != nil {
		return nil, &spoor.Problem{What: "cannot read " + name + ": " + cause(err), Try: o.spoor("queue ls"), Err: err}
	}
	defer func() { _ = f.Close() }()
	m, err := s.queue.Read(f)
	if err == nil {
		m.Folder, m.ID = splitPath(name)
	}
	return m, err
}

// splitPath puts a file's name where a queue file's would be, for the report.
func splitPath(name string) (folder string, base spoor.QueueID) {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i], spoor.QueueID(name[i+1:])
	}
	return ".", spoor.QueueID(name)
}

func (s *server) find(ctx context.Context, id spoor.QueueID) (*spoor.Message, error) {
	m, err := s.queue.Find(ctx, id)
	if errors.Is(err, mta.ErrGone) {
		return nil, nothing(fmt.Sprintf("no message %s in the queue: it may have been delivered or removed meanwhile", id), s.spoor("trace "+string(id)))
	}
	return m, err
}

// logins names the UIDs in the trail of a message.
func (s *server) logins(m *spoor.Message) map[int]string {
	names := map[int]string{}
	for _, hop := range m.Trail.Hops {
		if owner := s.owner(hop.UID); hop.UID >= 0 && owner.Login != "" {
			names[hop.UID] = owner.Login
		}
	}
	return names
}

// head reads at most limit bytes of a message's content.
func (s *server) head(id spoor.QueueID, limit int64) ([]byte, error) {
	content, err := s.queue.Content(id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = content.Close() }()
	return io.ReadAll(io.LimitReader(content, limit))
}
