package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spoor/internal/report"
)

// options are the global flags.
type options struct {
	env     Environment
	root    string
	mta     string
	panel   string
	logs    []string
	state   string
	since   string
	until   string
	top     int
	output  string
	json    bool
	check   bool
	noColor bool
	verbose bool
	brief   bool // the answer is shown without its evidence

	toldOverdue map[string]bool // stops that are over and could not be taken back; nil before it was looked for them
}

func (o *options) addFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.SortFlags = false
	f.StringVar(&o.root, "root", "/", "examine the server below `DIR`: a mounted disk, a backup, a captured sample")
	f.StringVar(&o.since, "since", "", "only messages that arrived at or after `TIME` (2h, 3d, 2026-11-23, 2026-11-23T10:00:00Z)")
	f.StringVar(&o.until, "until", "", "only messages that arrived before `TIME`")
	f.IntVar(&o.top, "top", report.DefaultTop, "show the `N` worst sources in text; JSON has all")
	f.StringVar(&o.mta, "mta", "auto", "`MTA` to examine: "+orList(mtaWords()))
	f.StringVar(&o.panel, "panel", "auto", "`PANEL` to ask: "+orList(panelWords()))
	f.StringArrayVar(&o.logs, "log", nil, "read this mail `FILE` below the root instead of those that are found (repeatable; none reads no log)")
	f.StringVar(&o.state, "state", "", "keep journal and vault in `DIR` (default /var/lib/spoor below the root)")
	f.StringVarP(&o.output, "output", "o", "table", "`FORMAT`: table, wide, json, ndjson, csv, ids or html")
	f.BoolVar(&o.json, "json", false, "short for -o json")
	f.BoolVar(&o.check, "check", false, "one line and exit status for Nagios and its kin (spoor who only)")
	f.BoolVar(&o.noColor, "no-color", false, "no colours; NO_COLOR in the environment does the same")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "list every gap: file by file what could not be read")
	for name, words := range map[string][]string{
		"mta": mtaWords(), "panel": panelWords(), "output": formats(),
	} {
		_ = root.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}

// formats are the words for every output format.
func formats() []string {
	var words []string
	for _, format := range report.Formats() {
		words = append(words, format.String())
	}
	return append(words, "html") // of reports
}

// format returns the output format, or a usage error unless it is allowed.
func (o *options) format(allowed ...string) (string, error) {
	format := o.output
	if o.json {
		format = "json"
	}
	if !slices.Contains(allowed, format) {
		return "", usage(fmt.Errorf("-o %s: this command writes %s", format, strings.Join(allowed, ", ")))
	}
	return format, nil
}

// spoor is a command to try, for the same root. It is not shown if it would need
// quoting.
func (o *options) spoor(words string) string {
	command := "spoor"
	if o.root != "/" {
		command += " --root " + o.root
	}
	return strings.TrimSpace(command + " " + words)
}

// style is how text is laid out for whoever reads standard output.
func (o *options) style() report.Style {
	colour := o.env.OutColumns > 0 && !o.noColor && o.env.Getenv("NO_COLOR") == "" && o.env.Getenv("TERM") != "dumb"
	return report.Style{Colour: colour, Columns: o.env.OutColumns, Zone: o.env.Zone, Now: o.env.Now()}
}

// window is the span of arrival times that --since and --until leave.
type window struct{ from, until time.Time }

func (w window) contains(t time.Time) bool {
	return (w.from.IsZero() || !t.Before(w.from)) && (w.until.IsZero() || t.Before(w.until))
}

func (o *options) window() (w window, err error) {
	if w.from, err = o.instant("--since", o.since); err != nil {
		return w, err
	}
	w.until, err = o.instant("--until", o.until)
	return w, err
}

// instant reads a point in time: how long ago, a date in the server's zone, or
// RFC 3339.
func (o *options) instant(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, o.env.Zone); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := time.ParseDuration(days + "h"); err == nil {
			return o.env.Now().Add(-24 * n), nil
		}
	}
	ago, err := time.ParseDuration(text)
	if err != nil {
		return time.Time{}, usage(fmt.Errorf("%s %q: want a time such as 2h, 3d, 2026-11-23 or 2026-11-23T10:00:00Z", flag, text))
	}
	return o.env.Now().Add(-ago), nil
}
