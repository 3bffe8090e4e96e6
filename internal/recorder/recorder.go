// Package recorder is the root's side of the sendmail shim. A shim connects for
// each message; the recorder looks up in /proc who that is, issues a signed ID, and
// writes a line about the message into its log. Over a limit, the message itself
// comes in: into a store, whose messages go on into the vault.
//
// Whoever may run a program may connect. What he sends is a claim; what the kernel
// says of him is a fact; and one user can use up neither the log nor the recorder.
package recorder

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"spoor/internal/disk"
	"spoor/internal/origin"
	"spoor/internal/shim"
	"spoor/internal/vault"
)

// Places are where a recorder works. All but Proc are absolute paths.
type Places struct {
	Socket string
	Spool  string
	Log    string
	State  string   // folder for the key and the store of held messages
	Config string   // "" for no limits
	Shims  []string // where the shim is, by whatever name it is called
	Proc   string   // /proc
}

// System are the places of a server with a state folder, and with a shim that may be
// called by its own name.
func System(state, program string) Places {
	return Places{
		Socket: shim.Socket, Spool: shim.Spool, Log: origin.LogPath, State: state, Config: ConfigPath,
		Shims: []string{sendmailPath, program}, Proc: "/proc",
	}
}

// Recorder serves shims.
type Recorder struct {
	places  Places
	now     func() time.Time
	key     origin.Key
	log     *log
	spool   *spool
	store   *Store
	state   *disk.Dir
	vaults  *disk.Dir
	vault   *vault.Vault
	counter counter
	crowd   crowd
	usage   usage
	retries retries
	problem func(error)
}

