package qmail

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/mta"
)

// The tests of this file need a real qmail. SPOOR_NOTQMAIL is a folder with the
// programs of notqmail, linked statically, since they run in a root of their own:
//
//	git clone https://github.com/notqmail/notqmail && cd notqmail
//	echo 'cc -s -static' > conf-ld && make it
//
// Without it they are skipped. They take root, and a TMPDIR that is not mounted
// nosuid. All connections are on 127.0.0.1.

// server is a qmail below a root of its own, and the host that it delivers to.
type server struct {
	*stand
	sink *sink
	send *exec.Cmd
	log  *os.File
}

const realPasswd = `root:x:0:0::/:/bin/sh
alias:x:7790:2108::/var/qmail/alias:/bin/true
qmaild:x:7791:2108::/var/qmail:/bin/true
qmaill:x:7792:2108::/var/qmail:/bin/true
qmailp:x:7793:2108::/var/qmail:/bin/true
qmailq:x:7794:2107::/var/qmail:/bin/true
qmailr:x:7795:2107::/var/qmail:/bin/true
qmails:x:7796:2107::/var/qmail:/bin/true
`

func newServer(t *testing.T) *server {
	t.Helper()
	programs := os.Getenv("SPOOR_NOTQMAIL")
	if programs == "" {
		t.Skip("SPOOR_NOTQMAIL is not set")
	}
	s := &server{stand: &stand{t: t, dir: t.TempDir(), live: true, real: true}, sink: newSink(t)}
	s.folder("etc", 0o755, 0, 0)
	s.file("etc/passwd", realPasswd)
	s.file("etc/group", "root:x:0:\nqmail:x:2107:\nnofiles:x:2108:\n")
	s.folder("dev", 0o755, 0, 0)
	must(t, syscall.Mknod(filepath.Join(s.dir, "dev/null"), syscall.S_IFCHR|0o666, 1<<8|3))
	for _, name := range []string{"alias", "bin", "control", "users"} {
		s.folder("var/qmail/"+name, 0o755, 0, 0)
	}
	for _, name := range []string{"qmail-start", "qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean", "qmail-remote", "qmail-local", "qmail-getpw", "qmail-queue"} {
		data, err := os.ReadFile(filepath.Join(programs, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(s.dir, "var/qmail/bin", name), data, 0o755))
	}
	queue := filepath.Join(s.dir, "var/qmail/bin/qmail-queue")
	must(t, os.Chown(queue, 7794, 2107))
	must(t, syscall.Chmod(queue, 0o4711))
	s.file("var/qmail/control/me", "mail.host.test\n")
	s.file("var/qmail/control/smtproutes", ":"+s.sink.listener.Addr().String()+"\n")
	s.file("var/qmail/control/concurrencyremote", "20\n")
	s.emptyQueue()
	var err error
	s.log, err = os.Create(filepath.Join(s.dir, "log"))
	must(t, err)
	t.Cleanup(func() { _ = s.log.Close() })
	return s
}

// emptyQueue makes what hier.c makes.
func (s *server) emptyQueue() {
	const q = queueName + "/"
	s.folder(queueName, 0o750, 7794, 2107)
	for _, one := range []struct {
		name  string
		mode  uint32
		uid   int
		split bool
	}{
		{"pid", 0o700, 7794, false},
		{"intd", 0o700, 7794, false},
		{"todo", 0o750, 7794, false},
		{"lock", 0o750, 7794, false},
		{"bounce", 0o700, 7796, false},
		{"mess", 0o750, 7794, true},
		{"info", 0o700, 7796, true},
		{"local", 0o700, 7796, true},
		{"remote", 0o700, 7796, true},
	} {
		s.folder(q+one.name, one.mode, one.uid, 2107)
		for i := range 23 {
			if one.split {
				s.folder(fmt.Sprintf("%s%s/%d", q, one.name, i), one.mode, one.uid, 2107)
			}
		}
	}
	lock := filepath.Join(s.dir, q, "lock")
	must(s.t, os.WriteFile(lock+"/sendmutex", nil, 0o600))
	must(s.t, os.WriteFile(lock+"/tcpto", make([]byte, 1024), 0o644))
	must(s.t, syscall.Mkfifo(lock+"/trigger", 0o622))
	must(s.t, syscall.Chmod(lock+"/trigger", 0o622))
	for name, uid := range map[string]int{"sendmutex": 7796, "tcpto": 7795, "trigger": 7796} {
		must(s.t, os.Chown(lock+"/"+name, uid, 2107))
	}
}

func (s *server) folder(name string, mode uint32, uid, gid int) {
	s.t.Helper()
	name = filepath.Join(s.dir, name)
	must(s.t, os.MkdirAll(name, 0o755))
	must(s.t, syscall.Chmod(name, mode))
	must(s.t, os.Chown(name, uid, gid))
}

