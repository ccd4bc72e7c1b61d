#!/bin/sh
# Compares `connwarden conns --by ip`, whole process, with the pipelines that people type and with a bare dump that only
# walks the kernel's rows. As root, on Linux, with iproute2, net-tools and Debian's package "time":
#
#     bench/conns.sh [SOCKETS [RUNS]]        100,000 sockets and 9 runs if not told otherwise
#
# It makes a network namespace, fills it, runs every command RUNS times in turn and prints the median and the least
# wall time of each, its processor time, all with their ratios to ours, and the memory of its largest process. SUBJECT is
# another binary to measure. Nothing is left behind.
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
	ours) echo "$SUBJECT conns --by ip --json" ;;
	walk) echo "$work/walk" ;;
	ss) echo "sh $work/ss.sh" ;;
	netstat) echo "sh $work/netstat.sh" ;;
	esac
}
cat >"$work/inside.sh" <<'END'
# usage: inside.sh FILE COMMAND...: appends to FILE what COMMAND took: microseconds of wall time, of processor time, KiB of its
# largest process
file=$1
shift
from=$(date +%s%N)
/usr/bin/time -o "$file.one" -f '%U %S %M' "$@" >/dev/null 2>&1
to=$(date +%s%N)
awk -v wall=$(((to - from) / 1000)) '{printf "%d %d %d\n", wall, ($1 + $2) * 1000000, $3}' "$file.one" >>"$file"
END
all="ours walk ss netstat"
for run in $(seq 0 "$runs"); do
	for name in $all; do
		file="$work/figures.$name"
		[ "$run" != 0 ] || file="$work/warm-up"
		# shellcheck disable=SC2046 # words are wanted
		ip netns exec "$ns" sh "$work/inside.sh" "$file" $(command_of "$name")
	done
done
# figure COLUMN NAME prints the median and the least
figure() { sort -n -k "$1,$1" "$work/figures.$2" | awk -v c="$1" '{v[NR] = $c} END {print v[int((NR + 1) / 2)], v[1]}'; }
printf '%-12s %15s %15s %15s %8s\n' command 'wall ms: median' 'least' 'processor' KiB
for name in $all; do
	# shellcheck disable=SC2046
	set -- $(figure 1 "$name") $(figure 1 ours) $(figure 2 "$name") $(figure 2 ours) $(figure 3 "$name")
	awk -v name="$name" -v m="$1" -v l="$2" -v om="$3" -v ol="$4" -v c="$5" -v oc="$7" -v k="$9" 'BEGIN {
		printf "%-12s %8.1f %5.2fx %8.1f %5.2fx %8.0f %5.2fx %8d\n", name, m / 1000, m / om, l / 1000, l / ol, c / 1000, c / oc, k}'
done
