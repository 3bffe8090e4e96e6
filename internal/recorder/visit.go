package recorder

import (
	"cmp"
	"errors"
	"net"
	"os/user"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"spoor/internal/origin"
	"spoor/internal/shim"
)

// How long a visitor may take.
const (
	helloWait = time.Second      // to say what he wants
	tellWait  = 5 * time.Second  // to tell of a message, which he reads meanwhile
	pieceWait = 30 * time.Second // between two pieces of a message that is held
)

// visit is the connection of one shim.
type visit struct {
	recorder *Recorder
	conn     *net.UnixConn
	peer     peer
	record   origin.Record
	scene    *scene
	rule     *Rule // that the message is over
	id       origin.ID
	answered bool // at once
	buf      []byte
}

// newVisit asks the kernel who has come.
func newVisit(r *Recorder, conn *net.UnixConn) (*visit, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	v := &visit{recorder: r, conn: conn}
	failed := raw.Control(func(fd uintptr) {
		if v.peer, err = peerOf(int(fd)); err == nil && r.crowd.enter(v.peer.uid) {
			v.answerAtOnce(int(fd))
			return
		}
		v.peer.close()
		err = cmp.Or(err, errCrowd)
	})
	return v, cmp.Or(failed, err)
}

// errCrowd is for a user with too many connections.
var errCrowd = errors.New("too many connections")

// answerAtOnce gives a shim its ID before anything else is done about it, if it has
// said what it wants already and no limit is for its user: it waits for this, and
// nobody else does.
func (v *visit) answerAtOnce(fd int) {
	var hello [8]byte
	n, _, err := unix.Recvfrom(fd, hello[:], unix.MSG_DONTWAIT|unix.MSG_PEEK)
	if err != nil || n == 0 || hello[0] != shim.PacketHello || v.recorder.counter.needs(&origin.Facts{UID: v.peer.uid}) {
		return
	}
	v.begin()
	v.answered = unix.Send(fd, append([]byte{shim.PacketPass}, v.record.ID...), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) == nil
}

// begin makes the record, with what will not be the same when the shim has its answer.
func (v *visit) begin() {
	r := v.recorder
	v.id = origin.ID{Issued: r.now().UTC(), UID: v.peer.uid, Nonce: origin.NewNonce()}
	v.record = origin.Record{ID: r.key.Sign(v.id), Time: r.now().UTC(), From: origin.FromSocket}
	w := witness{proc: r.places.Proc, shims: identify(r.places.Shims)}
	v.scene = w.open(&v.peer, &v.record)
}

func (v *visit) close() {
	if v.scene != nil {
		v.scene.look()
	}
	v.peer.close()
	_ = v.conn.Close()
}

// serve takes one message down. A visitor who does not keep to the protocol is left
// without a word: it is nothing that an operator could mend.
func (v *visit) serve() error {
	v.buf = make([]byte, 4096) // enough but for a message that is held
	packet, err := v.receive(helloWait)
	if err != nil || len(packet) == 0 || packet[0] != shim.PacketHello {
		return nil //nolint:nilerr // see above
	}
	if v.answered {
		return v.passed()
	}
	if v.scene == nil {
		v.begin()
	}
	counter := &v.recorder.counter
	if counter.needs(&v.record.Facts) {
		v.scene.look() // before the answer: it may depend on the script
		if v.rule = counter.add(&v.record.Facts); v.rule != nil {
			v.record.Over = string(v.rule.Over)
		}
	}
	return v.answer()
}

// identify returns the identity of each shim that is installed.
func identify(names []string) []fileID {
	var list []fileID
	for _, name := range names {
		var st unix.Stat_t
		if unix.Stat(name, &st) == nil {
			list = append(list, fileID{dev: st.Dev, inode: st.Ino})
		}
	}
	return list
}

func (v *visit) answer() error {
	switch {
	case v.rule != nil && v.rule.Over == OverRefuse:
		v.send(shim.PacketRefuse, strconv.Itoa(refusal)+"\x00over the limit of "+v.rule.Limit+" messages for this user")
		return v.write()
	case v.rule != nil && v.rule.Over == OverHold:
		return v.hold()
	}
	if v.send(shim.PacketPass, v.record.ID) {
		return v.passed()
	}
	return v.write()
}

// passed takes down what is left of a message that passes.
func (v *visit) passed() error {
	v.scene.look()
	v.listen()
	v.recorder.spool.offer(v.peer.uid)
	return v.write()
}

// refusal is EX_UNAVAILABLE of sysexits.h. PHP's mail() returns false for it.
const refusal = 69

// tryLater is EX_TEMPFAIL.
const tryLater = 75

// listen takes what the shim tells of the message, if it does.
func (v *visit) listen() {
	packet, err := v.receive(tellWait)
	if err == nil && len(packet) > 0 && packet[0] == shim.PacketDetails {
		v.told(packet[1:])
	}
}

func (v *visit) told(packet []byte) {
	if d, ok := shim.ParseDetails(packet); ok {
		told(&v.record.Claims, &d)
	}
}