func (s *server) file(name, content string) {
	s.t.Helper()
	must(s.t, os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o644))
}

// start starts qmail-send and waits until it looks at the queue.
func (s *server) start() {
	s.t.Helper()
	s.send = exec.Command("/var/qmail/bin/qmail-start", "./Mailbox") //nolint:noctx // it is ended by stop
	s.send.SysProcAttr = &syscall.SysProcAttr{Chroot: s.dir}
	s.send.Dir, s.send.Env = "/", []string{"PATH=/var/qmail/bin"}
	s.send.Stdout, s.send.Stderr = s.log, s.log
	must(s.t, s.send.Start())
	s.t.Cleanup(s.stop)
	s.until("qmail-send reads the trigger", func() bool {
		fd, err := syscall.Open(filepath.Join(s.dir, queueName, "lock/trigger"), syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			_ = syscall.Close(fd)
		}
		return err == nil
	})
}

// stop ends it as an administrator does; it waits for its deliveries.
func (s *server) stop() {
	if s.send != nil {
		_ = s.send.Process.Signal(syscall.SIGTERM)
		_ = s.send.Wait()
		s.send = nil
	}
}

// until waits for something that is bound to happen.
func (s *server) until(what string, happened func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !happened(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(s.log.Name())
			s.t.Fatalf("%s: not within three minutes\n%s", what, log[max(0, len(log)-3000):])
		}
	}
}

