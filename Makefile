# Everything that a person types; `make help` lists it. The work is in tests/run.sh and quorate-lab.

SHELL       := /bin/sh
CARGO       ?= cargo
DESTDIR     ?=
PREFIX      ?= /usr
AGENT_DIR   := $(PREFIX)/lib/ocf/resource.d/quorate
AGENT_BIN   := target/release/quorate-agent
LAB         := target/debug/quorate-lab
SUITE       ?= bookworm
REPORT      ?= report

.DEFAULT_GOAL := help
.PHONY: help deps build release lint test demo image install clean

help: ## this list
	@echo 'quorate: PostgreSQL that stays available, on Pacemaker and Corosync'
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install what is missing on this host (apt, as root); nothing missing, nothing done
	@dist/install-deps

build: ## the agent and the lab, unoptimised
	$(CARGO) build --locked --features lab --bins --examples

release: ## the agent as a node gets it: small, tuned for start-up
	$(CARGO) build --locked --release --bin quorate-agent

lint: ## rustfmt and clippy, warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --features lab -- -D warnings

demo: deps build release ## a real cluster on this machine; its primary is killed, then powered off (root)
	@$(LAB) demo --agent-binary $(AGENT_BIN)

test: deps ## everything: lint, unit tests, real PostgreSQL, foreign suites, the lab (root)
	@tests/run.sh

image: deps build ## the node template of the lab: make image SUITE=trixie for Debian 13
	$(LAB) image --suite $(SUITE)

install: release ## the agent where Pacemaker looks for it: make install DESTDIR=…
	install -D -m 0755 $(AGENT_BIN) $(DESTDIR)$(AGENT_DIR)/postgres

clean: ## remove what was built; the lab's image stays (quorate-lab image --remove removes it)
	$(CARGO) clean
	rm -rf $(REPORT)
