package queuegen

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Exim writes a server with a split spool of waiting messages. For Exim's own
// program, which knows no other root, there is a configuration in DIR/peer: exim
// -C DIR/peer/exim.conf -bp. IDs have the form up to 4.96.
func Exim(o Options) error {
	spool := "var/spool/exim4"
	conf := "primary_hostname = " + hostname + "\ndomainlist local_domains = " + domain + "\nsplit_spool_directory = true\nkeep_environment =\n"
	peer := conf + "spool_directory = " + filepath.Join(o.Dir, spool) + "\nlog_file_path = " + filepath.Join(o.Dir, "peer/%slog") + "\n"
	for name, content := range map[string]string{
		"etc/passwd": passwd(), "etc/hostname": hostname + "\n", "etc/exim4/exim4.conf": conf + "spool_directory = /" + spool + "\n", "peer/exim.conf": peer,
	} {
		if err := write(o.Dir, name, content, 0o644); err != nil {
			return err
		}
	}
	for _, folder := range []string{"input", "msglog", "db"} {
		if err := os.MkdirAll(filepath.Join(o.Dir, spool, folder), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(o.Dir, "peer"), 0o777); err != nil { // Exim opens its log as its own user
		return err
	}
	a := newAuthor(o)
	for i := range o.Messages {
		l := a.letter(i)
		id := l.eximID()
		folder := filepath.Join(spool, "input", id[5:6])
		for name, content := range map[string]string{
			filepath.Join(folder, id+"-D"):              id + "-D\n" + l.body,
			filepath.Join(folder, id+"-H"):              l.eximHeader(id),
			filepath.Join(spool, "msglog", id[5:6], id): l.arrived.Format(time.DateTime) + " Received from " + l.sender + "\n",
		} {
			if err := write(o.Dir, name, content, 0o640); err != nil {
				return fmt.Errorf("message %d: %w", i, err)
			}
		}
	}
	return nil
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func digits62(n int64, width int) string {
	out := make([]byte, width)
	for i := width - 1; i >= 0; i-- {
		out[i] = base62[n%62]
		n /= 62
	}
	return string(out)
}

// eximID has the number of the letter in the place of the PID.
func (l *letter) eximID() string {
	return digits62(l.arrived.Unix(), 6) + "-" + digits62(int64(l.number)+1000, 6) + "-" + digits62(int64(l.arrived.Nanosecond()/500_000%3844), 2)
}

func (l *letter) eximHeader(id string) string {
	var b strings.Builder
	user := "Debian-exim 103 106"
	if l.account == "" {
		user = fmt.Sprintf("site%d %d %d", l.uid-10000, l.uid, l.uid)
	}
	fmt.Fprintf(&b, "%s-H\n%s\n<%s>\n%d 0\n-received_time_usec .%06d\n-received_time_complete %d.%06d\n",
		id, user, l.sender, l.arrived.Unix(), l.arrived.Nanosecond()/1000, l.arrived.Unix(), l.arrived.Nanosecond()/1000)
	login, _, _ := strings.Cut(user, " ")
	peer, protocol := login, "local"
	if l.account != "" {
		peer, protocol = "["+l.client+"] (helo=pc)", "esmtpa"
		fmt.Fprintf(&b, "--helo_name pc\n-host_address [%s]:50123\n-host_auth plain\n-interface_address [198.51.100.1]:587\n-received_protocol esmtpa\n-aclm 0 5\nspoor\n-body_linecount %d\n-max_received_linelength 76\n--auth_id %s\n-host_lookup_failed\n",
			l.client, strings.Count(l.body, "\n"), l.account)
	} else {
		fmt.Fprintf(&b, "-ident %s\n-received_protocol local\n-body_linecount %d\n-max_received_linelength 76\n-auth_id %s\n-auth_sender %s@%s\n-allow_unqualified_recipient\n-allow_unqualified_sender\n-local\n",
			login, strings.Count(l.body, "\n"), login, login, hostname)
	}
	fmt.Fprintf(&b, "XX\n%d\n%s\n\n", len(l.recipients), strings.Join(l.recipients, "\n"))
	received := fmt.Sprintf("Received: from %s by %s with %s (Exim 4.96)\n\t(envelope-from <%s>)\n\tid %s;\n\t%s", peer, hostname, protocol, l.sender, id, l.arrived.Format(time.RFC1123Z))
	received = strings.Replace(received, " by ", "\n\tby ", boolInt(l.account != ""))
	fmt.Fprintf(&b, "%03dP %s\n", len(received)+1, received)
	for _, line := range l.header() {
		flag := byte(' ')
		switch line[0] {
		case 'F', 'T':
			flag = line[0]
		case 'M':
			if strings.HasPrefix(line, "Message-ID") {
				flag = 'I'
			}
		}
		fmt.Fprintf(&b, "%03d%c %s\n", len(line)+1, flag, line)
	}
	return b.String()
}
