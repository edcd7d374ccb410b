# `make` alone lists what there is. Every target works from a clean clone; hack/prepare.sh says what the machine needs.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# rustup puts cargo here, and a shell that was open before does not know it yet.
export PATH := $(HOME)/.cargo/bin:$(PATH)

# Pingora as published, which is no member of the workspace: that has patches of it.
BARE := --manifest-path bench/bare-pingora/Cargo.toml

# Pinned, so that a lint means the same for everybody. Raise it together with what deny.toml allows.
CARGO_DENY_VERSION := 0.20.2

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: prepare
prepare: ## Install what a fresh Debian or Ubuntu lacks, and patch crates; does nothing when all is there
	@hack/prepare.sh

.PHONY: run
run: prepare ## Build, and serve examples/quickstart with echo servers behind it (PROFILE=release for speed)
	@hack/quickstart.sh

.PHONY: test
test: prepare ## Run all tests
	cargo test --workspace --locked

.PHONY: test-clients
test-clients: prepare ## Test with clients of other languages, through both gateways (fetches grpcurl, grpcio, websockets)
	hack/test-clients.sh

# Those that bring targets. `make test` runs each of them for a second.
FUZZED := lychgate-admission lychgate-router lychgate-egress lychgate-engine
SECONDS := 60

.PHONY: fuzz
fuzz: prepare ## Run every fuzz target for SECONDS=60
	BOLERO_RANDOM_SEED=$$(od -An -N8 -tu8 /dev/urandom | tr -d " ") BOLERO_RANDOM_TEST_TIME_MS=$(SECONDS)000 cargo test --locked $(FUZZED:%=--package %) -- fuzz

.PHONY: test-tracing
test-tracing: prepare ## Traces in a real Jaeger and a real Zipkin, which it brings (needs go, java, mvn)
	@hack/test-tracing.sh

.PHONY: conformance
conformance: prepare ## The upstream conformance suite on a cluster of its own: docs/conformance.md (needs root, Go; PROFILE=release)
	@conformance/run

.PHONY: bench-cluster
bench-cluster: prepare ## Measure a cluster at scale, in change and in trouble: docs/performance.md (PROFILE=release WRITE=1; ARGS="--quick --only a,c")
	@bench/cluster/run $(ARGS)

.PHONY: smoke-cluster
smoke-cluster: ## Try the conformance rig alone: a cluster, without Lychgate (needs root, Go)
	@conformance/build tests
	@conformance/smoke

.PHONY: test-chart
test-chart: ## Test the chart with a real Helm: HELM, or one that is built (needs go)
	HELM=$${HELM:-$$(command -v helm || conformance/build helm)} cargo test --locked -p lychgate-control --test chart -- --ignored

.PHONY: test-cluster
test-cluster: ## Test the control plane with the cluster of KUBECONFIG, in namespaces of its own
	cargo test --locked -p lychgate-control --test provision --test cluster -- --ignored

.PHONY: check
check: prepare ## The fast answer while writing: does everything compile
	cargo check --workspace --all-targets --locked

.PHONY: fmt
fmt: prepare ## Format the code
	cargo fmt --all
	cargo fmt $(BARE)

.PHONY: lint
lint: prepare ## Formatting, clippy, dependencies, docs: warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	cargo fmt $(BARE) --check
	cargo clippy $(BARE) --target-dir $${CARGO_TARGET_DIR:-target} --locked -- -D warnings
	hack/cargo-tool.sh deny $(CARGO_DENY_VERSION)
	cargo deny --locked check --hide-inclusion-graph bans licenses sources
	cargo deny $(BARE) --config deny.toml --locked check --hide-inclusion-graph -A license-not-encountered bans licenses sources
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace --locked

.PHONY: attack
attack: prepare ## Attack a gateway of its own on loopback, and print what others noticed: docs/security.md (10 minutes)
	cargo build --release --locked -p lychgate-cli -p lychgate-attack
	$${CARGO_TARGET_DIR:-target}/release/lychgate-attack attack --lychgate $${CARGO_TARGET_DIR:-target}/release/lychgate

MINUTES := 60

.PHONY: soak
soak: prepare ## Everything at once for MINUTES=60: all protocols, attacks, reloads, failing backends; nothing may fail or leak
	cargo build --release --locked -p lychgate-cli -p lychgate-attack
	$${CARGO_TARGET_DIR:-target}/release/lychgate-attack soak --minutes $(MINUTES) --lychgate $${CARGO_TARGET_DIR:-target}/release/lychgate

# Full measures for 16 to 18 minutes, quick for less than five; the first time, ten more for the release build and tools.
MODE := full
TARGET := $${CARGO_TARGET_DIR:-target}
BENCH := $(TARGET)/release/lychgate-bench

.PHONY: bench
bench: prepare ## Measure beside nginx, HAProxy, Envoy and bare Pingora: docs/performance.md (30 minutes; MODE=quick for 15; later 20 and 5)
	bench/prepare $(TARGET)/bench-tools
	cargo build --release --locked -p lychgate-cli -p lychgate-bench
	cargo build --release --locked $(BARE) --target-dir $(TARGET)
	$(BENCH) run --mode $(MODE) --lychgate $(TARGET)/release/lychgate --bare-pingora $(TARGET)/release/lychgate-bare-pingora \
		--tools $(TARGET)/bench-tools/bin --out $(TARGET)/bench

.PHONY: bench-micro
bench-micro: prepare ## Measure single steps: finding a rule, filters, metrics, compiling, egress (5 minutes; compares with the run before)
	cargo bench --locked -p lychgate-router -p lychgate-filters -p lychgate-telemetry -p lychgate-egress \
		--bench table --bench chain --bench request --bench decide --bench limits

.PHONY: bench-smoke
bench-smoke: prepare ## Try each workload of the bench once, with Lychgate alone, to see that all works (a minute; part of .ci/run)
	bench/prepare $(TARGET)/bench-tools smoke
	cargo build --workspace --bins --locked
	$(TARGET)/debug/lychgate-bench run --mode smoke --peers lychgate --lychgate $(TARGET)/debug/lychgate --out $(TARGET)/bench-smoke

.PHONY: audit
audit: prepare ## Known vulnerabilities in dependencies; fetches the RustSec database, so it needs the network
	hack/cargo-tool.sh deny $(CARGO_DENY_VERSION)
	cargo deny --locked check advisories
	hack/third-party.sh --audit
