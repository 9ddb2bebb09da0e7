.PHONY: crds kube

# Rewrites crds/ from the types in src/api.
crds:
	TENET_WRITE_CRDS=1 cargo test --test crds

# The control plane that the API tests start.
kube:
	e2e/kube/build.sh
