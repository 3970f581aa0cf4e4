# Everything that is done with this repository. `make` alone lists it.
#
# Tools are installed outside of the clone, in $(SF_CACHE)/tools; what cargo builds goes to ./target unless CARGO_TARGET_DIR says otherwise.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export SF_CACHE ?= $(HOME)/.cache/signaux-faibles
export PATH := $(SF_CACHE)/tools/bin:$(PATH):$(HOME)/.cargo/bin

# Threads of LightGBM that wait for work sleep: spinning, they take the cores from the other programs and tests of a small machine.
export OMP_WAIT_POLICY ?= passive

# On CI a Cargo.lock that does not match is an error; a developer may be changing it.
LOCKED := $(if $(CI),--locked)

# With what optimisation benchmarks are built: `quick` is a few percent slower and links in a tenth of the time.
PROFILE ?= release

.PHONY: help setup demo build test e2e clients bench fuzz lint fmt helm helm-test image release soak upgrade doc up down clean

help: ## List these commands
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

setup: ## Install what building, testing and linting need (Debian; elsewhere it says what is missing)
	@scripts/setup.sh build test lint

demo: ## The whole chain on invented companies, up to a ranked list (COMPANIES=3000 DEPARTMENT=69 SEED=1)
	@scripts/setup.sh build
	cargo build $(LOCKED) --workspace --bins
	@scripts/demo.sh

build: ## Compile `sf` and the four services
	@scripts/setup.sh build
	cargo build $(LOCKED) --workspace --bins

test: ## Tests that need no server
	@scripts/setup.sh build test
	cargo build $(LOCKED) --workspace --bins
	cargo test $(LOCKED) --workspace --doc --quiet
	cargo nextest run $(LOCKED) --workspace

e2e: ## Tests with real servers: S3, Redis and the four services as processes
	@scripts/setup.sh build test
	cargo build $(LOCKED) --workspace --bins
	cargo nextest run $(LOCKED) --workspace --profile e2e

soak: ## Twenty minutes of load on the services: flat memory, flat times (SF_SOAK_MINUTES=21)
	@scripts/setup.sh build test
	cargo build $(LOCKED) --workspace --bins
	cargo nextest run $(LOCKED) --workspace --profile soak --no-capture

upgrade: ## This version beside the one before it, as during an upgrade (FROM=the last tag)
	@scripts/setup.sh build test
	@scripts/upgrade.sh $(FROM)

clients: ## Clients that others made against our services: grpc-js, and MLServer's for the Open Inference Protocol
	@scripts/setup.sh build clients
	cargo build $(LOCKED) --workspace --bins
	@scripts/clients.sh

bench: bench-ingest bench-features bench-online bench-score bench-lists bench-train bench-trees ## All benchmarks; or one by its name, as in `make bench-ingest` (COMPANIES=40000 RUNS=3 PROFILE=release)

bench-%:
	@scripts/setup.sh build test
	cargo build $(LOCKED) --profile $(PROFILE:debug=dev) --workspace --bin sf
	@PROFILE=$(PROFILE) scripts/bench.sh $*

bench-trees:
	@scripts/setup.sh build
	cargo build $(LOCKED) --profile $(PROFILE:debug=dev) --workspace --example bench_trees
	@PROFILE=$(PROFILE) scripts/bench.sh trees

bench-lists:
	@scripts/setup.sh build
	cargo build $(LOCKED) --profile $(PROFILE:debug=dev) --workspace --example bench_lists
	@PROFILE=$(PROFILE) scripts/bench.sh lists

fuzz: ## Each parser on arbitrary bytes (SECONDS_EACH=60)
	@scripts/setup.sh build fuzz
	cargo build $(LOCKED) --workspace --bins
	@scripts/fuzz.sh

lint: ## Format, clippy, dependencies, protos, scripts and the chart, warnings denied
	@scripts/setup.sh build lint
	@scripts/lint.sh $(LOCKED)

fmt: ## Format the Rust code
	cargo fmt --all

helm: ## Check the chart and render its examples anew
	@scripts/setup.sh build lint
	@scripts/chart.sh render

helm-test: ## The chart in depth: types, refusals, alerts, what checkov finds, and the life of a release
	@scripts/setup.sh build lint chart
	@scripts/chart.sh check
	@scripts/chart.sh scan
	@scripts/chart.sh life

image: ## Build the image of the services and run each from it on a read-only root (PROFILE=release)
	@scripts/setup.sh build image
	cargo build $(LOCKED) --profile $(PROFILE:debug=dev) --workspace --bin sf
	@PROFILE=$(PROFILE) scripts/image.sh build
	@scripts/image.sh check

release: image ## What is published: image archive, chart, list of components, digests, under target/release-files
	@scripts/setup.sh build lint
	@PROFILE=$(PROFILE) scripts/release.sh

doc: ## Build the documentation of the crates
	@scripts/setup.sh build
	RUSTDOCFLAGS='-D warnings' cargo doc $(LOCKED) --workspace --no-deps

up: ## Start S3, Redis and the four services on loopback
	@scripts/setup.sh build test
	cargo build $(LOCKED) --workspace --bins
	@scripts/servers.sh up

down: ## Stop what `make up` started
	@scripts/servers.sh down

clean: down ## Remove what was built and run here
	cargo clean
	rm -rf .run
