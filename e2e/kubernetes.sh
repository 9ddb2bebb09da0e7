#!/bin/sh
# Builds of Kubernetes what is not built yet.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ -x "${TENET_KUBE_BIN:-$here/../.cache/kube}/kubelet" ] || "$here/kube/build.sh"
[ -x "${TENET_NODE_BIN:-$here/../.cache/node}/helm" ] || "$here/node/build.sh"
