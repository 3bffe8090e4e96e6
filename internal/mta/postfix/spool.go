package postfix

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"spoor/internal/disk"
	"spoor/internal/mta"
)

// spool is the queue directory of one instance, open to be changed.
type spool struct {
	dir      string // queue_directory, below the root, as folders of targets begin
	queue    *disk.Dir
	postfix  commands
	hashed   map[string]bool // hash_queue_names
	depth    int             // hash_queue_depth
	long     bool            // enable_long_queue_ids
	cool     time.Duration   // minimal_backoff_time
	uid, gid int             // of mail_owner
	plan     string
	running  bool
	lock     *disk.File // of master(8), while it does not run

	opening sync.Mutex
	folders map[string]*disk.Dir // open, by name below queue
	missing map[string]bool      // known not to be there, where nobody else makes any
	taken   keptMessages
}

// openSpool opens the queue of an instance. It returns mta.ErrNoQueue, or
// mta.ErrRunning where Postfix works on a tree that is not this machine's.
func openSpool(server *mta.Server, main *MainCF, control mta.Control) (*spool, error) {
	dir := path.Clean(main.Get("queue_directory"))
	resolved, err := server.Root.Resolve(dir)
	if err == nil {
		_, err = server.Root.Stat(path.Join(dir, "active"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, mta.ErrNoQueue
	}
	if err != nil {
		return nil, err
	}
	s := &spool{dir: dir, plan: control.Plan, hashed: map[string]bool{}, folders: map[string]*disk.Dir{}, missing: map[string]bool{}}
	s.configure(main)
	if s.queue, err = control.Top.OpenDir(resolved); err != nil {
		return nil, err
	}
	if err := s.own(server, main); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if err := s.lockMaster(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if s.running {
		if !control.Live || control.Run == nil {
			return nil, errors.Join(mta.ErrRunning, s.close())
		}
		if s.postfix, err = findCommands(server.Root, main, control.Run); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// configure reads where Postfix puts its files (postconf(5)).
func (s *spool) configure(main *MainCF) {
	for _, name := range main.List("hash_queue_names") {
		s.hashed[strings.ToLower(name)] = true
	}
	s.depth, _ = strconv.Atoi(main.Get("hash_queue_depth"))
	s.depth = max(1, min(s.depth, maxDepth))
	s.long = main.Get("enable_long_queue_ids") == "yes"
	s.cool = backoff(main.Get("minimal_backoff_time"))
}

// defaultBackoff is minimal_backoff_time where main.cf does not say another.
const defaultBackoff = 300 * time.Second

// backoff reads a time of postconf(5): a number and s, m, h, d or w.
func backoff(text string) time.Duration {
	digits := strings.TrimRight(text, "smhdw")
	n, ok := number([]byte(digits))
	unit, known := map[string]time.Duration{
		"": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}[text[len(digits):]]
	if !ok || !known || n > 1<<20 {
		return defaultBackoff
	}
	return time.Duration(n) * unit
}

// own finds out whom files of the queue belong to: mail_owner, as whose the
// deferred queue is. Of a copied queue, passwd may know that user by another UID.
func (s *spool) own(server *mta.Server, main *MainCF) error {
	st, err := s.queue.Stat("deferred")
	if err != nil {
		return err
	}
	s.uid, s.gid = st.UID, st.GID // of the folder, the group is root's
	if owner, ok := server.Passwd.ByUID(st.UID); ok {
		s.gid = owner.GID
	}
	if owner, ok := server.Passwd.ByLogin(main.Get("mail_owner")); ok && st.UID == 0 {
		s.uid, s.gid = owner.UID, owner.GID
	}
	return nil
}

// lockMaster takes the lock of master(8), which is an exclusive flock(2) of
// pid/master.pid from its start to its end (master.c, open_lock.c; INTERNAL_LOCK of
// sys_defs.h is MYFLOCK_STYLE_FLOCK on Linux). Where there is no folder pid,
// master cannot start.
func (s *spool) lockMaster() error {
	pid, err := s.queue.OpenDir("pid")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = pid.Close() }()
	s.lock, err = pid.OpenWrite("master.pid")
	if errors.Is(err, fs.ErrNotExist) {
		if s.lock, err = pid.Create("master.pid", 0o600); errors.Is(err, fs.ErrExist) {
			s.lock, err = pid.OpenWrite("master.pid")
		}
	}
	if err != nil {
		return err
	}
	err = s.lock.Flock()
	if errors.Is(err, disk.ErrLocked) {
		s.running = true
		closing := s.lock.Close()
		s.lock = nil
		return closing
	}
	return err
}

// close closes everything, the lock of master last.
func (s *spool) close() error {
	var errs []error
	_, used := s.folders[holdingPlace]
	for _, d := range s.folders {
		errs = append(errs, d.Close())
	}
	clear(s.folders)
	if s.queue != nil {
		errs = append(errs, s.removeHolding(used), s.queue.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	s.queue, s.lock = nil, nil
	return errors.Join(errs...)
}

// folder opens a folder below the queue directory, and keeps it open. Several
// goroutines may call it.
func (s *spool) folder(name string) (*disk.Dir, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	if d, ok := s.folders[name]; ok {
		return d, nil
	}
	if s.missing[name] {
		return nil, &fs.PathError{Op: "open", Path: path.Join(s.queue.Name(), name), Err: unix.ENOENT}
	}
	d, err := s.queue.OpenDir(name)
	switch {
	case err == nil:
		s.folders[name] = d
	case errors.Is(err, fs.ErrNotExist) && (!s.running || strings.HasPrefix(name, holdingPlace+"/")):
		s.missing[name] = true
	}
	return d, err
}

// appeared forgets that a folder was missing.
func (s *spool) appeared(name string) {
	s.opening.Lock()
	defer s.opening.Unlock()
	delete(s.missing, name)
}

// rel is a folder of a target below the queue directory; ok is false for one that
// is none of a message queue's.
func (s *spool) rel(folder string) (name string, ok bool) {
	name, ok = strings.CutPrefix(folder, s.dir+"/")
	return name, ok && isQueueFolder(name, messageQueues[:])
}

var (
	messageQueues = [...]string{"deferred", "active", "incoming", "hold", "maildrop", "corrupt"}
	logQueues     = [...]string{"bounce", "defer", "trace"}
)

// isQueueFolder reports whether a folder is one of these queues or below it, with
// names of one character.
func isQueueFolder(name string, queues []string) bool {
	parts := strings.Split(name, "/")
	if len(parts) > maxDepth+1 {
		return false
	}
	for _, part := range parts[1:] {
		if len(part) != 1 || !isAlnum(part[0]) && part[0] != '_' {
			return false
		}
	}
	for _, queue := range queues {
		if parts[0] == queue {
			return true
		}
	}
	return false
}

// queueOf is the queue that a folder belongs to.
func queueOf(folder string) string {
	queue, _, _ := strings.Cut(folder, "/")
	return queue
}

// place is the folder of a queue where Postfix looks for an ID (mail_queue_dir()
// of mail_queue.c).
func (s *spool) place(queue, id string) string {
	if !s.hashed[queue] {
		return queue
	}
	digits := hashDigits(id)
	name := append(make([]byte, 0, len(queue)+2*maxDepth), queue...)
	for i := range s.depth {
		digit := byte('_') // dir_forest.c pads a short name
		if i < len(digits) {
			digit = digits[i]
		}
		name = append(name, '/', digit)
	}
	return string(name)
}

// places are the folders of a queue where an ID may be: where Postfix looks for
// it, and where it looked when the depth was another.
func (s *spool) places(queue, id string) []string {
	all := []string{s.place(queue, id)}
	for _, hashed := range hashedPaths(id) {
		if name := path.Join(queue, hashed); name != all[0] {
			all = append(all, name)
		}
	}
	return all
}

// makeFolder opens a folder of a queue, which it makes where it is missing, for
// mail_owner and with mode 0700 (mail_queue_mkdirs() of mail_queue.c).
func (s *spool) makeFolder(name string) (*disk.Dir, error) {
	d, err := s.folder(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	above := path.Dir(name)
	if above == "." {
		return nil, err // a queue of its own is Postfix' to make
	}
	in, err := s.makeFolder(above)
	if err != nil {
		return nil, err
	}
	if err := s.moveNewFolder(in, path.Base(name)); err != nil {
		return nil, fmt.Errorf("make folder %s: %w", name, err)
	}
	s.appeared(name)
	return s.folder(name)
}

// moveNewFolder makes a folder outside the queue, and moves it there when it has
// its owner: qmgr(8) cannot work with one that is root's.
func (s *spool) moveNewFolder(to *disk.Dir, name string) error {
	holding, err := s.holding(newFiles)
	if err != nil {
		return err
	}
	const temporary = "folder"
	made, err := holding.MakeDir(temporary, 0o700)
	if err != nil {
		return err
	}
	_ = made.Close()
	if err := chown(holding, temporary, s.uid, s.gid); err != nil {
		return err
	}
	err = holding.Rename(temporary, to, name)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, unix.ENOTEMPTY) {
		return holding.RemoveDir(temporary)
	}
	return err
}

// chown gives a file its owner, if it has another.
func chown(d *disk.Dir, name string, uid, gid int) error {
	st, err := d.Stat(name)
	if err != nil || st.UID == uid && st.GID == gid {
		return err
	}
	return d.Chown(name, uid, gid)
}
