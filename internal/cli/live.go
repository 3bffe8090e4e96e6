package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/live"
	"spoor/internal/report"
)

// liveFlags are those of spoor live.
type liveFlags struct {
	duration   time.Duration
	mechanism  string
	permission bool
	format     string // as it was asked for; "" if it was not
}

func liveCommand(o *options) *cobra.Command {
	var flags liveFlags
	command := &cobra.Command{
		Use:   "live",
		Short: "who sends mail now: which process, script, user and client",
		Long: `live watches the running server: processes that hand mail to sendmail or its
like, processes that are no part of the mail system and connect to a port of
SMTP (25, 465, 587), and scripts that web workers have open. Each is told with
its source, script, user and client, and with how well each of these is known.

It uses the best mechanism that works here, and says which one it is and what
that can miss: eBPF (Linux 5.8 with BTF), the kernel's audit where it has an
execve rule already, fanotify (Linux 5.0), or looks at /proc alone. It changes
nothing, and leaves nothing attached when it ends or is killed. Root is needed.

On a terminal the columns are updated in place, and a summary follows. In a pipe
each sighting is a line of JSON; the last line is the summary.`,
		Example: `  spoor live                   until Ctrl-C
  spoor live --for 60s
  spoor live -o ndjson | jq 'select(.event == "sighting") | .script'
  spoor live --for 60s -o table >summary.txt`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("output") || cmd.Flags().Changed("json") {
				flags.format = o.output
				if o.json {
					flags.format = "ndjson"
				}
			}
			return o.live(cmd.Context(), flags)
		},
	}
	f := command.Flags()
	f.SortFlags = false
	f.DurationVar(&flags.duration, "for", 0, "end after `TIME` (60s, 10m); until Ctrl-C without it")
	f.StringVar(&flags.mechanism, "mechanism", "auto", "`MECHANISM`: auto, "+orList(live.Mechanisms()))
	f.BoolVar(&flags.permission, "permission", false, "fanotify holds each exec of sendmail, for at most 5 ms, until its caller was looked at")
	_ = command.RegisterFlagCompletionFunc("mechanism", cobra.FixedCompletions(append([]string{"auto"}, live.Mechanisms()...), cobra.ShellCompDirectiveNoFileComp))
	return command
}

func (o *options) live(ctx context.Context, flags liveFlags) error {
	if err := o.checkLive(&flags); err != nil {
		return err
	}
	s, err := o.observe(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	watch, err := live.Open(s.liveConfig(o, flags))
	if err != nil {
		return noMechanism(err, flags)
	}
	if flags.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, flags.duration)
		defer cancel()
	}
	v := newLiveView(s, o, watch, flags)
	err = errors.Join(v.run(ctx), watch.Close())
	if err == nil && !v.page.Complete {
		err = partial()
	}
	return err
}

// checkLive refuses flags that mean nothing together.
func (o *options) checkLive(flags *liveFlags) error {
	if flags.format == "" {
		flags.format = "table"
		if o.env.OutColumns == 0 {
			flags.format = "ndjson"
		}
	}
	if !slices.Contains([]string{"table", "ndjson"}, flags.format) {
		return usage(fmt.Errorf("-o %s: this command writes table, ndjson", flags.format))
	}
	if flags.mechanism == "auto" {
		flags.mechanism = ""
	} else if !slices.Contains(live.Mechanisms(), flags.mechanism) {
		return usage(errors.New("--mechanism " + flags.mechanism + ": want auto, " + orList(live.Mechanisms())))
	}
	if flags.permission && flags.mechanism != "" && flags.mechanism != live.Fanotify {
		return usage(errors.New("--permission belongs to --mechanism fanotify"))
	}
	if flags.permission {
		flags.mechanism = live.Fanotify
	}
	if flags.duration < 0 {
		return usage(errors.New("--for: want a time such as 60s"))
	}
	if os.Geteuid() != 0 {
		return &statusError{status: exitNoMTA, err: &spoor.Problem{
			What: "spoor live is not run by root", So: "the processes of others cannot be seen", Try: "sudo " + o.spoor("live"),
		}}
	}
	return nil
}

// noMechanism says why the one that was asked for does not work.
func noMechanism(err error, flags liveFlags) error {
	return &statusError{status: exitFailure, err: &spoor.Problem{
		What: "--mechanism " + flags.mechanism + " does not work here: " + err.Error(), So: "nothing was watched", Try: "spoor live", Err: err,
	}}
}

// observe opens the server without its queue: who sends is a question of
// processes.
func (o *options) observe(ctx context.Context) (*server, error) {
	s, err := o.openRoot()
	if err != nil {
		return nil, err
	}
	if err := s.openPeople(ctx, o); err != nil {
		s.close()
		return nil, err
	}
	s.host = s.hostFile()
	return s, nil
}

// liveConfig says what is watched: the programs of every MTA that may be here,
// and of what stands in for one.
func (s *server) liveConfig(o *options, flags liveFlags) live.Config {
	programs := []string{"/usr/bin/msmtp", "/usr/sbin/ssmtp", "/usr/sbin/nullmailer-queue", "/usr/sbin/dma", "/usr/bin/esmtp"}
	var folders []string
	m := s.mtaServer()
	for _, adapter := range adapters() {
		p := adapter.Programs(m)
		programs, folders = append(programs, p.Submit...), append(folders, p.Folders...)
	}
	siteAt := s.siteAt()
	return live.Config{
		Root: s.root, Programs: programs, Mechanism: flags.mechanism, Permission: flags.permission, Now: o.env.Now,
		InSite: func(path string) bool { return path != "" && siteAt(path) != "" },
		Mail:   s.isMailProcess(folders),
	}
}

// isMailProcess returns a function that tells whether a process is a part of the
// mail system: by its user, or, where that is root, by the program that it runs.
func (s *server) isMailProcess(folders []string) func(*spoor.Process) bool {
	return func(p *spoor.Process) bool {
		if p.UID < 0 {
			return false
		}
		if p.UID > 0 {
			return s.isMailSystem(p.UID)
		}
		return slices.ContainsFunc(folders, func(folder string) bool { return isBelow(folder, p.Exe) })
	}
}

// isBelow reports whether a path is a folder or lies in it.
func isBelow(folder, path string) bool {
	return path == folder || len(path) > len(folder) && path[:len(folder)] == folder && path[len(folder)] == '/'
}

// loginOf is the name of a user, or its number.
func (s *server) loginOf(uid int) string {
	if login := s.owner(uid).Login; login != "" {
		return login
	}
	return "uid " + strconv.Itoa(uid)
}

// mechanisms are words for the mechanisms that do not work here.
func refusals(watch *live.Watch) []string {
	var words []string
	for _, refused := range watch.Refused() {
		words = append(words, refused.Mechanism+" ("+refused.Err.Error()+")")
	}
	return words
}

// livePage starts the page of an observation.
func (s *server) livePage(o *options, watch *live.Watch, servers *live.Servers) *report.Live {
	now := o.env.Now().UTC()
	return &report.Live{
		Head:    report.Head{Root: s.root.Dir(), Host: s.host, Time: now, Panel: s.panel.Name()},
		Started: now, Mechanism: watch.Mechanism(), Misses: watch.Misses(), Refused: refusals(watch),
		Programs: watch.Watched(), Pages: servers.Pages(),
	}
}
