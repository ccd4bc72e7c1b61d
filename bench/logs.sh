#!/bin/sh
# Compares counting an access log with what people use for it, whole processes, side by side, warm cache:
#
#     bench/logs.sh [MEGABYTES [RUNS]]        1,024 MB and 5 runs if not told otherwise
#
# Needs hyperfine, gawk, mawk and goaccess (Debian's packages) and that much free memory and disk. DUCKDB is a folder in
# which `npm install @duckdb/node-api` was run; without it DuckDB is left out. FILE is another log to measure on, which
# must be in combined format. Prints a table for each comparison; the log that was made is removed.
set -eu
cd "$(dirname "$0")/.."
megabytes=${1:-1024} runs=${2:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$work/connwarden" ./cmd/connwarden
CGO_ENABLED=0 go build -pgo=cmd/connwarden/default.pgo -o "$work/keys" ./bench/keys
CGO_ENABLED=0 go build -o "$work/gunzip" ./bench/gunzip
if [ -z "${FILE:-}" ]; then
	FILE=$work/access.log
	go run ./bench/accesslog -bytes "$((megabytes << 20))" "$FILE"
fi
echo "$(wc -l <"$FILE") lines, $(wc -c <"$FILE") bytes; $(uname -sr), $(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"

compare() { # TITLE RUNS REFERENCE COMMAND…: the first command is the measure of all
	title=$1 n=$2
	shift 2
	hyperfine --style none --warmup 1 --runs "$n" --export-markdown "$work/table.md" "$@" >/dev/null 2>&1
	printf '\n## %s\n\n' "$title"
	sed "s|$work/||g; s|$FILE|access.log|g; s|${DUCKDB:-$work}/||g" "$work/table.md"
}

ours="$work/connwarden --no-dns"
compare "counting by path, against counting lines" "$runs" \
	"wc -l $FILE" "$ours pages $FILE --json --no-ips" "$ours pages $FILE --json" "$work/keys $FILE" "$ours review $FILE --json"
compare "the pipelines" 2 \
	"$ours pages $FILE --json --no-ips" \
	"awk '{print \$7}' $FILE | LC_ALL=C sort | uniq -c | sort -n | tail" \
	"mawk '{c[\$7]++} END {for (p in c) print c[p], p}' $FILE | sort -n | tail"
if [ -n "${DUCKDB:-}" ]; then
	cp bench/duckdb.mjs "$DUCKDB/"
	compare "DuckDB" 3 "$ours pages $FILE --json --no-ips" "node $DUCKDB/duckdb.mjs $FILE"
fi
gzip -c "$FILE" >"$work/access.log.gz"
compare "a compressed log, against unpacking it" 3 "$work/gunzip $work/access.log.gz" "$ours pages $work/access.log.gz --json --no-ips"
compare "GoAccess to JSON" 1 "$work/keys $FILE" "$ours review $FILE --json" "goaccess $FILE --log-format=COMBINED --no-global-config -o $work/goaccess.json"
