#!/bin/bash
# Removes deferred messages from a queue of Postfix the way spoor does, and from an
# equal one with postsuper -d ALL. Root is needed. See README.md.
set -eu

messages=${MESSAGES:-45000}
dir=${SPOOR_BENCH_DIR:-/tmp/spoor-bench-postfixrm}

cd "$(dirname "$0")/.."
scripts/mailservers .tools/mailservers
mkdir -p "$dir"
go build -o "$dir/" ./bench/cmd/queuegen ./bench/cmd/postfixrm

# server ROOT makes a root with the programs of Postfix and a full queue.
server() {
	rm -rf "$1"
	cp -a .tools/mailservers/postfix "$1"
	"$dir/queuegen" -out "$1" -messages "$messages"
	mkdir -p "$1/dev" "$1/var/log" "$1/var/lib/postfix"
	mknod -m 666 "$1/dev/null" c 1 3
	mknod -m 666 "$1/dev/urandom" c 1 9
	echo 'nobody:x:65534:65534::/nonexistent:/bin/false' >>"$1/etc/passwd"
	printf 'root:x:0:\npostfix:x:105:\npostdrop:x:106:\nnogroup:x:65534:\n' >"$1/etc/group"
	printf 'passwd: files\ngroup: files\n' >"$1/etc/nsswitch.conf"
	echo 'maillog_file = /var/log/mail.log' >>"$1/etc/postfix/main.cf"
	: >"$1/etc/postfix/master.cf"
	: >"$1/var/log/mail.log"
	chown 102:105 "$1/var/log/mail.log"
	for queue in active incoming deferred hold corrupt maildrop defer bounce trace flush saved; do
		chown -R 102:105 "$1/var/spool/postfix/$queue"
	done
}

server "$dir/postsuper"
server "$dir/spoor"
sync
echo "postsuper -d ALL:"
time chroot "$dir/postsuper" /usr/sbin/postsuper -d ALL
echo "spoor:"
time "$dir/postfixrm" -root "$dir/spoor"
rm -rf "$dir/postsuper" "$dir/spoor"
