#!/bin/sh
# Compares `connwarden conns --by ip`, whole process, with the pipelines that people type and with a bare dump that only
# walks the kernel's rows. As root, on Linux, with iproute2, net-tools and Debian's package "time":
#
#     bench/conns.sh [SOCKETS [RUNS]]        100,000 sockets and 9 runs if not told otherwise
#
# It makes a network namespace, fills it, runs every command RUNS times in turn and prints the median and the least
# of each in milliseconds, with the ratio of the medians, then the memory of our process. SUBJECT is another binary to
# measure. Nothing is left behind.
set -eu
cd "$(dirname "$0")/.."
sockets=${1:-100000} runs=${2:-9}
[ "$(id -u)" = 0 ] || { echo "needs root: makes a network namespace" >&2; exit 1; }
work=$(mktemp -d) ns=cwbench-$$ filler=
finish() {
	exec 9>&- || true # the filler stops when its input ends
	[ -z "$filler" ] || wait "$filler" || true
	ip netns del "$ns" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

go build -o "$work/sockets" ./bench/sockets
go build -o "$work/walk" ./bench/walk
[ -n "${SUBJECT:-}" ] || { go build -o "$work/connwarden" ./cmd/connwarden; SUBJECT="$work/connwarden"; }

ip netns add "$ns"
ip -n "$ns" link set lo up
ip -n "$ns" addr add 192.0.2.1/32 dev lo
ip -n "$ns" addr add 2001:db8::1/128 dev lo
ip -n "$ns" route add 10.0.0.0/8 dev lo
ip -n "$ns" route add 2001:db8:1::/48 dev lo
mkfifo "$work/hold" "$work/said"
ip netns exec "$ns" "$work/sockets" -n "$sockets" <"$work/hold" >"$work/said" &
filler=$!
exec 9>"$work/hold"
read -r said <"$work/said" || { echo "the sockets were not made" >&2; exit 1; }
echo "$said sockets; $(uname -sr), $(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"

cat >"$work/ss.sh" <<'END'
ss -Htan | awk '{print $5}' | sort | uniq -c | sort -n
END
cat >"$work/netstat.sh" <<'END'
netstat -ntu | awk '{print $5}' | cut -d: -f1 | sort | uniq -c | sort -n
END
command_of() {
	case $1 in
	connwarden) echo "$SUBJECT conns --by ip --json" ;;
	walk) echo "$work/walk" ;;
	ss) echo "sh $work/ss.sh" ;;
	netstat) echo "sh $work/netstat.sh" ;;
	esac
}
cat >"$work/inside.sh" <<'END'
# usage: inside.sh FILE COMMAND...: appends the milliseconds that COMMAND takes
file=$1
shift
from=$(date +%s%N)
"$@" >/dev/null 2>&1
to=$(date +%s%N)
echo $(((to - from) / 1000)) >>"$file"
END
all="connwarden walk ss netstat"
for run in $(seq 0 "$runs"); do
	for name in $all; do
		file="$work/$name.us"
		[ "$run" != 0 ] || file=/dev/null # a warm-up
		# shellcheck disable=SC2046 # words are wanted
		ip netns exec "$ns" sh "$work/inside.sh" "$file" $(command_of "$name")
	done
done
median() { sort -n "$work/$1.us" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
least() { sort -n "$work/$1.us" | head -n 1; }
ours=$(median connwarden)
printf '%-12s %10s %10s %s\n' command 'median ms' 'least ms' 'median / ours'
for name in $all; do
	awk -v name="$name" -v m="$(median "$name")" -v l="$(least "$name")" -v ours="$ours" \
		'BEGIN {printf "%-12s %10.1f %10.1f %.2f\n", name, m / 1000, l / 1000, m / ours}'
done
# shellcheck disable=SC2046
ip netns exec "$ns" /usr/bin/time -f 'memory of connwarden: %M KiB' $(command_of connwarden) 2>&1 >/dev/null | tail -n 1
