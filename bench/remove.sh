#!/bin/bash
# Empties equal queues with "spoor queue rm", into the vault and with its journal,
# with the MTA's own tool, and with find -delete: bench/remove.sh
# postfix|postfix-stopped|exim|qmail [FOLDER]. Root is needed. See README.md.
set -eu

mta=${1:?postfix, postfix-stopped, exim or qmail}
where=${2:-/tmp}
messages=${MESSAGES:-45000}
rounds=${ROUNDS:-3}

cd "$(dirname "$0")/.."
[ "$mta" = qmail ] || scripts/mailservers .tools/mailservers
dir=$(mktemp -d "$where/spoor-bench-remove-XXXXXX")
trap 'rm -rf "$dir"' EXIT
root=$dir/root
CGO_ENABLED=0 go build -trimpath -o "$dir/" ./cmd/spoor ./bench/cmd/queuegen ./bench/cmd/qmailgen

# generate PACKAGE OPTION... makes a root with a full queue.
generate() {
	cp -a ".tools/mailservers/$1" "$root"
	"$dir/queuegen" "${@:2}" -out "$root" -messages "$messages" >/dev/null
	mkdir -p "$root/dev" "$root/var/log/exim4"
	cp -a /dev/null /dev/urandom "$root/dev/"
	echo 'nobody:x:65534:65534::/nonexistent:/bin/false' >>"$root/etc/passwd"
	printf 'root:x:0:\npostfix:x:105:\nDebian-exim:x:106:\npostdrop:x:107:\nnogroup:x:65534:\n' >"$root/etc/group"
	printf 'passwd: files\ngroup: files\n' >"$root/etc/nsswitch.conf"
	cp "$dir/spoor" "$root/spoor"
}

postfix() {
	generate postfix
	echo 'maillog_file = /var/log/mail.log' >>"$root/etc/postfix/main.cf"
	: >"$root/etc/postfix/master.cf"
	: >"$root/var/log/mail.log"
	mkdir -p "$root/var/lib/postfix"
	queue=$root/var/spool/postfix
	touch "$queue/pid/master.pid"
	chown 102:105 "$root/var/log/mail.log"
	for one in active incoming deferred hold corrupt maildrop defer bounce trace flush saved; do
		chown -R 102:105 "$queue/$one"
	done
}

# server makes a new server, with nothing of it still to be written to the disk.
server() {
	rm -rf "$root"
	case $mta in
	postfix*) postfix ;;
	exim)
		generate exim -mta exim
		queue=$root/var/spool/exim4
		chown -R 103:106 "$queue" "$root/var/log/exim4"
		;;
	qmail)
		"$dir/qmailgen" --out "$root" --messages "$messages" >/dev/null
		cp "$dir/spoor" "$root/spoor"
		queue=$root/var/qmail/queue
		;;
	esac
	sync
	count
}

# count says how many messages are left, as files that hold one each.
count() {
	case $mta in
	postfix*) left=$(find "$queue/deferred" "$queue/hold" -type f | wc -l) ;;
	exim) left=$(find "$queue/input" -name '*-H' | wc -l) ;;
	qmail) left=$(find "$queue/mess" -type f | wc -l) ;;
	esac
}

spoor() {
	set -- chroot "$root" /spoor --log none queue rm 'age:>0s' --max 1000000 "$@"
	# What holds the lock of master(8) is taken for a Postfix that runs.
	[ "$mta" != postfix ] || set -- flock -n "$queue/pid/master.pid" "$@"
	GOMAXPROCS=${GOMAXPROCS:-} ${TRACED:-} "$@"
}

peer() {
	case $mta in
	postfix*) chroot "$root" /usr/sbin/postsuper -d ALL ;;
	exim) find "$queue/input" -name '*-H' -printf '%f\n' | sed 's/-H$//' | xargs -n 200 chroot "$root" /usr/sbin/exim4 -Mrm ;;
	esac
}

floor() {
	case $mta in
	postfix*) find "$queue/deferred" "$queue/defer" -type f -delete ;;
	exim) find "$queue/input" "$queue/msglog" -type f -delete ;;
	qmail) find "$queue/mess" "$queue/info" "$queue/local" "$queue/remote" "$queue/bounce" "$queue/todo" "$queue/intd" -type f -delete ;;
	esac
}

# timed NAME COMMAND... runs it and says how fast it was, and how much time of the
# processors it took.
timed() {
	local name=$1 had=$left TIMEFORMAT='%R %U %S'
	{ time "${@:2}" >"$dir/out" 2>&1; } 2>"$dir/time" || { cat "$dir/out" >&2; exit 1; }
	count
	awk -v name="$name" -v n=$((had - left)) -v left="$left" \
		'{ printf "%-28s %7d messages %7.2f s %7d a second %7.2f s of processor%s\n", name, n, $1, n / $1, $2 + $3, left ? "  " left " LEFT" : "" }' "$dir/time"
}

for round in $(seq "$rounds"); do
	echo "round $round of $rounds: $mta on $(stat -f -c %T "$dir")"
	if [ "$mta" != qmail ]; then
		server
		timed "the MTA's own tool" peer
	fi
	server
	timed "spoor queue rm -n, the plan" spoor -n
	sync
	timed "spoor queue rm" spoor --yes --reason benchmark
	server
	timed "find -delete" floor
done