// Open prepares a recorder: its key, which it makes if there is none, its log, its
// spool and its store. Problem is told what goes wrong while it serves; it may be
// called by several goroutines.
func Open(places Places, now func() time.Time, problem func(error)) (*Recorder, error) {
	r := &Recorder{places: places, now: now, problem: problem, counter: counter{now: now}, retries: retries{now: now}, usage: newUsage(), crowd: crowd{now: now, users: map[int]*visitor{}}}
	if err := r.open(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Recorder) open() error {
	if err := r.Reload(); err != nil {
		return err
	}
	if err := privateFolder(r.places.State, 0o700); err != nil {
		return err
	}
	var err error
	if r.key, err = loadKey(filepath.Join(r.places.State, origin.KeyName)); err != nil {
		return err
	}
	if r.state, err = disk.Open(r.places.State, nil); err != nil {
		return err
	}
	if r.store, err = OpenStore(r.state); err != nil {
		return err
	}
	if r.vaults, err = r.state.MakeDir(vault.FolderName, 0o700); err != nil {
		return err
	}
	if r.vault, err = vault.Open(r.vaults); err != nil {
		return err
	}
	if r.log, err = openLog(r.places.Log, r.now); err != nil {
		return err
	}
	r.spool, err = openSpool(r.places.Spool)
	return err
}

// Close gives everything back that Open took.
func (r *Recorder) Close() {
	if r.log != nil && r.log.file != nil {
		r.log.close()
	}
	if r.store != nil {
		_ = r.store.Close()
	}
	for _, dir := range []*disk.Dir{r.vaults, r.state} {
		if dir != nil {
			_ = dir.Close()
		}
	}
}

// Reload reads the limits anew. After an error the ones before stay.
func (r *Recorder) Reload() error {
	var text []byte
	if r.places.Config != "" {
		var err error
		if text, err = os.ReadFile(r.places.Config); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	config, err := ParseConfig(text)
	if err != nil {
		return fmt.Errorf("%s: %w", r.places.Config, err)
	}
	r.counter.use(config)
	return nil
}

// loadKey reads the key, or makes it. A key that others could have read or written
// signs nothing.
func loadKey(name string) (origin.Key, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return makeKey(name)
	}
	if err != nil {
		return origin.Key{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return origin.Key{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return origin.Key{}, fmt.Errorf("%s has mode %04o: %w", name, info.Mode().Perm(), errShared)
	}
	text := make([]byte, 256)
	n, err := f.Read(text)
	if err != nil {
		return origin.Key{}, fmt.Errorf("%s: %w", name, err)
	}
	key, err := origin.ParseKey(text[:n])
	if err != nil {
		return key, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

// makeKey writes a new key beside its place, and gives it its name when it is on
// disk: half a key is never read.
func makeKey(name string) (origin.Key, error) {
	key := origin.NewKey()
	f, err := os.OpenFile(name+unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return key, err
	}
	_, err = f.WriteString(key.String())
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(name+unfinished, name)
	}
	return key, err
}

// Listen makes the socket, and replaces one that a recorder has left behind.
func Listen(name string) (*net.UnixListener, error) {
	if err := privateFolder(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	if _, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Net: "unixpacket", Name: name}); err == nil {
		return nil, fmt.Errorf("%s: %w", name, ErrRunning)
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Net: "unixpacket", Name: name})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(name, 0o666); err != nil { //nolint:gosec // every user may send mail
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// ErrRunning is returned where another recorder serves the socket.
var ErrRunning = errors.New("another recorder serves this socket")

// Serve answers shims until the context ends. It closes the listener. What an earlier
// recorder has left unfinished goes only now: as long as another one serves the socket,
// it is at work on that.
func (r *Recorder) Serve(ctx context.Context, l *net.UnixListener) error {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	if err := r.store.Sweep(); err != nil {
		return errors.Join(fmt.Errorf("clean the store of held messages: %w", err), l.Close())
	}
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { r.collectOften(ctx) })
	for {
		conn, err := l.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ECONNABORTED), errors.Is(err, unix.EINTR):
			r.problem(err)
			pause(ctx, 10*time.Millisecond)
			continue
		case err != nil:
			return err
		}
		r.welcome(conn, &group)
	}
}

// welcome serves a connection if its user has not too many of them.
func (r *Recorder) welcome(conn *net.UnixConn, group *sync.WaitGroup) {
	v, err := newVisit(r, conn)
	if err != nil {
		_ = conn.Close()
		return
	}
	group.Go(func() {
		defer r.crowd.leave(v.peer.uid)
		defer v.close()
		if err := v.serve(); err != nil {
			r.problem(err)
		}
	})
}

// collectInterval is how often notes are taken out of the spool, and held messages out
// of the store.
const collectInterval = time.Minute

func (r *Recorder) collectOften(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.spool.collect(r.keepNote); err != nil {
			r.problem(err)
		}
		r.count()
		if err := r.takeIn(ctx); err != nil && ctx.Err() == nil {
			r.problem(fmt.Errorf("held messages stay outside the vault: %w", err))
		}
		r.count()
		pause(ctx, collectInterval)
	}
}

// count counts what is held of each user. It may take a while where that is much, so the
// recorder does not wait for it to begin.
func (r *Recorder) count() {
	if err := r.usage.count(r.state, r.vault); err != nil {
		r.problem(err)
	}
}

// intakeRound is how many messages are taken in before others have their turn.
const intakeRound = 1000

// takeIn moves what is held into the vault. Another one who does so is not waited for.
func (r *Recorder) takeIn(ctx context.Context) error {
	for {
		in, err := OpenIntake(r.state, r.vault, r.now)
		if errors.Is(err, disk.ErrLocked) {
			return nil
		}
		if err != nil {
			return err
		}
		done, err := in.Take(ctx, intakeRound)
		_ = in.Close()
		if err != nil || done.Messages == 0 || ctx.Err() != nil {
			return errors.Join(err, done.Err)
		}
		pause(ctx, 2*intakePause)
	}
}

func (r *Recorder) keepNote(note *origin.Record) {
	if err := r.log.write(note); err != nil {
		r.problem(err)
	}
}

func pause(ctx context.Context, span time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(span):
	}
}
