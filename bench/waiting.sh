#!/bin/sh
# Measures spoor on 50,000 deferred messages of Postfix against postqueue -j, and
# on as many of Exim against exim -bp. Usage: bench/waiting.sh postfix|exim. See
# README.md.
set -eu

mta=${1:?postfix or exim}
messages=${MESSAGES:-50000}
rounds=${ROUNDS:-5}
dir=${SPOOR_BENCH_DIR:-/tmp/spoor-bench-$mta-queue}
root=$dir/root

cd "$(dirname "$0")/.."
mkdir -p "$dir"
go build -o "$dir/" ./bench/cmd/queuegen ./bench/cmd/pair

case $mta in
postfix)
	queue=$root/var/spool/postfix owner=postfix tool=compat-postqueue-j compat=postqueue-j
	peer="postqueue -c $root/peer -j 2>/dev/null | wc -c"
	;;
exim)
	queue=$root/var/spool/exim4/input owner=Debian-exim tool=compat-exim-bp compat=exim-bp
	exim=${EXIM:-$(command -v exim4 || command -v exim || true)}
	[ -n "$exim" ] || { echo "no exim: name one in EXIM" >&2; exit 1; }
	peer="$exim -C $root/peer/exim.conf -bp | wc -c"
	;;
*)
	echo "$mta: want postfix or exim" >&2
	exit 2
	;;
esac

if [ -d "$queue" ]; then
	echo "using the queue in $queue"
else
	"$dir/queuegen" --mta "$mta" --out "$root" --messages "$messages"
	chown -R "$owner:" "${queue%/input}" # as that user the peer reads it
fi

if [ -n "${SPOOR:-}" ]; then
	spoor=$SPOOR
else
	spoor=$dir/spoor
	go build -trimpath -o "$spoor" ./cmd/spoor
fi

# The peer counts if it prints what spoor prints.
theirs=$(sh -c "$peer")
ours=$("$spoor" --root "$root" --log none compat "$compat" | wc -c)
if [ "$theirs" -ne "$ours" ]; then
	echo "the peer prints $theirs bytes, spoor $ours: it reads another queue" >&2
	exit 1
fi

exec "$dir/pair" -n "$rounds" -messages "$messages" -base peer \
	peer sh -c "$peer" \
	-- spoor "$spoor" --root "$root" --log none \
	-- spoor-json "$spoor" --root "$root" --log none --json \
	-- spoor-ls "$spoor" --root "$root" --log none queue ls -o ndjson \
	-- "$tool" "$spoor" --root "$root" --log none compat "$compat"
