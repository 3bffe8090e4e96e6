#!/bin/sh
# Empties two equal spools, one with exim -Mrm in batches of 200 and one with spoor's
# controller: bench/exim-remove.sh [MESSAGES [RUNS]]. It wants root, and Exim in
# .tools/mailservers (scripts/mailservers).
set -eu
messages=${1:-20000} runs=${2:-3}
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -o "$dir/queuegen" ./bench/cmd/queuegen
go test -c -o "$dir/exim.test" ./internal/mta/exim

# spool writes the same spool each time, where Exim's program is.
spool() {
	rm -rf "$dir/root"
	cp -a .tools/mailservers/exim "$dir/root"
	"$dir/queuegen" -mta exim -out "$dir/root" -messages "$messages" >/dev/null
	mkdir -p "$dir/root/var/log/exim4" "$dir/root/dev"
	cp -a /dev/null /dev/urandom "$dir/root/dev/"
	printf 'root:x:0:\nDebian-exim:x:106:\n' >"$dir/root/etc/group"
	chown -R 103:106 "$dir/root/var/spool/exim4" "$dir/root/var/log/exim4"
	sync
}

for run in $(seq "$runs"); do
	spool
	find "$dir/root/var/spool/exim4/input" -name '*-H' -printf '%f\n' | sed 's/-H$//' >"$dir/ids"
	start=$(date +%s%N)
	xargs -n 200 chroot "$dir/root" /usr/sbin/exim4 -Mrm <"$dir/ids" >"$dir/out"
	end=$(date +%s%N)
	removed=$(grep -c 'has been removed' "$dir/out")
	echo "run $run: exim -Mrm        $removed messages, $((removed * 1000000000 / (end - start))) messages/s"
	for settle in '' 1; do
		spool
		SPOOR_BENCH_ROOT="$dir/root" SPOOR_BENCH_SETTLE="$settle" "$dir/exim.test" -test.run '^$' -test.bench Remove -test.benchtime 1x |
			awk -v run="$run" -v settle="${settle:+ and settle}" '/messages\/s/ { printf "run %s: take, pack%s, discard  %d messages/s\n", run, settle, $5 }'
		left=$(find "$dir/root/var/spool/exim4" -type f | wc -l)
		[ "$left" = 0 ] || { echo "exim-remove: $left files are left" >&2; exit 1; }
	done
done
