.PHONY: crds kube bench

# Rewrites crds/ from the types in src/api.
crds:
	TENET_WRITE_CRDS=1 cargo test --test crds

# The control plane that the API tests start.
kube:
	e2e/kube/build.sh

# The figures, each with its target; needs root. ROWS="ping build" measures some, ARGS="-o json" prints lines of JSON.
bench:
	cargo bench --bench figures -- $(ROWS) $(ARGS)
