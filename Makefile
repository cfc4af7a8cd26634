# What a newcomer types: make demo, make test. Everything they need is set up on the way.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_READY := $(VENV)/.ready-for-the-demo

.PHONY: setup demo test check test-cluster lint format clean
.DELETE_ON_ERROR:

setup: $(READY)

# torch comes first: on a CPU machine that carries a local CPU build, pip finds it only by its exact version.
# onnxruntime-gpu comes last, over the CPU onnxruntime that insightface drags in: both own the same module.
$(READY): pyproject.toml constraints.txt
	@sh scripts/check_system.sh
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --force-reinstall --no-deps onnxruntime-gpu
	touch $(READY)

# The demo needs neither torch nor test tools; whoever has set up for tests has all of it already.
$(DEMO_READY): pyproject.toml constraints.txt
	@sh scripts/check_system.sh
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo]'
	touch $(DEMO_READY)

demo: $(if $(wildcard $(READY)),setup,$(DEMO_READY))
	$(BIN)/lp-ray demo output=demo_output

# Processes that share the tests out: as many as there are cores; 1: none beside the first.
JOBS ?= 2
PYTEST := PYTHONFAULTHANDLER=1 $(BIN)/python -m pytest $(if $(filter-out 1,$(JOBS)),-n $(JOBS) --dist loadgroup --no-loadscope-reorder)

test: setup lint
	$(PYTEST) $(ARGS)

# What to run before every commit: a few minutes, no Ray.
check: setup lint
	$(PYTEST) -m unit $(ARGS)

# Part of `make test`; on its own for those who work on the cluster side.
test-cluster: setup
	$(BIN)/python -m pytest tests/cluster tests/deploy

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf demo_output .pytest_cache .mypy_cache .ruff_cache build dist
