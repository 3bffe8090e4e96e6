package cli

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/bundle"
	"spoor/internal/host"
	"spoor/internal/logs"
	"spoor/internal/mta"
	"spoor/internal/panel/plesk"
	"spoor/internal/redact"
	"spoor/internal/report"
)

// bundleFlags say where an archive goes and what is in it.
type bundleFlags struct {
	to    string
	names string
	full  bool
}

func bundleCommand(o *options) *cobra.Command {
	f := &bundleFlags{}
	cmd := &cobra.Command{
		Use:   "bundle --to FILE",
		Short: "an archive for support: what spoor reads of this server, with every name replaced",
		Long: `bundle writes the queue, the mail log and the configuration that an answer rests
on into a tar.gz, which spoor can examine with --root when it is unpacked. Names
of people, domains, hosts and sites become others of the same length, and what
people wrote becomes other words; addresses of clients (IP), times, sizes, queue
IDs and answers of receivers stay, and so does every count. Passwords are left
out, and so are the contents of web sites. What was asked of Plesk's database is
in it, with names replaced.

Which name became which is written to FILE.names, for you alone; --names FILE
writes it elsewhere.`,
		Example: `  spoor bundle --to /root/server7.tar.gz
  mkdir server7 && tar -xzf server7.tar.gz -C server7 && spoor --root server7`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.bundle(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.to, "to", "", "write the archive to `FILE`")
	flags.StringVar(&f.names, "names", "", "write which name became which to `FILE` (default the archive's name with .names)")
	flags.BoolVar(&f.full, "full", false, "replace no names: only for those who may see everything")
	return cmd
}

func (o *options) bundle(ctx context.Context, f *bundleFlags) error {
	if _, err := o.format("table"); err != nil {
		return err
	}
	if f.to == "" {
		return usageTry(errors.New("say where to: --to FILE"), "spoor bundle --help")
	}
	if f.names == "" {
		f.names = f.to + ".names"
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	met := &metPaths{links: map[string]string{}, paths: map[string]bool{}}
	met.watch(s)
	if err := s.meet(ctx, o); err != nil {
		return err
	}
	out, err := os.OpenFile(f.to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w, names, err := o.writeBundle(ctx, s, met, out, f.full)
	if err := errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(f.to)
		return err
	}
	if err := saveNames(f.names, names); err != nil {
		return err
	}
	return o.tellBundle(f, w, names)
}

// metPaths are the paths that an examination met, as host.Root.Observe tells them.
type metPaths struct {
	mu    sync.Mutex
	paths map[string]bool
	links map[string]string // to their targets
}

// watch makes the paths that the examination of s meets known. Those that were met
// before, when it was opened, are found again by meet.
func (m *metPaths) watch(s *server) {
	s.root.Observe(func(name, target string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if target == "" {
			m.paths[name] = true
		} else {
			m.links[name] = target
		}
	})
}

// meet reads all that an answer rests on, and the server's settings once more.
func (s *server) meet(ctx context.Context, o *options) error {
	again := &server{root: s.root, gaps: &spoor.Gaps{}, spoor: o.spoor}
	defer func() {
		again.background.Wait()
		if again.queue != nil {
			_ = again.queue.Close()
		}
		if again.panel != nil {
			_ = again.panel.Close()
		}
	}()
	if err := again.open(ctx, o); err != nil {
		return err
	}
	_, err := again.answer(ctx, o)
	s.log = again.log
	if again.plesk != nil {
		s.psa = again.plesk.Answers()
	}
	return err
}

func (o *options) writeBundle(ctx context.Context, s *server, met *metPaths, out io.Writer, full bool) (*bundle.Writer, *redact.Names, error) {
	source, err := o.bundleSource(ctx, s, full)
	if err != nil {
		return nil, nil, err
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	packed := gzip.NewWriter(buffered)
	w, err := bundle.NewWriter(packed, source, bundle.Manifest{Time: o.env.Now().UTC(), Host: s.host, MTA: s.queue.MTA(), Panel: s.panel.Name()})
	if err != nil {
		return nil, nil, err
	}
	s.root.Observe(nil)
	if err := s.addPsa(w, source.Names, o.env.Now().UTC()); err != nil {
		return nil, nil, err
	}
	for _, name := range ledTo(s.root, met.links) {
		source.Private = append(source.Private, name)
		w.Gaps.Add("/"+name, "was left out: a link that is not root's leads there")
	}
	if err := s.addAll(ctx, w, source, met); err != nil {
		return nil, nil, err
	}
	return w, source.Names, errors.Join(w.Close(), packed.Close(), buffered.Flush())
}

// addPsa adds what Plesk's database has answered.
func (s *server) addPsa(w *bundle.Writer, names *redact.Names, now time.Time) error {
	if s.psa == nil {
		return nil
	}
	answers := s.psa
	if names != nil {
		answers = answers.Rename(names)
	}
	text, err := json.MarshalIndent(answers, "", " ")
	if err != nil {
		return err
	}
	return w.Extra(plesk.AnswersFile, now, append(text, '\n'))
}

// ledTo are the files that links of others than root lead to: what is in them a
// customer has chosen, who may want to see it in other hands.
func ledTo(root *host.Root, links map[string]string) []string {
	var places []string
	for link, target := range links {
		var st syscall.Stat_t
		if err := syscall.Lstat(path.Join(root.Dir(), link), &st); err == nil && st.Uid == 0 {
			continue
		}
		if !path.IsAbs(target) {
			target = path.Join("/", path.Dir(link), target)
		}
		for _, name := range [...]string{target, link} {
			linkFree, err := root.Resolve(name)
			if info, gone := root.Stat(name); err == nil && gone == nil && info.Mode().IsRegular() && !slices.Contains(places, linkFree) {
				places = append(places, linkFree)
			}
		}
	}
	return places
}

// addAll adds links first, then what was met, then the queue and the logs whole.
func (s *server) addAll(ctx context.Context, w *bundle.Writer, source *bundle.Source, met *metPaths) error {
	for _, link := range slices.Sorted(maps.Keys(met.links)) {
		if err := w.Link(link, met.links[link]); err != nil {
			return err
		}
	}
	paths := slices.Concat(slices.Sorted(maps.Keys(met.paths)), source.Logs)
	for _, folder := range source.Queue {
		tree, err := s.tree(folder, 0)
		if err != nil {
			w.Gaps.Add("/"+folder, cause(err))
		}
		paths = append(paths, tree...)
	}
	for _, name := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.Add(name); err != nil {
			return err
		}
	}
	return nil
}

// bundleSource says what is queue, log and private on this server, and learns its
// names.
func (o *options) bundleSource(ctx context.Context, s *server, full bool) (*bundle.Source, error) {
	source := &bundle.Source{
		Root: s.root, Logs: s.logPaths(), Queue: s.queuePlaces(),
		OpenLog: func(name string) (io.ReadCloser, error) { return logs.Open(ctx, s.root, name) },
		Parts:   func(name string, file []byte) iter.Seq[bundle.Part] { return partsOf(&s.adapter, name, file) },
	}
	for _, site := range s.panel.Sites() {
		for _, folder := range append([]string{site.Home}, site.DocumentRoots...) {
			if folder != "" {
				source.Private = append(source.Private, strings.Trim(folder, "/"))
			}
		}
	}
	if full {
		return source, nil
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	source.Names = redact.New(key)
	s.teach(source.Names)
	return source, nil
}

// firstCustomer is the UID from which logins are people's and sites' (UID_MIN of
// login.defs(5), on the oldest systems).
const firstCustomer = 500

// teach makes the names known that stand alone in logs and paths: of this host, of
// the users who are no part of the system, and of who has logged in to send.
func (s *server) teach(names *redact.Names) {
	host, _, _ := strings.Cut(s.host, ".")
	names.Learn(host)
	for _, account := range s.passwd.All() {
		role := s.owner(account.UID).Role
		if account.UID >= firstCustomer && (role == spoor.RoleSite || role == spoor.RoleUser) {
			names.Learn(account.Login)
			names.Learn(path.Base(account.Home))
		}
	}
	if s.log == nil {
		return
	}
	for login := range s.log.journal.Logins() {
		if !strings.Contains(login, "@") { // addresses are known by their form
			names.Learn(login)
		}
	}
}

func partsOf(a *mta.Adapter, name string, file []byte) iter.Seq[bundle.Part] {
	return func(yield func(bundle.Part) bool) {
		for p := range a.Parts(name, file) {
			if !yield(bundle.Part{Start: p.Start, End: p.End, Header: p.Kind == mta.PartHeader, Body: p.Kind == mta.PartBody}) {
				return
			}
		}
	}
}

// queuePlaces are the folders of the queue, without links on the way.
func (s *server) queuePlaces() []string {
	var places []string
	for place := range strings.SplitSeq(s.adapter.Place(s.mtaServer()), ", ") {
		if name, err := s.root.Resolve(place); err == nil {
			places = append(places, name)
		}
	}
	return places
}

// logPaths are the files of the log that was read, and the access logs of sites.
func (s *server) logPaths() []string {
	var paths []string
	if s.log != nil {
		for _, file := range s.log.coverage.Files {
			paths = append(paths, file.Path)
		}
	}
	var found []string
	add := func(name string) {
		if !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	for _, name := range paths {
		if linkFree, err := s.root.Resolve(name); err == nil {
			add(linkFree)
		}
	}
	for _, site := range s.panel.Sites() {
		for _, name := range site.AccessLogs {
			if linkFree, ok := ownLog(s.root, name); ok {
				add(linkFree)
			}
		}
	}
	return found
}

// ownLog is an access log without links on the way. Where the log itself is one, it may
// be a customer's, and lead to any file of the server: that is no log.
func ownLog(root *host.Root, name string) (linkFree string, ok bool) {
	folder, err := root.Resolve(path.Dir(name))
	if err != nil {
		return "", false
	}
	linkFree, err = root.Resolve(name)
	return linkFree, err == nil && linkFree == path.Join(folder, path.Base(name))
}

// deepest bounds how deep a queue is walked.
const deepest = 12

// tree lists everything below a folder of the queue.
func (s *server) tree(folder string, depth int) ([]string, error) {
	dir, err := s.root.OpenDir("/" + folder)
	if err != nil || depth > deepest {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	var all, folders []string
	for entry, err := range dir.Entries() {
		if err != nil {
			return all, err
		}
		name := folder + "/" + string(entry.Name)
		all = append(all, name)
		if entry.Type == host.TypeDirectory {
			folders = append(folders, name)
		}
	}
	for _, below := range folders {
		more, err := s.tree(below, depth+1)
		if err != nil {
			return all, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// saveNames writes which name became which, for the owner of the server alone.
func saveNames(file string, names *redact.Names) error {
	if names == nil {
		return nil
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	text := bufio.NewWriter(out)
	list := names.Map()
	for _, name := range slices.Sorted(maps.Keys(list)) {
		fmt.Fprintf(text, "%s\t%s\n", list[name], report.Escape(name))
	}
	return errors.Join(text.Flush(), out.Close())
}

func (o *options) tellBundle(f *bundleFlags, w *bundle.Writer, names *redact.Names) error {
	fmt.Fprintf(o.env.Out, "%s: %d files, %d bytes\n", f.to, w.Files, w.Bytes)
	if names == nil {
		fmt.Fprintln(o.env.Out, "no name was replaced: everything that people wrote is in it")
	} else {
		fmt.Fprintf(o.env.Out, "%s: which name became which; keep it to yourself\n", f.names)
	}
	for _, gap := range w.Gaps.List() {
		fmt.Fprintf(o.env.Err, "spoor: %s %s\n", report.Escape(gap.File), report.Escape(gap.Reason))
	}
	if w.Gaps.Total() > 0 {
		return partial()
	}
	return nil
}
