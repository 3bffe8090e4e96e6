package mailtest

// Host is the server's name; Domain has its mailboxes; Forwarded is a domain
// whose mail all goes on to one address outside.
const (
	Host      = "mx.shop.example"
	Domain    = "shop.example"
	Forwarded = "club.example"
)

// The UIDs of passwd; groups have the same numbers.
const (
	WWWData    = 33
	Postfix    = 101
	Postdrop   = 102
	Dovecot    = 103
	Dovenull   = 104
	DebianExim = 105
	Dump       = 1001
	Web1       = 10003
)

const passwd = `root:x:0:0:root:/root:/bin/sh
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
postfix:x:101:101::/var/spool/postfix:/usr/sbin/nologin
dovecot:x:103:103::/usr/lib/dovecot:/usr/sbin/nologin
dovenull:x:104:104::/nonexistent:/usr/sbin/nologin
Debian-exim:x:105:105::/var/spool/exim4:/usr/sbin/nologin
dump:x:1001:1001:nightly dumps:/home/dump:/bin/sh
web1:x:10003:10003::/var/www/vhosts/shop.example:/bin/false
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`

const group = `root:x:0:
mail:x:8:
www-data:x:33:
postfix:x:101:
postdrop:x:102:
dovecot:x:103:
dovenull:x:104:
Debian-exim:x:105:
dump:x:1001:
web1:x:10003:
nogroup:x:65534:
`
