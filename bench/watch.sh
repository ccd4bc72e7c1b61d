#!/bin/sh
# From the log line to the nft set: connwarden, fail2ban and sshguard one after the other, each in a network namespace of
# its own that the script makes. Needs root, nft, fail2ban and sshguard (Debian's packages).
#
#   bench/watch.sh [TRIALS]
set -eu
cd "$(dirname "$0")/.."
trials=${1:-200}
dir=$(mktemp -d)
ns=cwbench$$
trap 'ip netns del $ns 2>/dev/null || true; rm -rf "$dir"' EXIT
go build -o "$dir/connwarden" ./cmd/connwarden
go build -o "$dir/bench" ./bench/watch
fresh() {
	ip netns del $ns 2>/dev/null || true
	ip netns add $ns
	ip -n $ns link set lo up
}

echo "connwarden"
fresh
printf '[block]\nper_minute = 100000\n' >"$dir/config.toml"
CONNWARDEN_STATE_DIR="$dir/state" ip netns exec $ns "$dir/bench" -trials "$trials" -log "$dir/web.log" -- \
	"$dir/connwarden" watch --config "$dir/config.toml" --enforce --with nft --no-dns --json "$dir/web.log" 2>"$dir/connwarden.out"

if command -v sshguard >/dev/null; then
	echo "sshguard"
	fresh
	ip netns exec $ns nft -f - <<-END
		table ip sshguard { set attackers { type ipv4_addr; flags interval; }; }
		table ip6 sshguard { set attackers { type ipv6_addr; flags interval; }; }
	END
	cat >"$dir/sshguard.conf" <<-END
		BACKEND=/usr/libexec/sshguard/sshg-fw-nft-sets
		FILES="$dir/auth.log"
		THRESHOLD=30
		BLOCK_TIME=600
		DETECTION_TIME=1800
	END
	SSHGUARD_CONF="$dir/sshguard.conf" CONFIGFILE="$dir/sshguard.conf" ip netns exec $ns unshare -m sh -c "
		mount --bind $dir/sshguard.conf /etc/sshguard/sshguard.conf
		exec $dir/bench -kind ssh -need 3 -trials $trials -log $dir/auth.log -- sshguard" 2>"$dir/sshguard.out" || tail -n 5 "$dir/sshguard.out"
fi

if command -v fail2ban-server >/dev/null; then
	echo "fail2ban"
	fresh
	mkdir -p "$dir/f2b"
	cp -r /etc/fail2ban/. "$dir/f2b/"
	rm -f "$dir"/f2b/jail.d/*
	cat >"$dir/f2b/filter.d/bench.conf" <<-END
		[Definition]
		failregex = ^<HOST> .*"POST /administrator/index.php
		datepattern = \[%%d/%%b/%%Y:%%H:%%M:%%S %%z\]
	END
	cat >"$dir/f2b/jail.local" <<-END
		[DEFAULT]
		banaction = nftables[type=allports]
		backend = pyinotify
		dbfile = None
		[bench]
		enabled = true
		filter = bench
		logpath = $dir/f2b.log
		maxretry = 12
		findtime = 300
		bantime = 600
		ignoreself = false
	END
	sed -i "s|^dbfile.*|dbfile = None|" "$dir/f2b/fail2ban.conf"
	: >"$dir/f2b.log"
	ip netns exec $ns "$dir/bench" -trials "$((trials / 5))" -log "$dir/f2b.log" -- \
		fail2ban-server -c "$dir/f2b" -s "$dir/f2b.sock" -p "$dir/f2b.pid" --logtarget "$dir/f2b.out" -f start 2>"$dir/f2b.err" || tail -n 5 "$dir/f2b.err" "$dir/f2b.out"
fi
