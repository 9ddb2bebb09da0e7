#!/bin/sh
# All that must hold, step by step; a step that fails does not keep the others from running. The end says what failed.
set -u
cd "$(dirname "$0")/.." || exit 1
summary=
failed=0

step() {
	name=$1
	shift
	echo
	echo "==> $name: $*"
	start=$(date +%s)
	if "$@" </dev/null; then
		verdict='ok    '
	else
		verdict='FAILED'
		failed=$((failed + 1))
	fi
	summary="$summary
  $verdict $(printf '%5d' $(($(date +%s) - start))) s  $name"
}

step 'format' cargo fmt --check
step 'lints' cargo clippy --all-targets -- -D warnings
step 'layers, sizes, names' cargo test -q --test layers
step 'crds/ is what the types say (else: make crds)' cargo test -q --test schema crds_folder
step 'manifests/install.yaml is what its parts say (else: make manifests)' cargo test -q --test schema parts_say
step 'a real Kubernetes, built once' e2e/kubernetes.sh
step 'all tests' cargo test --no-fail-fast

echo
echo "Summary:$summary"
echo
if [ "$failed" = 0 ]; then
	echo "All is well."
else
	echo "$failed failed."
	exit 1
fi
