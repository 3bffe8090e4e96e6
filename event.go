package spoor

import (
	"fmt"
	"time"
)

// Stamp is a point in time, in microseconds since 1970-01-01 00:00 UTC. The zero
// Stamp means unknown.
type Stamp int64

// StampOf returns the Stamp of t, and the zero Stamp for the zero time.
func StampOf(t time.Time) Stamp {
	if t.IsZero() {
		return 0
	}
	return Stamp(t.UnixMicro())
}

// Time returns s in UTC, and the zero time for the zero Stamp.
func (s Stamp) Time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(s)).UTC()
}

// Add returns the point in time d after s.
func (s Stamp) Add(d time.Duration) Stamp { return s + Stamp(d.Microseconds()) }

// Sub returns the time from t to s.
func (s Stamp) Sub(t Stamp) time.Duration { return time.Duration(s-t) * time.Microsecond }

// Line is one line of a log with its header taken apart (RFC 3164, RFC 5424,
// rsyslog's ISO stamps, multilog's TAI64N). Its byte slices alias the buffer
// that was read and are overwritten by later lines.
type Line struct {
	Text    []byte // the whole line without its end
	Time    Stamp  // of the header; zero where it has none
	Host    []byte // as logged; empty where the header has none
	Program []byte // the tag without its PID, which may be a path; empty where the header has none (multilog)
	Author  uint64 // lines of one number have one Host and Program, among those that one parser is shown; 0 where there is none
	PID     int    // of the tag; -1 where it has none
	Body    []byte // what follows the tag
}

// LineSort says what a parser made of a line.
type LineSort uint8

// The sorts of lines.
const (
	LineForeign LineSort = iota // of a program that has nothing to do with mail
	LineKnown                   // understood, and of no use
	LineEvent                   // understood: an Event
	LineCut                     // the first part of a line that its logger has cut; the rest follows
	LineUnknown                 // of the mail system, and not understood
)

var lineSortNames = [...]string{"foreign", "known", "event", "cut", "unknown"}

// String returns a word for s.
func (s LineSort) String() string {
	if int(s) < len(lineSortNames) {
		return lineSortNames[s]
	}
	return fmt.Sprintf("sort(%d)", uint8(s))
}

// EventKind says what happened.
type EventKind uint8

// The kinds of event.
const (
	EventNone         EventKind = iota
	EventAccepted               // a message is in the queue: ID, Address (sender), Size, PID (qmail's qp), UID; or what EventSubmitted has, Text (its Message-ID), Related (of a bounce: what failed)
	EventAttempt                // a delivery begins: ID, Delivery, Channel, Address (recipient)
	EventDelivered              // a delivery succeeded: Delivery, or ID and Address; Text is the answer, Related the ID it goes on under here: forwarded if Channel is local, else filtered
	EventDeferred               // it will be tried again: the same, with Answer
	EventFailed                 // it failed for good: the same, with Answer
	EventEnded                  // the message left the queue: ID
	EventBounced                // a bounce was queued for a message: ID, PID or Related (of the bounce)
	EventConnect                // a client connected: Client, PID of the session if known
	EventDisconnect             // it went: PID
	EventLogin                  // it authenticated in order to send: Address (account), Client, PID if known
	EventLoginFailed            // it tried to: the same; Text where the name is logged with its line breaks: what follows may be the client's words
	EventAccess                 // a mailbox was opened (POP3, IMAP): Address (account), Client
	EventAccessFailed           // somebody tried to: the same
	EventRejected               // a client was refused before it could send: Client, Text
	EventHandover               // a wrapper of the MTA saw an envelope go by: PID, and Address with Channel: see Channel
	EventStatus                 // the MTA tells its load: Load
	EventStopped                // the MTA stopped: delivery numbers begin anew
	EventTrouble                // the MTA warns: Text
	EventSubmitted              // where a message came from: ID; Client and Account, or UID, or Login; Related (the ID it had before)
	EventNamed                  // a message was written to the queue: ID, Text (its Message-ID)
	EventQueued                 // the queue manager has it, which it says at each try: ID, Address (sender), Size, Count
	EventRemoved                // an operator or a policy took it from the queue: ID, Text
	EventInvoked                // a command of the MTA was started: PID, Text (its working directory)
	EventProxied                // a filter before the queue has handed a message over that a login had sent: ID, Account
	EventWebmail                // a webmail on this machine has handed a message over: ID, Account, Client (of the browser), Text (its Message-ID)
	EventIdentified             // whose program on this machine it is that talks SMTP: Client, Port, Login and UID; PID if known; or whose it was: ID, Login
	EventRedirected             // a mailbox has sent a message on: Address (of the mailbox), Text (its Message-ID)
	EventReplied                // a mailbox has answered a message by itself: Address (of the mailbox), Parent (to whom), Text (Message-ID of what is answered)
	EventReceived               // a server in front of the MTA has handed it a message: PID (of what queued it), Address (sender), Client, Account, Key (PID of its session, where another line tells of the login)
)

