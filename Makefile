# What a newcomer types: `make demo`, `make test`. Both install what is missing; both need root, because they make
# network namespaces.
.PHONY: demo demo-cluster cluster cluster-light cluster-down kubernetes image test bench bench-cluster deps lint crds manifests kube soak clean

export PATH := $(PATH):/usr/sbin:/sbin:$(HOME)/.cargo/bin:/usr/local/go/bin:$(CURDIR)/.cache/go/bin

# Shows in a minute what Tenet does. KEEP=1 leaves it up and says what to try.
demo:
	@e2e/deps.sh demo
	cargo build --release --bin tenet --example demo
	@target/release/examples/demo $(if $(KEEP),--keep)

# The same on a Kubernetes cluster of three nodes with pods: nodes that die, agents that are upgraded. KEEP=1 leaves it up.
demo-cluster: kubernetes
	cargo build --release --bin tenet --example up
	@target/release/examples/up --demo $(if $(KEEP),--keep)

# Leaves a Kubernetes cluster of three nodes up, with Tenet in it, and says what to try; Ctrl-C takes it down.
cluster: kubernetes
	cargo build --release --bin tenet --example up
	@target/release/examples/up

# The same without kubelets and pods: etcd, API server, and Tenet as processes.
cluster-light: kubernetes
	cargo build --release --bin tenet --example up
	@target/release/examples/up --light

# Takes down what `make cluster` left up, also what is left of one that was killed.
cluster-down:
	@[ ! -e .cache/cluster ] || target/release/examples/up --down

# Everything that CI runs.
test:
	@e2e/deps.sh test
	@e2e/test.sh

# The figures, each with its target. ROWS="ping build" measures some, ARGS="-o json" prints lines of JSON.
bench:
	@e2e/deps.sh test
	cargo bench --bench figures -- $(ROWS) $(ARGS)

# The figures of a cluster: three nodes on this machine.
bench-cluster: kubernetes
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
	TENET_WRITE_MANIFESTS=1 cargo test --test schema parts_say

# The Kubernetes that tests start: control plane, kubelet, containerd. Built once.
kube:
	e2e/kube/build.sh
	e2e/node/build.sh

kubernetes:
	@e2e/deps.sh test
	@e2e/kubernetes.sh

# The image of manifests/, as an archive, without a container engine: .cache/image/.
image:
	image/build.sh

# The tests that find more the longer they run: random worlds on a real kernel, frames through the filters and through their
# words, every fault of a cluster. WALK=20000 takes an hour or so, FRAMES=20000000 half an hour.
soak:
	@e2e/deps.sh test
	TENET_WALK=$(or $(WALK),2000) cargo test --release --test walk
	TENET_FRAMES=$(or $(FRAMES),20000000) cargo test --release --test filter kernel -- --nocapture
	@e2e/kubernetes.sh
	TENET_SOAK=1 cargo test --release --test cluster faults -- --test-threads=1 --nocapture

# What was built. What Tenet made on this host is `tenet clean`'s.
clean:
	cargo clean
	rm -rf .cache
