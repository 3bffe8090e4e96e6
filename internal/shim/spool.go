package shim

import (
	"os"
	"strconv"
	"syscall"
	"time"
)

// maxSpool is how large a user's file may grow before the shim leaves it alone.
const maxSpool = 1 << 20

// noteInSpool writes a line for the recorder to find later, and returns the ID
// that stands in it. It has no key: it shows which line goes with which message,
// and proves nothing. It is "" where no line was written.
//
// The file is there only if the recorder has made it, in a folder that is root's
// alone: there is no name for anybody to plant.
func noteInSpool(spool string, c *call, m *message) string {
	uid := os.Getuid()
	fd, err := syscall.Open(spool+"/"+strconv.Itoa(uid), syscall.O_WRONLY|syscall.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer func() { _ = syscall.Close(fd) }()
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG || st.Size > maxSpool {
		return ""
	}
	id := unsignedID(uid)
	line := note(id, c, m)
	if n, err := syscall.Write(fd, line); err != nil || n != len(line) {
		return "" // the disk is full: half a line is known by its missing end
	}
	return id
}

// Unsigned is what the ID of a message begins with that the recorder has not
// seen.
const Unsigned = "u."

// unsignedID is different for each process, and for each of its lifetimes.
func unsignedID(uid int) string {
	return Unsigned + strconv.FormatInt(time.Now().UnixNano(), 36) + "." + strconv.Itoa(uid) + "." + strconv.Itoa(os.Getpid())
}

// note is the line: pairs as in a packet, each quoted, for it to stay one line.
func note(id string, c *call, m *message) []byte {
	line := strconv.AppendQuoteToASCII(nil, "note="+id)
	m.mark(id)
	d := details(c, m)
	m.field = ""
	for _, pair := range spoolPairs(&d) {
		line = strconv.AppendQuoteToASCII(append(line, ' '), pair)
	}
	return append(line, '\n')
}

// spoolPairs adds to the details what the recorder would have looked up: here it
// is the user's own word.
func spoolPairs(d *Details) []string {
	pairs := splitPairs(d.Append(nil)[1:])
	dir := make([]byte, 4096)
	if n, err := syscall.Getcwd(dir); err == nil && n > 1 {
		pairs = append(pairs, "cwd="+cut(string(dir[:n-1])))
	}
	pairs = append(pairs, "pid="+strconv.Itoa(os.Getpid()), "ppid="+strconv.Itoa(os.Getppid()))
	for _, key := range RequestKeys() {
		if value, ok := syscall.Getenv(key); ok {
			pairs = append(pairs, key+"="+cut(value))
		}
	}
	return pairs
}

func splitPairs(packet []byte) []string {
	var pairs []string
	start := 0
	for i, c := range packet {
		if c == 0 {
			pairs = append(pairs, string(packet[start:i]))
			start = i + 1
		}
	}
	return pairs
}

// RequestKeys are the variables of an environment that are recorded: those that
// name a request and the script for it (RFC 3875 §4.1). No other is read, since
// environments hold secrets.
func RequestKeys() []string {
	return []string{"SCRIPT_FILENAME", "REQUEST_URI", "REMOTE_ADDR", "HTTP_HOST", "PWD"}
}
