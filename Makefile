# Every task of the project, for people and for CI. `make` lists them. Needs Python 3.11 or newer, Rust (cargo) and make;
# the rest is fetched into .venv, target and TOOLS (below).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements-dev.txt
# One abi3 wheel serves these; the full tests run on the interpreter of .venv, a smoke test on the others.
PYTHONS := 3.11 3.12 3.13
# What to do where one of them is missing or a test is skipped: warn, or (in CI) fail.
export EPCORE_GAPS ?= warn
# Cargo's tools that no package manager of Python has are compiled once for each user and version.
TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/epcore
CARGO_DENY := $(TOOLS)/cargo-deny-0.20.2/bin/cargo-deny
CARGO_LLVM_COV := $(TOOLS)/cargo-llvm-cov-0.9.1/bin/cargo-llvm-cov
FUZZ_SECONDS ?= 60
# Flags for each call of cargo that builds; CI sets --locked.
CARGO_FLAGS ?=
# One interpreter for all builds, so that none of them makes another's build stale.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

SOURCES := $(wildcard Cargo.toml Cargo.lock pyproject.toml README.md LICENSE) \
  $(shell find rust python -type f -not -name '*.pyc' -not -path '*/target/*')
# A program around Kubernetes' own library, which tests compare with.
UPSTREAM := tests/upstream/upstream
# Turns of the paths that are meant to be fast, whose instructions are counted.
HOT_PATHS := target/release/examples/hot_paths
LINTED := python tests examples $(if $(wildcard benches/*.py),benches)

.PHONY: help venv build test test-rust test-stubs test-smoke test-python lint deny fmt bench bench-readers fuzz bench-controller instructions coverage demo compare lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(VENV)/.tools ## Make .venv and install the pinned tools of the developers in it

build: $(VENV)/.wheel ## Build the release wheel into dist/ and install it in .venv, if a source changed

test: $(VENV)/.tools build $(UPSTREAM) $(VENV)/.programs $(VENV)/.kubernetes $(HOT_PATHS) test-rust test-stubs test-smoke test-python ## Run every test: Rust, stubs, each supported Python
	@missing=$$(.ci/find-python --missing $(PYTHONS)); \
	[ -z "$$missing" ] || echo "WARNING: Python $${missing}was not found on this machine; the wheel was NOT tested on it."

test-rust: | cargo-is-there ## Run the tests of the Rust core, its documentation included
	cargo test $(CARGO_FLAGS) --package epcore

test-stubs: $(VENV)/.tools build ## Compare the type stubs with the native module
	$(BIN)/stubtest epcore._epcore --mypy-config-file pyproject.toml --allowlist .ci/stubtest-allowlist --concise

test-smoke: $(VENV)/.tools build ## Run tests/test_smoke.py on every supported Python but that of .venv
	@.ci/smoke $(PYTHONS)

# Those of the cluster by themselves: API servers and controllers look at the clock. The others run on all processors.
test-python: $(VENV)/.tools build $(UPSTREAM) $(VENV)/.programs $(VENV)/.kubernetes $(HOT_PATHS) ## Run the Python tests; EPCORE_PROFILE=deep makes Hypothesis try harder
	$(BIN)/pytest tests/cluster
	$(BIN)/pytest --ignore=tests/cluster --numprocesses=auto --dist=loadfile

lint: $(VENV)/.tools build deny test-stubs ## Check format, lints, types, stubs, docs, and the licences of what is linked
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --workspace --all-targets -- --deny warnings
	for crate in fuzz benches/json-readers; do \
	  cargo update --quiet --workspace --locked --manifest-path $$crate/Cargo.toml || exit; done
	RUSTDOCFLAGS="--deny warnings" cargo doc $(CARGO_FLAGS) --no-deps --package epcore
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/ruff check $(LINTED)
	$(BIN)/mypy $(filter-out examples,$(LINTED))
	.ci/go vet -C tests/upstream ./...

deny: $(CARGO_DENY) ## Check licences, sources and versions of the crates
	$(CARGO_DENY) --log-level error check bans licenses sources

fmt: $(VENV)/.tools ## Format the code and mend what lints can mend by themselves
	cargo fmt --all
	$(BIN)/ruff check --fix-only $(LINTED)
	$(BIN)/ruff format $(LINTED)

bench: $(VENV)/.tools build $(UPSTREAM) ## Run the benchmarks beside their peers and write docs/benchmarks.md (QUICK=1: a trial into out/)
	@mkdir -p out
	@rm -rf target/criterion
	$(if $(QUICK),EPCORE_BENCH=quick) cargo bench $(CARGO_FLAGS) --package epcore --bench rows -- --quiet
	$(if $(QUICK),EPCORE_BENCH=quick) $(BIN)/pytest -c benches/pytest.ini benches --quiet \
	  --benchmark-json=out/benchmarks.json --benchmark-columns=min,rounds
	$(BIN)/python benches/report.py out/benchmarks.json target/criterion $(if $(QUICK),out,docs)/benchmarks.md

bench-readers: | cargo-is-there ## Compare readers of JSON: the tables of docs/json-readers.md
	cargo run --release --locked --manifest-path benches/json-readers/Cargo.toml

bench-controller: $(VENV)/.tools build ## Tell what a controller costs, by the size of its cluster: the table of docs/controller.md
	$(BIN)/python benches/controller_size.py

fuzz: | cargo-is-there ## Fuzz the readers against each other, FUZZ_SECONDS for each format
	@.ci/fuzz $(FUZZ_SECONDS)

instructions: $(VENV)/.tools $(VENV)/.programs $(HOT_PATHS) ## Count the instructions of the hot paths anew: tests/instructions.json
	$(BIN)/python tests/test_instructions.py

coverage: $(VENV)/.tools $(UPSTREAM) $(CARGO_LLVM_COV) ## Tell which lines no test reaches, of Rust (both test suites) and Python
	@.ci/coverage $(CARGO_LLVM_COV)

demo: build ## Replay the recordings in examples/, simulate three loads; write out/replay.html and out/simulate.html
	@mkdir -p out
	$(BIN)/epcore replay examples/*.jsonl.xz --html out/replay.html
	$(BIN)/epcore simulate rolling-update node-drain flapping --policy lifecycle --html out/simulate.html

compare: $(VENV)/.tools build $(VENV)/.kubernetes ## Run epcore's controller beside Kubernetes' own and write docs/controller-comparison.md (ten minutes)
	$(BIN)/python tests/cluster/compare.py docs/controller-comparison.md

lock: $(BIN)/python ## Resolve the pinned versions of requirements-dev.txt anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group dev --extra cli --extra controller --universal --python-version 3.11 --upgrade \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" --quiet --output-file $(LOCK)

clean: ## Remove everything that was built, .venv included
	rm -rf target dist out .venv* .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks

$(UPSTREAM): $(filter-out $(UPSTREAM),$(wildcard tests/upstream/*)) | $(VENV)/.tools
	@echo "Building tests/upstream (two minutes the first time: it is Kubernetes' own library)"
	.ci/go build -C tests/upstream -o upstream .

$(HOT_PATHS): Cargo.toml Cargo.lock $(shell find rust/epcore -name '*.rs') | cargo-is-there
	@echo "Building the hot paths whose instructions are counted (a minute)"
	cargo build $(CARGO_FLAGS) --release --package epcore --example hot_paths
	@touch $@

.PHONY: cargo-is-there
cargo-is-there:
	@command -v cargo >/dev/null || { echo "cargo was not found on PATH: epcore's core is Rust 1.91 or newer." >&2; exit 1; }

$(BIN)/python:
	@python=$${PYTHON:-$$(.ci/find-python)}; echo "Making $(VENV) with $$python"; "$$python" -m venv --clear $(VENV) || { \
	  echo "This Python makes no virtual environments (on Debian: apt install python3-venv)." >&2; exit 1; }

# What a user needs: the builder, the wheel, the libraries of the command line. The time of a demo is spent here.
$(VENV)/.wheel: $(LOCK) $(SOURCES) | $(BIN)/python cargo-is-there
	@echo "Building the release wheel (a minute or two the first time)"
	$(BIN)/python -m pip install --quiet --constraint $(LOCK) maturin
	@rm -rf dist
	$(BIN)/maturin build --release --out dist $(CARGO_FLAGS)
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps dist/*.whl
	$(BIN)/python -m pip install --quiet --constraint $(LOCK) "$$(echo dist/*.whl)[cli]"
	@touch $@

$(VENV)/.tools: $(LOCK) | $(BIN)/python
	@echo "Installing the pinned tools into $(VENV) (half a minute the first time)"
	$(BIN)/python -m pip install --quiet --requirement $(LOCK)
	@touch $@

$(VENV)/.programs: .ci/programs | $(BIN)/python
	@echo "Fetching HAProxy, NGINX, promtool and Valgrind for the tests that drive them"
	.ci/programs
	@touch $@

$(VENV)/.kubernetes: .ci/kubernetes tests/cluster/programs/go.mod | $(VENV)/.tools
	@.ci/kubernetes "$(TOOLS)"
	@touch $@

# A debug build: it compiles in half the time and runs for seconds.
$(TOOLS)/cargo-%: | cargo-is-there
	@name=$(patsubst $(TOOLS)/%/bin/,%,$(dir $@)); crate=$${name%-*}; echo "Compiling $$crate $${name##*-} (once, about a minute)"; \
	CARGO_PROFILE_DEV_DEBUG=0 cargo install --locked --debug --quiet --root "$(TOOLS)/$$name" "$$crate@$${name##*-}"
