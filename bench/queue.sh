#!/bin/sh
# Measures spoor on a large qmail queue against qmail-qread and the physical
# floor. See README.md.
set -eu

messages=${MESSAGES:-300000}
rounds=${ROUNDS:-5}
dir=${SPOOR_BENCH_DIR:-/tmp/spoor-bench}
queue=$dir/var/qmail/queue

cd "$(dirname "$0")/.."
mkdir -p "$dir"
go build -o "$dir/" ./bench/cmd/qmailgen ./bench/cmd/floor ./bench/cmd/pair

if [ -d "$queue" ]; then
	echo "using the queue in $queue"
else
	"$dir/qmailgen" --out "$dir" --messages "$messages"
fi

if [ -n "${SPOOR:-}" ]; then
	spoor=$SPOOR
else
	spoor=$dir/spoor
	go build -o "$spoor" ./cmd/spoor
fi

found=$(find "$queue/mess" -type f | wc -l)
preprocessed=$(find "$queue/info" -type f | wc -l)
echo "$found messages, $preprocessed of them preprocessed"

# qmail-qread has the path of its queue compiled in: it is a peer only if it
# lists this queue.
qread=${QMAIL_QREAD:-$(command -v qmail-qread || true)}
if [ -n "$qread" ]; then
	listed=$("$qread" | grep -c '^[0-9].* GMT  #' || true)
	if [ "$listed" -ne "$preprocessed" ]; then
		echo "$qread lists $listed messages: it reads another queue, the floor is the peer"
		qread=
	fi
fi

base=floor-1
set -- floor-1 "$dir/floor" --queue "$queue" --workers 1 \
	-- floor-2 "$dir/floor" --queue "$queue" --workers 2 \
	-- spoor-json "$spoor" --root "$dir" --json \
	-- spoor-ls "$spoor" --root "$dir" queue ls -o ndjson \
	-- spoor-qread "$spoor" --root "$dir" compat qmail-qread
if [ -n "$qread" ]; then
	base=qmail-qread
	set -- qmail-qread "$qread" -- "$@"
fi

exec "$dir/pair" -n "$rounds" -messages "$found" -base "$base" "$@"