var eventNames = [...]string{
	"none", "accepted", "attempt", "delivered", "deferred", "failed", "ended", "bounced", "connect", "disconnect",
	"login", "login failed", "access", "access failed", "rejected", "handover", "status", "stopped", "trouble",
	"submitted", "named", "queued", "removed", "invoked", "proxied", "webmail", "identified", "redirected", "replied", "received",
}

// EventKinds lists every EventKind, in the order of their constants.
func EventKinds() []EventKind {
	kinds := make([]EventKind, len(eventNames))
	for i := range kinds {
		kinds[i] = EventKind(i)
	}
	return kinds
}

// String returns a word for k.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return fmt.Sprintf("event(%d)", uint8(k))
}

// Load is how many deliveries run on each channel, and how many may.
type Load struct {
	Local, LocalMax   int32
	Remote, RemoteMax int32
}

// Event is one fact from a mail log. Which fields are set depends on Kind; its
// byte slices alias the buffer that was read. An event belongs to a Block, which
// knows the file.
type Event struct {
	Kind    EventKind
	Channel Channel // of an attempt; of a handover: ChannelUndecided for the sender, else a recipient
	Answer  Answer
	Idle    bool   // of a deferral: nothing was tried, the time to wait is not over
	Passed  bool   // of a delivery that succeeded: to a program of this machine that may hand the message back, or another like it
	Exact   bool   // Time is the program's own, to the microsecond; else the header's
	Port    uint16 // of the client; 0 where not logged
	Repeat  uint32 // how often the line stands for itself; 0 and 1 mean once

	Line   uint32 // in the block, from 0
	Offset uint32 // of the line in the block, bytes
	Count  int32  // recipients; 0 where not logged

	Time   Stamp
	Clock  Stamp  // when ID was given, by the clock that the ID itself carries; proves year and zone; zero where it carries none
	Origin uint64 // tells hosts and instances of the MTA apart, which use the same IDs; see InstanceBits; 0 where the parser sets none
	Key    uint64 // of ID: tells the messages of one MTA apart; of a failed login, of its line, where each is written twice; of EventReceived, of its session; 0 where the parser sets none
	Hash   uint64 // AddressHash of Address, or 0
	Domain uint64 // likewise

	Delivery uint64 // number of a delivery; 0 where the MTA has none
	Shape    uint64 // of Text: the same for texts that differ in numbers and addresses only
	Related  []byte // another queue ID: see Kind
	Parent   []byte // of a recipient: the address that was written, where a forward or alias replaced it
	Address  []byte // sender, recipient or account, as logged
	Text     []byte // answer or warning, as logged
	ID       []byte // queue ID
	Account  []byte // SMTP login, as logged
	Login    []byte // system user who submitted a message, where the UID is not logged
	Client   []byte // address of the client, as logged, without brackets
	Size     int64  // bytes
	PID      int32  // -1 where not logged
	UID      int32  // -1 where not logged
	Load     Load
}

// InstanceBits is how many of the low bits of Event.Origin tell the instances and
// services of one host apart.
const InstanceBits = 16

// Block is a part of a log with the events in it.
type Block struct {
	File      int   // number of the file in the scan
	Offset    int64 // of the block in the file, bytes after decompression
	FirstLine int64 // in the file, from 1
	Events    []Event
}

// LogPlace is where a line of a log is. The zero LogPlace is no place.
type LogPlace struct {
	File   int32 // number of the file in the scan
	Length int32 // of the line, in bytes; 0 where not known
	Line   int64 // from 1
	Offset int64 // bytes after decompression
}

// Place returns where an event of the block is.
func (b *Block) Place(e *Event) LogPlace {
	return LogPlace{File: int32(b.File), Line: b.FirstLine + int64(e.Line), Offset: b.Offset + int64(e.Offset)}
}
