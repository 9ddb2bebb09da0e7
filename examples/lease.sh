#!/bin/sh
# What a guest does with a lease: udhcpc calls this (udhcpc -s). Sets address, MTU and routes, and prints what it was told.
# Debian's own script writes /etc/resolv.conf besides, which a guest that is only a network namespace shares with its host.
set -u
case $1 in
deconfig)
	ip link set "$interface" up
	ip -4 addr flush dev "$interface"
	;;
bound | renew)
	ip link set "$interface" mtu "${mtu:-1500}"
	ip addr replace "$ip/$mask" broadcast + dev "$interface"
	# RFC 3442: who is told classless routes ignores the router option.
	set -- ${staticroutes:-${router:+0.0.0.0/0 ${router%% *}}}
	while [ $# -ge 2 ]; do
		ip route replace "$1" via "$2" dev "$interface"
		shift 2
	done
	echo "ip=$ip/$mask"
	for name in router staticroutes dns domain hostname mtu tftp lease serverid; do
		eval "value=\${$name:-}"
		[ -z "$value" ] || echo "$name=$value"
	done
	;;
esac
