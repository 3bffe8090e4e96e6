package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"spoor/internal/host/hosttest"
)

// TestTheScriptBehindDeliveredMailIsFound has mail of the web server of which the
// queue has nothing any more: when it came, the log tells.
func TestTheScriptBehindDeliveredMailIsFound(t *testing.T) {
	f := func(name string, messages int, wants bool) {
		t.Helper()
		tree := postfixQueue()
		tree["etc/apache2/sites-enabled/shop.conf"] = "<VirtualHost *>\nServerName shop.example\nDocumentRoot /var/www/shop\nCustomLog /var/log/apache2/shop.log combined\n</VirtualHost>\n"
		tree["var/www/shop/wp-content/uploads/2026/x.php"], tree["var/www/shop/index.php"] = "", ""
		tree["var/spool/postfix/corrupt/"] = ""
		var mail, web strings.Builder
		for i := range messages {
			arrived := at().Add(-20*time.Hour + time.Duration(480*i+i*i%97)*time.Second).UTC()
			stamp, id := arrived.Format("2006-01-02T15:04:05Z"), fmt.Sprintf("4FA8D%05X", i)
			fmt.Fprintf(&mail, "%s mx postfix/pickup[7]: %s: uid=33 from=<www-data>\n", stamp, id)
			fmt.Fprintf(&mail, "%s mx postfix/cleanup[8]: %s: message-id=<%d@shop.example>\n", stamp, id, i)
			fmt.Fprintf(&mail, "%s mx postfix/qmgr[9]: %s: from=<www-data@shop.example>, size=900, nrcpt=1 (queue active)\n", stamp, id)
			fmt.Fprintf(&mail, "%s mx postfix/smtp[5]: %s: to=<u%d@far%d.example>, relay=mx.far.example[192.0.2.7]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)\n", stamp, id, i, i%40)
			fmt.Fprintf(&mail, "%s mx postfix/qmgr[9]: %s: removed\n", stamp, id)
			fmt.Fprintf(&web, "203.0.113.7 - - [%s] \"POST /wp-content/uploads/2026/x.php HTTP/1.1\" 200 1\n", arrived.Format("02/Jan/2006:15:04:05 -0700"))
			fmt.Fprintf(&web, "203.0.113.8 - - [%s] \"POST /index.php HTTP/1.1\" 200 1\n", arrived.Add(3*time.Minute).Format("02/Jan/2006:15:04:05 -0700"))
		}
		tree["var/log/mail.log"], tree["var/log/apache2/shop.log"] = mail.String(), web.String()
		var out, problems bytes.Buffer
		status := Main([]string{"--root", hosttest.Tree(t, tree).Dir(), "-v"}, testEnvironment(&out, &problems))
		found := strings.Contains(out.String(), "script:/var/www/shop/wp-content/uploads/2026/x.php")
		if status != 0 || found != wants || strings.Contains(out.String(), "script:/var/www/shop/index.php") {
			t.Errorf("%s: status %d\n%s%s", name, status, &problems, &out)
		}
	}
	f("many messages", 120, true)
	f("too few to read the logs of the web server for", fewDelivered-1, false)
}

// fewDelivered is trace's bound.
const fewDelivered = 30
