# Everything that a person types; `make help` lists it. The work is in tests/run.sh and quorate-lab.

SHELL       := /bin/sh
CARGO       ?= cargo
DESTDIR     ?=
PREFIX      ?= /usr
LAB         := target/debug/quorate-lab
RELEASE     := target/release
PAGES       := target/packaging
# The date of what is generated: that of the last commit, or without git that of the changelog.
EPOCH        = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || dpkg-parsechangelog -l dist/debian/changelog -S Timestamp))
SUITE       ?= bookworm
REPORT      ?= report
MINUTES     ?= 60
HOURS       ?= 1

.DEFAULT_GOAL := help
.PHONY: help deps build release deb lint test fuzz simulate model demo image install clean

help: ## this list
	@echo 'quorate: PostgreSQL that stays available, on Pacemaker and Corosync'
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install what is missing on this host (apt, as root); nothing missing, nothing done
	@dist/install-deps

build: ## the programs and the lab, unoptimised
	$(CARGO) build --locked --workspace --features packaging --lib --bins --examples

release: ## the programs as a node gets them, manual pages, completions
	@# A binary that is given to others names no directory of the machine that built it.
	RUSTFLAGS="$$RUSTFLAGS --remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo" \
	$(CARGO) build --locked --release --features packaging --bin quorate-agent --bin quorate --bin quorated --bin quorate-http --bin quorate-rejoin --bin quorate-alert --bin fence_quorate --example quorate-packaging
	@$(RELEASE)/examples/quorate-packaging $(PAGES) "$$(date -u -d @$(EPOCH) +%F)"

deb: ## the Debian package of all that, target/debian/quorate_VERSION_ARCH.deb
	@SOURCE_DATE_EPOCH=$(EPOCH) dist/build-deb

lint: ## rustfmt and clippy, warnings are errors; licences, sources and advisories of every crate
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --workspace --features packaging -- -D warnings
	@dist/check-crates

demo: ## a real cluster on this machine; its primary is killed, then powered off (root)
	@CARGO='$(CARGO)' SOURCE_DATE_EPOCH=$(EPOCH) dist/demo

test: deps ## everything: lint, unit tests, real PostgreSQL, foreign suites, the lab (root)
	@tests/run.sh

fuzz: deps ## every parser of foreign input, for an hour: make fuzz MINUTES=60
	@tests/fuzz/run --all $$(($(MINUTES) * 60))

# A seed or a transcript is one run: not worth a build with optimisation.
simulate: ## random acts on simulated clusters, for hours: make simulate HOURS=8; one again: SEED=17; transcripts anew: BLESS=1
ifneq ($(BLESS),)
	$(CARGO) test --locked --workspace --features packaging --test simulation -- --bless
else ifneq ($(SEED),)
	$(CARGO) test --locked --workspace --features packaging --test simulation -- $(if $(filter careful,$(PEOPLE)),--careful) --seed $(SEED)
else
	$(CARGO) test --locked --profile simulation --test simulation -- $(if $(filter careful,$(PEOPLE)),--careful) --seconds $$(($(HOURS) * 3600)) --from $(or $(FROM),1)
endif

model: ## every interleaving of a larger cluster with sync: make model NODES=4 COUNT=1 COMMITS=1 PROMOTIONS=1 MINUTES=60
	MODEL_NODES=$(or $(NODES),4) MODEL_COUNT=$(or $(COUNT),1) MODEL_COMMITS=$(or $(COMMITS),1) \
	MODEL_PROMOTIONS=$(or $(PROMOTIONS),1) MODEL_MINUTES=$(or $(MINUTES),60) $(CARGO) test --locked --profile simulation \
	--features packaging --lib a_larger_cluster -- --ignored --nocapture

image: deps build ## the node template of the lab: make image SUITE=trixie for Debian 13
	$(LAB) image --suite $(SUITE)

install: release ## what the package has, on this machine or below a directory: make install DESTDIR=… PREFIX=/usr
	@dist/install-files '$(DESTDIR)' '$(PREFIX)'

clean: ## remove what was built; the lab's image stays (quorate-lab image --remove removes it)
	$(CARGO) clean
	rm -rf $(REPORT)
