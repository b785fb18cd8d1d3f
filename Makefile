# countersign: `make run` and `make test` set up everything they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
N ?= 200
# Of the tests: one more than there are processors, as many of them wait for processes and devices.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# Compiled modules are kept: half of the tests start a process, and each would compile the program anew.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

# Ledger's emulator, in an environment of its own, only where an app to run in it is named.
SPECULOS_VENV := .venv-speculos
SPECULOS := $(if $(COUNTERSIGN_SPECULOS_ETH_APP)$(COUNTERSIGN_SPECULOS_SOL_APP),.setup-speculos)

.PHONY: run test check bench crash slow screenshots pictures lock clean

run: .setup-run
	$(BIN)/countersign

check: .setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: .setup-dev .setup-system .setup-chain $(SPECULOS)
	$(BIN)/python -m compileall -q app signers strategies storage
	PATH="$(CURDIR)/$(SPECULOS_VENV)/bin:$$PATH" $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

bench: .setup-dev .setup-system .setup-chain
	$(BIN)/python -m tests.benchmarks

# The pictures in the README, of the real terminal on the real engine.
screenshots: .setup-dev .setup-chain
	$(BIN)/python -m tests.tui.screenshots docs

# What the terminal's pictures in tests/tui/__snapshots__ show now: read the difference before it is committed.
pictures: .setup-dev
	$(BIN)/python -m pytest -n auto tests/tui/test_pictures.py tests/tui/test_pictures_confirm.py \
		tests/tui/test_pictures_troubles.py --snapshot-update

# The tests where disk, nodes and threads are slow: what relies on being quick fails here first.
slow: .setup-dev .setup-system .setup-chain
	$(BIN)/python -m pytest -n 4 --dist worksteal -p tests.slow

crash: .setup-dev .setup-system
	$(BIN)/python -m tests.crash --kills $(N)

# Hashes of everything that is installed; no index host is named. To be run after a change of dependencies.
lock: .setup-dev
	$(BIN)/pip-compile $(LOCK_FLAGS) -o requirements.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK_FLAGS) --extra dev -o requirements-dev.lock pyproject.toml
	printf 'hatchling\neditables\n' | $(BIN)/pip-compile $(LOCK_FLAGS) -o build.lock -
LOCK_FLAGS := --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	--strip-extras --allow-unsafe --no-header

$(VENV):
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is %d.%d" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

.setup-run: requirements.lock build.lock pyproject.toml | $(VENV)
	@echo "Installing what countersign needs into $(VENV), once: a minute or two."
	$(PIP) --require-hashes -r requirements.lock -r build.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.setup-dev: requirements-dev.lock build.lock pyproject.toml | $(VENV)
	@echo "Installing what the tests need into $(VENV), once: a minute or two."
	$(PIP) --require-hashes -r requirements-dev.lock -r build.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch .setup-run $@

# Debian packages for tests only (kill points, a real terminal, a real keyring). Where they can not be had, those tests skip by name.
.setup-system:
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		command -v strace >/dev/null && command -v tmux >/dev/null && command -v gnome-keyring-daemon >/dev/null && command -v dbus-run-session >/dev/null || \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			strace tmux gnome-keyring dbus >/dev/null; } || true; \
	fi
	@touch $@

# The practice chain's parts: npm packages. Where they can not be had, the next make tries again and the tests skip by name.
CHAIN := app/practice/chain
CHAIN_FILES := $(CHAIN)/package.json $(CHAIN)/package-lock.json $(CHAIN)/.npmrc
# Of Optimism's 128 MB one source file is needed: the one that holds Permit2.
UNUSED := node_modules/@eth-optimism/contracts-bedrock/forge-artifacts
.setup-chain: $(CHAIN_FILES)
	@if ! command -v npm >/dev/null; then echo "npm is not installed: no practice chain."; \
	elif mkdir -p .chain && cp $(CHAIN_FILES) .chain/ && echo "Installing the practice chain into .chain, once: a few seconds." && \
		(cd .chain && npm ci --silent --fetch-retries=1 --ignore-scripts --no-audit --no-fund && rm -rf $(UNUSED)); then touch $@; \
	else echo "The practice chain's npm packages can not be had: no practice chain."; fi

.setup-speculos:
	$(PYTHON) -m venv $(SPECULOS_VENV)
	$(SPECULOS_VENV)/bin/pip install --quiet --disable-pip-version-check speculos==0.27.1
	@command -v qemu-arm-static >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends qemu-user-static >/dev/null; } || true
	@touch $@

clean:
	rm -rf $(VENV) $(SPECULOS_VENV) .chain .setup-run .setup-dev .setup-system .setup-speculos .setup-chain
