package mta

import "bytes"

// receivers are the large receivers, by the domains of their mailboxes and by
// words that only their servers say.
var receivers = []struct {
	name    string
	domains []string
	words   []string
}{
	{"google", []string{"gmail.com", "googlemail.com"}, []string{"gsmtp", "google.com"}},
	{"microsoft", []string{"outlook.com", "hotmail.com", "hotmail.", "live.com", "live.", "msn.com", "outlook."}, []string{"outlook.com", "s3140", "s3150", "protection.outlook"}},
	{"yahoo", []string{"yahoo.com", "yahoo.", "ymail.com", "rocketmail.com", "aol.com", "aim.com", "verizon.net"}, []string{"yahoodns", "[ts0", "[tss0", "yahoo.com"}},
	{"apple", []string{"icloud.com", "me.com", "mac.com"}, []string{"icloud.com"}},
	{"mail.ru", []string{"mail.ru", "bk.ru", "inbox.ru", "list.ru"}, []string{"mail.ru"}},
	{"yandex", []string{"yandex.ru", "yandex.com", "ya.ru"}, []string{"yandex"}},
	{"gmx", []string{"gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com", "web.de", "mail.com"}, []string{"gmx.net", "web.de", "kundenserver"}},
	{"t-online", []string{"t-online.de", "magenta.de"}, []string{"t-online"}},
	{"orange", []string{"orange.fr", "wanadoo.fr"}, []string{"orange.fr", "wanadoo"}},
	{"free", []string{"free.fr"}, nil},
	{"comcast", []string{"comcast.net"}, []string{"comcast"}},
	{"att", []string{"att.net", "bellsouth.net", "sbcglobal.net"}, []string{"att.net"}},
	{"libero", []string{"libero.it", "virgilio.it"}, []string{"libero.it"}},
	{"qq", []string{"qq.com", "foxmail.com"}, []string{"qq.com"}},
	{"netease", []string{"163.com", "126.com"}, []string{"163.com"}},
	{"proofpoint", nil, []string{"proofpoint", "pphosted"}},
	{"mimecast", nil, []string{"mimecast"}},
	{"barracuda", nil, []string{"barracuda"}},
}

// Receiver names the large receiver that a recipient's domain belongs to, or
// else the one whose words an answer holds; "" for all others. A domain that
// ends in a dot in the table stands for all top-level domains.
func Receiver(domain, answer []byte) string {
	for i := range receivers {
		for _, known := range receivers[i].domains {
			if string(domain) == known || known[len(known)-1] == '.' && national(domain, known) {
				return receivers[i].name
			}
		}
	}
	if len(answer) == 0 {
		return ""
	}
	var buffer [maxAnswer + 2]byte
	text := plainAnswer(buffer[:1], answer)
	for i := range receivers {
		for _, words := range receivers[i].words {
			if bytes.Contains(text, []byte(words)) {
				return receivers[i].name
			}
		}
	}
	return ""
}

// national reports whether a domain is known under a top-level domain, such as
// yahoo.co.uk for "yahoo.".
func national(domain []byte, known string) bool {
	rest, ok := bytes.CutPrefix(domain, []byte(known))
	return ok && len(rest) >= 2 && len(rest) <= 6
}
