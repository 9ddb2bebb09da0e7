#!/bin/sh
# Tenet in a kind cluster, as a CI pipeline runs it: builds the image, makes a cluster of three nodes, installs
# manifests/overlays/kind, and sees two pods on different nodes reach each other on a network of their own. For machines with
# Docker, kind and kubectl; nothing of theirs is left. KEEP=1 leaves the cluster up.
#
# Tenet's own tests run every kubectl of this script, on kubelets and containerd. Docker and kind they do not have: those
# lines are tried by nobody but you.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
image=tenet:$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1)
cluster=${CLUSTER:-tenet}
guest=${GUEST_IMAGE:-busybox:1.37}

say() { echo "==> $*"; }

finish() {
	code=$?
	if [ $code != 0 ]; then
		say "What there was when it failed"
		kubectl get nodes,pods,tenet -A -o wide || true
		kubectl -n tenet-system logs --prefix --tail=50 -l app.kubernetes.io/name=tenet || true
	fi
	[ -n "${KEEP:-}" ] || kind delete cluster --name "$cluster"
	exit $code
}
trap finish EXIT

say "The image"
docker build -t "$image" -f "$root/image/Containerfile" "$root"

say "The cluster"
kind create cluster --name "$cluster" --config "$root/examples/ci/kind.yaml" --wait 180s
kind load docker-image "$image" --name "$cluster"

say "Tenet"
kubectl apply -k "$root/manifests/overlays/kind"
kubectl -n tenet-system rollout status deployment/tenet-controller daemonset/tenet-agent --timeout=180s
kubectl wait tagent --all --for=condition=Ready --timeout=60s

say "A network, and two pods on it"
kubectl apply -f "$root/examples/01-one-network"
kubectl wait tnet/blue tsub/web tport/web-0 tport/web-1 --for=condition=Ready --timeout=60s
sed "s|GUEST_IMAGE|$guest|" "$root/examples/ci/pods.yaml" | kubectl apply -f -
kubectl wait pod/a pod/b --for=condition=Ready --timeout=180s

say "They reach each other"
address=$(kubectl get tport b-net1 -o 'jsonpath={.status.addresses[0].ip}')
kubectl exec a -- ping -c 3 -W 2 "$address"
kubectl delete pod a b --wait
kubectl wait tport/a-net1 tport/b-net1 --for=delete --timeout=60s
say "All is well"
