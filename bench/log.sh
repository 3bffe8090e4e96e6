#!/bin/sh
# Measures spoor on a large Plesk qmail log against the pipeline that the old
# support article has for it. See README.md.
set -eu

bytes=${BYTES:-1073741824}
rounds=${ROUNDS:-5}
dir=${SPOOR_BENCH_DIR:-/tmp/spoor-bench-log}
log=$dir/var/log/maillog

cd "$(dirname "$0")/.."
mkdir -p "$dir/var/log" "$dir/etc"
go build -o "$dir/" ./bench/cmd/maillog ./bench/cmd/pair
if [ -n "${SPOOR:-}" ]; then
	spoor=$SPOOR
else
	spoor=$dir/spoor
	go build -trimpath -o "$spoor" ./cmd/spoor
fi
[ -f "$log" ] || "$dir/maillog" -out "$log" -bytes "$bytes"
cat >"$dir/etc/passwd" <<'PASSWD'
alias:x:2021:2020::/var/qmail/alias:/bin/true
qmaild:x:2020:2020::/var/qmail:/bin/true
qmails:x:2522:2520::/var/qmail:/bin/true
PASSWD
cat >"$dir/article" <<'ARTICLE'
#!/bin/sh
cat "$1" | grep -I smtp_auth | grep -I user | awk '{print $11}' | sort | uniq -c | sort -n
ARTICLE
# spoor ends with status 4 here, since there is no queue.
cat >"$dir/answer" <<'ANSWER'
#!/bin/sh
"$@" || [ $? = 4 ]
ANSWER
chmod +x "$dir/article" "$dir/answer"
wc -l "$log"

exec "$dir/pair" -n "$rounds" -messages "$(wc -l <"$log")" -base article \
	article "$dir/article" "$log" \
	-- spoor "$dir/answer" "$spoor" --root "$dir" \
	-- spoor-json "$dir/answer" "$spoor" --root "$dir" --json \
	-- logs-check "$dir/answer" "$spoor" --root "$dir" logs check \
	-- wc "$(command -v wc)" -l "$log"