// inject queues one message by qmail-queue(8).
func (s *server) inject(number int, spam bool, to ...string) error {
	subject := "ham"
	if spam {
		subject = "spam"
	}
	envelope := "Fsender@site.test\x00"
	for _, one := range to {
		envelope += "T" + one + "\x00"
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	if _, err := write.WriteString(envelope + "\x00"); err != nil {
		return err
	}
	queue := exec.Command("/var/qmail/bin/qmail-queue") //nolint:noctx // it ends by itself
	queue.SysProcAttr = &syscall.SysProcAttr{Chroot: s.dir, Credential: &syscall.Credential{Uid: 10003, Gid: 10003, NoSetGroups: true}}
	queue.Dir = "/"
	queue.Stdin = strings.NewReader(fmt.Sprintf("Subject: %s\nX-Number: %d\n\ntext\n", subject, number))
	queue.Stdout = read // descriptor 1 is where qmail-queue reads the envelope
	err = errors.Join(write.Close(), queue.Run())
	return errors.Join(err, read.Close())
}

// spam lists what is in the queue and is to be removed.
func (s *server) spam() (list []spoor.Target) {
	s.t.Helper()
	root, err := host.Open(s.dir)
	must(s.t, err)
	defer func() { must(s.t, root.Close()) }()
	var gaps spoor.Gaps
	passwd, err := root.Passwd(&gaps)
	must(s.t, err)
	q, err := Open(root, passwd, Options{})
	must(s.t, err)
	defer func() { must(s.t, q.Close()) }()
	scan, err := q.Scan(s.t.Context(), mta.Want{})
	must(s.t, err)
	for _, part := range scan.Parts {
		for m, err := range part {
			must(s.t, err)
			if m.Subject == "spam" && m.Recipients.Done() < m.Recipients.Len() {
				list = append(list, spoor.TargetOf(m))
			}
		}
	}
	return list
}

// remove does what a plan does: take, pack, settle, discard.
func (s *server) remove(plan string, batch []spoor.Target) (parcels []*spoor.Parcel) {
	s.t.Helper()
	must(s.t, s.try(plan, func(c *controller) {
		out, err := c.Take(s.t.Context(), batch)
		must(s.t, err)
		var taken []spoor.Target
		for i, one := range out {
			switch one.Result {
			case spoor.ResultDone:
				taken = append(taken, batch[i])
			case spoor.ResultFailed:
				s.t.Fatalf("take %s: %v", batch[i].ID, one.Err)
			}
		}
		parcels = packAll(s.t, c, taken)
		must(s.t, c.Settle())
		out, err = c.Discard(s.t.Context(), taken)
		allDone(s.t, "discard", out, err)
	}))
	return parcels
}

func (s *server) restore(plan string, parcels []*spoor.Parcel) {
	s.t.Helper()
	must(s.t, s.try(plan, func(c *controller) {
		list := prepareAll(s.t, c, parcels)
		out, err := c.Publish(s.t.Context(), list)
		allDone(s.t, "publish", out, err)
	}))
}

func (s *server) files(shelves ...string) (n int) {
	for _, shelf := range shelves {
		_ = filepath.Walk(filepath.Join(s.dir, queueName, shelf), func(_ string, info os.FileInfo, err error) error {
			if err == nil && info.Mode().IsRegular() {
				n++
			}
			return nil // it has gone meanwhile
		})
	}
	return n
}

// drain lets everything be delivered.
func (s *server) drain() {
	s.t.Helper()
	s.sink.accept()
	last := time.Time{}
	s.until("the queue is empty", func() bool {
		if time.Since(last) > 500*time.Millisecond {
			last = time.Now()
			_ = s.send.Process.Signal(syscall.SIGALRM)
		}
		return s.files("mess", "todo", "info") == 0
	})
}

// numberOf reads the number of a message in a parcel.
func numberOf(t *testing.T, p *spoor.Parcel) string {
	t.Helper()
	content, err := messageOf(p)
	must(t, err)
	defer func() { must(t, content.Close()) }()
	var text bytes.Buffer
	_, err = text.ReadFrom(content)
	must(t, err)
	_, rest, _ := strings.Cut(text.String(), "X-Number: ")
	number, _, _ := strings.Cut(rest, "\n")
	return number
}

// recipientsOf are those of a message of the load.
func recipientsOf(number int) []string {
	list := []string{fmt.Sprintf("now%d@far.test", number), fmt.Sprintf("later%d@far.test", number)}
	for i := range number % 4 {
		list = append(list, fmt.Sprintf("now%d-%d@far.test", number, i))
	}
	return list
}

// load injects messages from several goroutines, and reports what went wrong.
func (s *server) load(from, to int) (wait func()) {
	const injectors = 3
	failures := make(chan error, to-from)
	var group sync.WaitGroup
	for i := range injectors {
		group.Go(func() {
			for n := from + i; n < to; n += injectors {
				if err := s.inject(n, n%2 == 1, recipientsOf(n)...); err != nil {
					failures <- fmt.Errorf("inject %d: %w", n, err)
				}
			}
		})
	}
	return func() {
		s.t.Helper()
		group.Wait()
		close(failures)
		for err := range failures {
			s.t.Error(err)
		}
	}
}

func TestNoMessageIsLostOrDoubledUnderLoad(t *testing.T) {
	s := newServer(t)
	s.start()
	const first, second = 120, 180
	wait := s.load(0, first)
	var live []*spoor.Parcel
	for range 4 {
		live = append(live, s.remove("plan-live", s.spam())...)
	}
	wait()
	live = append(live, s.remove("plan-live", s.spam())...)
	s.restore("plan-back", live[:len(live)/2])
	s.stop()

	wait = s.load(first, second) // qmail-queue works while qmail-send does not
	var stopped []*spoor.Parcel
	for range 3 {
		stopped = append(stopped, s.remove("plan-stopped", s.spam())...)
	}
	wait()
	stopped = append(stopped, s.remove("plan-stopped", s.spam())...)
	s.restore("plan-again", stopped[:len(stopped)/2])
	s.start()
	s.restore("plan-more", stopped[len(stopped)/2:len(stopped)*3/4])
	s.drain()
	s.stop()
	if len(live) == 0 || len(stopped) == 0 {
		t.Fatalf("%d taken live and %d stopped: the load is no load", len(live), len(stopped))
	}
	s.judge(second, live[len(live)/2:], live[:len(live)/2], stopped[len(stopped)*3/4:], stopped[:len(stopped)*3/4])
}

// judge holds what was delivered against what is in the vault. A message that went
// back may be in the vault again, from where it was not restored.
func (s *server) judge(count int, vaultLive, backLive, vaultStopped, backStopped []*spoor.Parcel) {
	s.t.Helper()
	kept, unsure := map[string]bool{}, map[string]bool{}
	for _, list := range [][]*spoor.Parcel{vaultLive, backLive, vaultStopped, backStopped} {
		for _, p := range list {
			for _, address := range p.Uncertain {
				unsure[numberOf(s.t, p)+" "+address] = true
			}
		}
	}
	for _, p := range append(vaultLive, vaultStopped...) {
		for _, address := range left(p) {
			kept[numberOf(s.t, p)+" "+address] = true
		}
	}
	for number := range count {
		for _, address := range recipientsOf(number) {
			key := fmt.Sprintf("%d %s", number, address)
			got := s.sink.got[key]
			switch {
			case got == 0 && (kept[key] || unsure[key]):
			case got == 1 && !kept[key]:
			default:
				s.t.Errorf("%s was delivered %d times; kept: %v, uncertain: %v", key, got, kept[key], unsure[key])
			}
		}
	}
	s.t.Logf("%d recipients kept in the vault, %d uncertain, %d delivered", len(kept), len(unsure), len(s.sink.got))
}