// told writes details into a record.
func told(c *origin.Claims, d *shim.Details) {
	if d.HasSender {
		c.Sender = &d.Sender
	}
	c.Recipients, c.FromTop, c.To, c.Cc, c.Bcc = d.Recipients, d.FromTop, d.To, d.Cc, d.Bcc
	c.MessageID, c.SizeBytes, c.Partial, c.Marked, c.Told = d.MessageID, d.SizeBytes, d.Partial, d.Marked, true
}

func (v *visit) write() error { return v.recorder.log.write(&v.record) }

// hold takes the message in. Only when it is on disk is the shim told so, and it stays
// there only if the shim can be told: one that has waited too long passes it on.
func (v *visit) hold() error {
	room := v.recorder.roomFor(v.peer.uid)
	if room <= 0 {
		v.send(shim.PacketRefuse, strconv.Itoa(tryLater)+"\x00too many messages of this user are held already, try again later")
		return v.write()
	}
	status := 0
	if v.rule.Answer == AnswerLater {
		status = tryLater
	}
	if !v.send(shim.PacketHold, strconv.Itoa(status)+"\x00"+v.record.ID) {
		return v.write()
	}
	v.buf = make([]byte, shim.MaxPacket)
	name := v.id.Name()
	err := v.keep(name, room)
	if errors.Is(err, errBroken) || errors.Is(err, errRoom) {
		err = nil // the visitor's doing: his own message is concerned
	}
	return errors.Join(err, v.write())
}

// Errors of keeping a message. The shim then passes it, or lets its sender try again.
var (
	errBroken = errors.New("the message that was to be held did not come as a whole")
	errRoom   = errors.New("the message that was to be held is too large")
)

// maxArgBytes is how long the arguments of a held message may be, all in all.
const maxArgBytes = 4 << 20

// keep stores what comes, up to so many bytes.
func (v *visit) keep(name string, room int64) error {
	in, err := v.recorder.store.begin(name)
	if err != nil {
		return err
	}
	h := Held{
		ID: v.record.ID, Time: v.record.Time, UID: v.peer.uid, GID: v.peer.gid, User: loginOf(v.peer.uid),
		Script: v.record.Facts.Script, Limit: v.rule.String(),
	}
	var prints *printer
	if v.rule.Answer == AnswerLater {
		prints = newPrinter(v.record.ID)
	}
	if err := v.take(in, &h, room, prints); err != nil {
		in.abandon()
		return err
	}
	c := &v.record.Claims
	h.MessageID, h.Recipients = c.MessageID, c.Recipients+c.To+c.Cc+c.Bcc
	if c.Sender != nil {
		h.Sender = *c.Sender
	}
	var same fingerprint
	if prints != nil && c.MessageID != "" {
		same = prints.sum(&h)
		if earlier, ok := v.recorder.retries.of(same); ok {
			in.abandon()
			v.record.Held = earlier
			v.send(shim.PacketStored, "")
			return nil
		}
	}
	if err := in.commit(&h); err != nil {
		in.abandon()
		return err
	}
	if !v.send(shim.PacketStored, "") {
		return cmp.Or(in.withdraw(), errBroken)
	}
	v.record.Held = name
	v.recorder.usage.add(h.UID, h.SizeBytes)
	if same != (fingerprint{}) {
		v.recorder.retries.add(same, name)
	}
	return in.told()
}

// loginOf is the login of a user, or "".
func loginOf(uid int) string {
	known, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return ""
	}
	return known.Username
}

// take stores what comes. prints is nil where nobody asks whether it came before.
func (v *visit) take(in *incoming, h *Held, room int64, prints *printer) error {
	argBytes := 0
	for {
		packet, err := v.receive(pieceWait)
		if err != nil || len(packet) == 0 {
			return errBroken
		}
		switch body := packet[1:]; packet[0] {
		case shim.PacketArg:
			if argBytes += len(body) + 1; argBytes > maxArgBytes {
				return errRoom
			}
			h.Args = append(h.Args, string(body))
		case shim.PacketMessage:
			if in.bytes+int64(len(body)) > room {
				return errRoom
			}
			if _, err := in.Write(body); err != nil {
				return err
			}
			if prints != nil {
				prints.write(body)
			}
		case shim.PacketDetails:
			v.told(body)
		case shim.PacketEnd:
			return nil
		default:
			return errBroken
		}
	}
}

// receive returns the next packet, which the one after overwrites.
func (v *visit) receive(wait time.Duration) ([]byte, error) {
	_ = v.conn.SetReadDeadline(time.Now().Add(wait))
	n, err := v.conn.Read(v.buf)
	return v.buf[:max(n, 0)], err
}

func (v *visit) send(kind byte, text string) bool {
	_ = v.conn.SetWriteDeadline(time.Now().Add(helloWait))
	_, err := v.conn.Write(append([]byte{kind}, text...))
	return err == nil
}

func sortHeld(list []Held) {
	slices.SortFunc(list, func(a, b Held) int { return compareHeld(&a, &b) })
}

func compareHeld(a, b *Held) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Name, b.Name))
}
