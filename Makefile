# Everything a fresh machine needs: Python 3.11+, git, make, the package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo test lint types bench bench-scale bench-scoring bench-requests lock clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.done ## virtual environment with pinned dependencies and the package

$(VENV)/.done: requirements.lock requirements-torch.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-torch.lock 2>/dev/null || echo "no CPU build of PyTorch at hand: the tests that need it will be skipped"
	touch $@

demo: setup ## run the main job on M-DEMO
	$(BIN)/massie run m-demo --adapter lexicon

test: setup lint types ## lint, types and the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: setup ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## pyright, strict
	$(BIN)/pyright

bench: setup ## the benchmarks, whose figures the README quotes
	$(BIN)/python -m tests.benchmarks

bench-scale: setup ## builds of 1, 4 and 17 million samples: time, memory (some minutes, 3 GB of disk)
	$(BIN)/python -m tests.benchmarks.scale

bench-scoring: setup ## scores, replicates and comparisons, beside their peers (some ten minutes, 2 GB of disk)
	$(BIN)/python -m tests.benchmarks.scoring
	$(BIN)/python -m tests.benchmarks.peers
	$(BIN)/python -m tests.benchmarks.replicates
	$(BIN)/python -m tests.benchmarks.comparing

bench-requests: setup ## requests to a null server, beside the official client (LM_EVAL=PATH: and lm-evaluation-harness)
	$(BIN)/python -m tests.benchmarks.requests

lock: ## renew requirements.lock (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --no-emit-index-url --generate-hashes --quiet --output-file requirements.lock --custom-compile-command "make lock" --no-annotate

clean: ## remove what was made here
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
