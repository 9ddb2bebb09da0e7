# What a newcomer types: `make demo`, `make test`. Both install what is missing; both need root, because they make
# network namespaces.
.PHONY: demo cluster test bench bench-cluster deps lint crds manifests kube soak clean

export PATH := $(PATH):/usr/sbin:/sbin:$(HOME)/.cargo/bin:/usr/local/go/bin:$(CURDIR)/.cache/go/bin

# Shows in a minute what Tenet does. KEEP=1 leaves it up and says what to try.
demo:
	@e2e/deps.sh demo
	cargo build --release --bin tenet --example demo
	@target/release/examples/demo $(if $(KEEP),--keep)

# Leaves a cluster of three nodes up and says what to try; Ctrl-C takes it down.
cluster:
	@e2e/deps.sh test
	@[ -x .cache/kube/kube ] || e2e/kube/build.sh
	cargo build --release --bin tenet --example up
	@target/release/examples/up

# Everything that CI runs.
test:
	@e2e/deps.sh test
	@e2e/test.sh

# The figures, each with its target. ROWS="ping build" measures some, ARGS="-o json" prints lines of JSON.
bench:
	@e2e/deps.sh test
	cargo bench --bench figures -- $(ROWS) $(ARGS)

# The figures of a cluster: three nodes on this machine.
bench-cluster:
	@e2e/deps.sh test
	[ -x .cache/kube/kube ] || e2e/kube/build.sh
	cargo bench --bench cluster_figures -- $(ROWS) $(ARGS)

# Installs the Debian packages that demo, tests and figures need, those that are missing.
deps:
	@e2e/deps.sh test

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

# Rewrites crds/ from the types in src/api.
crds:
	TENET_WRITE_CRDS=1 cargo test --test schema crds_folder

# Rewrites manifests/install.yaml from its parts and the types in src/api.
manifests: crds
	TENET_WRITE_MANIFESTS=1 cargo test --test schema install_file

# The control plane that the API tests start.
kube:
	e2e/kube/build.sh

# The tests that find more the longer they run: random worlds on a real kernel, frames through the filters and through their
# words, every fault of a cluster. WALK=20000 takes an hour or so, FRAMES=20000000 half an hour.
soak:
	@e2e/deps.sh test
	TENET_WALK=$(or $(WALK),2000) cargo test --release --test walk
	TENET_FRAMES=$(or $(FRAMES),20000000) cargo test --release --test filter kernel -- --nocapture
	[ -x $(or $(TENET_KUBE_BIN),.cache/kube)/kube ] || e2e/kube/build.sh
	TENET_SOAK=1 cargo test --release --test cluster faults -- --test-threads=1 --nocapture

# What was built. What Tenet made on this host is `tenet clean`'s.
clean:
	cargo clean
	rm -rf .cache
