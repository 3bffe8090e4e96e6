package maillog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// WriteServer writes what belongs to the log of a Postfix or Exim server below a
// root: its users, and the domains that it serves.
func WriteServer(root string) error {
	served := make([]string, domains)
	for i := range served {
		served[i] = fmt.Sprintf("customer%d.example", i)
	}
	for name, text := range map[string]string{
		"etc/passwd":           passwd(),
		"etc/postfix/main.cf":  "myhostname = mx1.example.com\nvirtual_mailbox_domains = " + strings.Join(served, ", ") + "\n",
		"etc/exim4/exim4.conf": "primary_hostname = mx1.example.com\ndomainlist local_domains = " + strings.Join(served, " : ") + "\n",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func passwd() string {
	var b strings.Builder
	b.WriteString("root:x:0:0::/root:/bin/sh\npostfix:x:101:101::/var/spool/postfix:/bin/false\nDebian-exim:x:102:102::/var/spool/exim4:/bin/false\n")
	fmt.Fprintf(&b, "www-data:x:%d:%d::/var/www:/bin/false\n", webServer, webServer)
	for uid := firstSite; uid < firstSite+sites; uid++ {
		fmt.Fprintf(&b, "site%d:x:%d:%d::/home/site%d:/bin/sh\n", uid, uid, uid, uid)
	}
	return b.String()
}
