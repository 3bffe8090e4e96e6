// Package qmail is all knowledge of one MTA: qmail 1.03 and its descendants
// (netqmail, notqmail, Plesk's). Queue files pass through it and leave as
// messages with envelope, state and trail.
//
// The authority for the queue is INTERNALS of the qmail distribution, for the
// records qmail-send.c, for the header lines received.c, qmail-queue.c and
// qmail-smtpd.c.
package qmail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/mta"
)

// Options tell Open what a root cannot.
type Options struct {
	// Home is the qmail home below the root; "" means /var/qmail.
	Home string
	// MailSystem reports whether a UID belongs to a part of the mail system. A
	// message that such a user queued may be a forward: the hops below are
	// then believed. nil means that no UID does.
	MailSystem func(uid int) bool
}

// Queue is the queue of one qmail. It implements mta.Queue.
type Queue struct {
	root       *host.Root
	tree       *tree
	control    *ControlFiles
	passwd     *host.Passwd
	listing    sync.Mutex // one walk through the directories at a time
	mailSystem func(uid int) bool
	owners     owners
}

// owners are the UIDs that qmail-queue(8) knows by name.
type owners struct {
	queue int // UID of qmailq, the owner of every file in mess; -1 if unknown
	group map[spoor.Via]int
}

func ownersOf(passwd *host.Passwd) owners {
	o := owners{queue: -1, group: map[spoor.Via]int{}}
	if account, ok := passwd.ByLogin("qmailq"); ok {
		o.queue = account.UID
	}
	for via, login := range map[spoor.Via]string{spoor.ViaNetwork: "qmaild", spoor.ViaForward: "alias", spoor.ViaBounce: "qmails"} {
		if account, ok := passwd.ByLogin(login); ok {
			o.group[via] = account.GID
		}
	}
	return o
}

// ErrNoQueue is returned by Open where there is no qmail queue.
var ErrNoQueue = errors.New("no qmail queue")

// defaultHome is conf-qmail's default.
const defaultHome = "/var/qmail"

// Detect reports whether there is a qmail queue below home ("" means
// /var/qmail).
func Detect(root *host.Root, home string) bool {
	_, err := root.Stat(queueDir(home) + "/mess")
	return err == nil || errors.Is(err, fs.ErrPermission)
}

func queueDir(home string) string {
	if home == "" {
		home = defaultHome
	}
	return path.Join(home, "queue")
}

// Open finds the queue and reads the control files. It returns ErrNoQueue, or
// an fs.ErrPermission where the queue may not be read.
func Open(root *host.Root, passwd *host.Passwd, options Options) (*Queue, error) {
	if !Detect(root, options.Home) {
		return nil, fmt.Errorf("%s: %w", queueDir(options.Home), ErrNoQueue)
	}
	t, err := openTree(root, queueDir(options.Home))
	if err != nil {
		return nil, err
	}
	q := LogOnly(root, passwd, options)
	q.tree = t
	return q, nil
}

// LogOnly is for a server of which there is a log and no queue: control files and
// users are read, and there is no message.
func LogOnly(root *host.Root, passwd *host.Passwd, options Options) *Queue {
	q := &Queue{root: root, passwd: passwd, mailSystem: options.MailSystem, owners: ownersOf(passwd)}
	if q.mailSystem == nil {
		q.mailSystem = func(int) bool { return false }
	}
	home := options.Home
	if home == "" {
		home = defaultHome
	}
	q.control = readControl(root, path.Join(home, "control"))
	return q
}

// MTA returns "qmail".
func (q *Queue) MTA() string { return "qmail" }

// Close closes the directories of the queue.
func (q *Queue) Close() error {
	if q.tree == nil {
		return nil
	}
	return q.tree.close()
}

// Serves reports whether a domain is in locals, virtualdomains or rcpthosts
// (qmail-control(5)).
func (q *Queue) Serves(domain string) bool { return q.control.Serves(domain) }

// Control returns the control files.
func (q *Queue) Control() *ControlFiles { return q.control }

// Head reads the start of a message's content into buf, or returns
// mta.ErrGone.
func (q *Queue) Head(m *spoor.Message, buf []byte) (int, error) {
	if q.tree == nil {
		return 0, fmt.Errorf("message %s: %w", m.ID, mta.ErrGone)
	}
	for _, folder := range q.tree.mess.folders {
		if folder == nil || folder.Name() != m.Folder {
			continue
		}
		file, err := folder.Open([]byte(m.ID))
		if err != nil {
			return 0, fmt.Errorf("message %s: %w: %w", m.ID, mta.ErrGone, err)
		}
		defer file.Close()
		return file.Read(buf)
	}
	return 0, fmt.Errorf("message %s: %w", m.ID, mta.ErrGone)
}

// Host is the first line of control/me.
func (q *Queue) Host() string { return q.control.Me() }

// Read reads header and start of the body of a message that is not in the
// queue. It has no envelope and no state.
func (q *Queue) Read(from io.Reader) (*spoor.Message, error) {
	r := newReader(q, mta.Want{Addresses: true}, &spoor.Gaps{})
	block, err := io.ReadAll(io.LimitReader(from, moreBytes))
	if err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	r.reset(slot{})
	r.message.ID = ""
	r.readBlock(block)
	r.message.SizeBytes = int64(len(block))
	return r.message.Clone(), nil
}

// IsID reports whether a word has the form of a queue ID: a number.
func (q *Queue) IsID(word string) bool { return word != "" && strings.Trim(word, "0123456789") == "" }

// CallerGroup is the group that mess files have which the mail system itself
// queued in that way, or -1.
func (q *Queue) CallerGroup(via spoor.Via) int {
	if gid, ok := q.owners.group[via]; ok {
		return gid
	}
	return -1
}

// Split is the number of subdirectories that the queue is spread over.
func (q *Queue) Split() int { return q.tree.split }

// BigTodo reports whether todo and intd are split as well.
func (q *Queue) BigTodo() bool { return q.tree.todoSplit }

// Find reads one message, or returns mta.ErrGone.
func (q *Queue) Find(_ context.Context, id spoor.QueueID) (*spoor.Message, error) {
	number, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil || q.tree == nil {
		return nil, fmt.Errorf("message %s: %w", id, mta.ErrGone)
	}
	var gaps spoor.Gaps
	r := newReader(q, mta.Want{Addresses: true, Routed: true}, &gaps)
	m, ok := r.Read(slot{id: number, folder: q.tree.findMess(number), seen: probeAll})
	if !ok {
		for _, gap := range gaps.List() {
			return nil, fmt.Errorf("%s: %s", gap.File, gap.Reason)
		}
		return nil, fmt.Errorf("message %s: %w", id, mta.ErrGone)
	}
	return m.Clone(), nil
}

// Content opens the content of a message, or returns mta.ErrGone.
func (q *Queue) Content(id spoor.QueueID) (io.ReadCloser, error) {
	number, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil || q.tree == nil {
		return nil, fmt.Errorf("message %s: %w", id, mta.ErrGone)
	}
	folder := q.tree.mess.folders[q.tree.findMess(number)]
	if folder == nil {
		return nil, fmt.Errorf("message %s: %w", id, mta.ErrGone)
	}
	f, err := q.root.OpenFile(folder.Name() + "/" + strconv.FormatUint(number, 10))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("message %s: %w", id, mta.ErrGone)
	}
	return f, err
}
