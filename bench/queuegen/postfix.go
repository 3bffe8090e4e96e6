package queuegen

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Postfix writes a server with deferred messages, with the log of delays that
// each has. For Postfix' own tools, which know no other root, there is a
// configuration in DIR/peer: postqueue -c DIR/peer. Names are short queue IDs, of
// inode numbers.
func Postfix(o Options) error {
	queue := "var/spool/postfix"
	for _, folder := range []string{"active", "incoming", "deferred", "hold", "corrupt", "maildrop", "defer", "bounce", "pid", "private", "public", "trace", "flush", "saved"} {
		if err := os.MkdirAll(filepath.Join(o.Dir, queue, folder), 0o755); err != nil {
			return err
		}
	}
	main := "compatibility_level = 3.6\nmyhostname = " + hostname + "\nmydestination = " + domain + "\n"
	for name, content := range map[string]string{
		"etc/passwd": passwd(), "etc/hostname": hostname + "\n", "etc/postfix/main.cf": main,
		"peer/main.cf": main + "queue_directory = " + filepath.Join(o.Dir, queue) + "\n", "peer/master.cf": "",
	} {
		if err := write(o.Dir, name, content, 0o644); err != nil {
			return err
		}
	}
	a := newAuthor(o)
	for i := range o.Messages {
		l := a.letter(i)
		if err := l.intoPostfix(filepath.Join(o.Dir, queue)); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return nil
}

// intoPostfix writes the file in incoming, and moves it to where its inode says.
func (l *letter) intoPostfix(queue string) error {
	temporary := filepath.Join(queue, "incoming", "new")
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	id := fmt.Sprintf("%05X%X", l.arrived.Nanosecond()/1000, st.Ino)
	file, offsets := l.postfixFile(id)
	if _, err := f.WriteString(file); err != nil {
		return err
	}
	for _, folder := range []string{"deferred", "defer"} {
		if err := os.MkdirAll(filepath.Join(queue, folder, id[:1]), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(queue, "defer", id[:1], id), []byte(l.delays(offsets)), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(queue, "deferred", id[:1], id))
}

// record writes one record (record.c).
func record(kind byte, value string) string {
	head := []byte{kind}
	n := len(value)
	for ; n >= 0x80; n >>= 7 {
		head = append(head, byte(n)|0x80)
	}
	return string(append(head, byte(n))) + value
}

func sizes(content, data, recipients int) string {
	return record('C', fmt.Sprintf("%15d %15d %15d %15d %15d %15d", content, data, recipients, 0, content, 0))
}

// postfixFile is the queue file, and the offset of each recipient's record.
func (l *letter) postfixFile(id string) (file string, offsets []int) {
	head, behind := l.envelope()
	var recipients strings.Builder
	start := len(sizes(0, 0, 0)) + len(head)
	received := fmt.Sprintf("Received: by %s (Postfix, from userid %d)\n\tid %s; %s", hostname, l.uid, id, l.arrived.Format(time.RFC1123Z))
	if l.account != "" {
		received = fmt.Sprintf("Received: from pc (unknown [%s])\n\t(Authenticated sender: %s)\n\tby %s (Postfix) with ESMTPA id %s;\n\t%s", l.client, l.account, hostname, id, l.arrived.Format(time.RFC1123Z))
	}
	content := postfixLines(strings.Join(append([]string{received}, l.header()...), "\n") + "\n\n" + l.body)
	if behind {
		start += len(record('M', "")) + len(content) + len(record('X', ""))
	}
	for _, address := range l.recipients {
		recipients.WriteString(record('A', "dsn_orig_rcpt=rfc822;"+address) + record('O', address))
		offsets = append(offsets, start+recipients.Len())
		recipients.WriteString(record('R', address))
	}
	extracted := record('X', "")
	if behind {
		extracted += recipients.String()
	} else {
		head += recipients.String()
	}
	head += record('M', "")
	return sizes(len(content), len(sizes(0, 0, 0))+len(head), len(l.recipients)) + head + content + extracted + record('E', ""), offsets
}

// envelope is what comes before the recipients; those of local mail are behind
// the content.
func (l *letter) envelope() (records string, recipientsBehind bool) {
	arrived := record('T', fmt.Sprintf("%d %d", l.arrived.Unix(), l.arrived.Nanosecond()/1000)) + record('A', fmt.Sprintf("create_time=%d", l.arrived.Unix()))
	if l.account == "" {
		return arrived + record('A', "rewrite_context=local") + record('F', "site") + record('S', l.sender) +
			record('A', "log_message_origin=local"), true
	}
	var b strings.Builder
	b.WriteString(arrived)
	for _, one := range []string{
		"log_ident=" + fmt.Sprintf("%010X", l.number), "rewrite_context=remote", "sasl_method=PLAIN", "sasl_username=" + l.account,
	} {
		b.WriteString(record('A', one))
	}
	b.WriteString(record('S', l.sender))
	for _, one := range []string{
		"log_client_name=unknown", "log_client_address=" + l.client, "log_client_port=50123", "log_message_origin=unknown[" + l.client + "]",
		"log_helo_name=pc", "log_protocol_name=ESMTP", "client_name=unknown", "reverse_client_name=unknown", "client_address=" + l.client,
		"client_port=50123", "server_address=198.51.100.1", "server_port=587", "helo_name=pc", "protocol_name=ESMTP", "client_address_type=2",
	} {
		b.WriteString(record('A', one))
	}
	return b.String(), false
}

func postfixLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(record('N', strings.TrimSuffix(line, "\n")))
	}
	return b.String()
}

// delays is the file of the defer queue (bounce_append_service.c).
func (l *letter) delays(offsets []int) string {
	var b strings.Builder
	for i, address := range l.recipients {
		fmt.Fprintf(&b, "<%s>: %s\nrecipient=%s\noffset=%d\ndsn_orig_rcpt=rfc822;%s\nstatus=4.2.1\naction=delayed\ndiag_type=smtp\ndiag_text=450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. Please resend your message at a later time\nmta_type=dns\nmta_mname=mx.bigmail.test\nreason=%s\n\n",
			address, reason, address, offsets[i], address, reason)
	}
	return b.String()
}
