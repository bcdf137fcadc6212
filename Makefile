# Builds, packages, tests and shows stint. "make help" lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all
export PATH := $(PATH):$(HOME)/.cargo/bin
export CARGO_TERM_COLOR ?= auto

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
RELEASE := $(TARGET)/release
MODULE_DIR ?= $(patsubst %/,%,$(dir $(firstword $(wildcard \
	/usr/lib/*/security/pam_unix.so /usr/lib64/security/pam_unix.so \
	/usr/lib/security/pam_unix.so /lib/security/pam_unix.so))))
DESTDIR ?=

# The module and stint-run are built apart from the rest: built together they would share the
# features of their dependencies, and carry an async runtime into a setuid program. The module has a
# profile of its own, for it needs no standard library.
MODULE := --package stint-pam
RUN := --package stint-run
REST := --workspace --exclude stint-pam

# The package that was built last.
DEB = $$(cat $(TARGET)/debian/newest)

.NOTPARALLEL:
.PHONY: all build deb rpm deps test test-quick test-hosts faults lint bench demo install \
	uninstall clean help

all: build ## build the programs (the same as: make build)

build: ## build stint, stintd, stint-sync, stint-run and pam_stint.so in release mode
	tests/prepare.sh build
	cargo build --profile module --locked $(MODULE)
	cargo build --release --locked $(RUN)
	cargo build --release --locked --package stintd --package stint
	cargo build --release --locked --package stint-sync
	install -m 0644 "$(TARGET)/module/libpam_stint.so" "$(RELEASE)/"

deb: ## build the Debian package
	tests/prepare.sh build
	built=$$(packaging/deb/build.sh); \
	tail -n 1 <<<"$$built" >$(TARGET)/debian/newest
	@echo "$(DEB)"

rpm: ## build the RPM package
	tests/prepare.sh build rpm
	packaging/rpm/build.sh

deps: ## install what building and testing need, from Debian's packages (as root)
	tests/prepare.sh build hosts browser lint

test: deps test-quick deb lint test-hosts ## everything that CI runs (as root)
	@echo "make test: all passed"

test-quick: ## formatting, lints, and the tests that need neither root nor hosts
	tests/prepare.sh build
	cargo fmt --all --check
	cargo clippy --locked $(MODULE) --all-targets -- -D warnings
	cargo clippy --locked $(MODULE) --profile module -- -D warnings
	cargo clippy --locked $(REST) --all-targets --all-features -- -D warnings
	if PATH="$(TARGET)/tools/bin:$$PATH" cargo deny --version >/dev/null 2>&1; then \
		PATH="$(TARGET)/tools/bin:$$PATH" cargo deny --locked --offline check bans licenses sources; \
	else \
		echo "cargo-deny is not installed: licences and bans are not checked"; \
	fi
	cargo test --locked $(MODULE)
	cargo test --locked $(REST)

lint: ## check the package that was built last with lintian
	lintian --fail-on error,warning "$(DEB)"

test-hosts: ## the tests on booted Debian 12 and 13, with the package built last; some: ONLY="word word" (as root)
	tests/prepare.sh build hosts browser
	test -f "$(DEB)" || { echo "no package yet: make deb"; exit 1; }
	tests/hosts.sh "$(DEB)" $(ONLY)

faults: ## kill stintd at every call that changes something, and fail each one: all, for hours (as root)
	tests/prepare.sh build hosts
	$(MAKE) deb
	STINT_FAULTS="$${STINT_FAULTS:-all}" STINT_TEST_DEB="$(DEB)" \
		cargo test --locked --package stint-tests --features hosts --test hosts -- \
		--nocapture --test-threads=2 faults:: edits:: hung::

bench: ## measure stint beside its alternatives on a booted host (as root)
	tests/prepare.sh build hosts bench
	$(MAKE) deb
	STINT_TEST_DEB="$(DEB)" cargo run --release --locked --package stint-tests --bin bench

demo: ## install what the build needs, build, and play the main job on a throw-away host (as root)
	tests/prepare.sh build hosts
	$(MAKE) deb
	STINT_TEST_DEB="$(DEB)" cargo run --quiet --locked --package stint-tests --bin demo

install: build ## install from source, below DESTDIR (as root; on Debian rather install the package)
	test -n "$(MODULE_DIR)" || { echo "no folder of PAM modules found: give MODULE_DIR=..."; exit 1; }
	packaging/stage.sh "$(DESTDIR)/" "$(RELEASE)" "$(MODULE_DIR)"
	if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then \
		systemd-sysusers stint.conf; \
		systemd-tmpfiles --create stint.conf; \
		journalctl --update-catalog; \
		systemctl daemon-reload; \
		systemctl reload dbus; \
		systemctl enable --now stintd.socket stintd.service stint-sweep.path; \
		systemctl enable stint-sweep.service; \
		systemctl enable --now stint-sync.service; \
	fi

uninstall: ## take an installation from source off again: gates off, grants ended; keeps /etc/stint
	test -n "$(MODULE_DIR)" || { echo "no folder of PAM modules found: give MODULE_DIR=..."; exit 1; }
	if [ -z "$(DESTDIR)" ]; then \
		if [ -d /run/systemd/system ]; then systemctl disable \
			stintd.socket stintd.service stint-sweep.path stint-sweep.service \
			stint-metrics.timer stint-sync.service; fi; \
		sh packaging/deb/prerm remove; \
	fi
	staged=$$(mktemp -d); \
	trap 'rm -rf "$$staged"' EXIT; \
	packaging/stage.sh "$$staged" "$(RELEASE)" "$(MODULE_DIR)"; \
	(cd "$$staged" && find . -type f ! -path './etc/*' -printf '%P\0') | \
		while IFS= read -r -d '' file; do rm -f "$(DESTDIR)/$$file"; done
	if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then \
		systemctl --runtime unmask stintd.socket stintd.service \
			stint-sweep.path stint-sweep.timer stint-sweep.service \
			stint-metrics.timer stint-metrics.service stint-sync.service; \
		systemctl daemon-reload; \
	fi

clean: ## remove what was built; the images of test hosts stay
	cargo clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
