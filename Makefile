# Every target sets up what it needs in .venv; only make and Python 3.11+ are assumed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
# ImageNet weights: Keras' cache and download, or a file
WEIGHTS ?= $(firstword $(wildcard $(DATA)/weights/models/mobilenet_v2_*.h5) imagenet)

.DEFAULT_GOAL := help
.PHONY: help demo test check bench model notebook clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.train  ## the main job end to end, offline after installation
	$(BIN)/tumorscope demo -o tumorscope-demo

test: $(VENV)/.dev  ## run the tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: $(VENV)/.dev  ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## time detection and training against Keras; writes benchmarks/results/
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/install_size.py
	$(BIN)/python benchmarks/detection.py
	$(BIN)/python benchmarks/training.py --data $(DATA)/navoneel_253 --weights $(DATA)/weights

model: $(VENV)/.dev  ## rebuild the packaged model from DATA (about an hour); compares with it
	$(BIN)/python benchmarks/reference.py --data $(DATA) --weights $(WEIGHTS) -o model

notebook: $(VENV)/.dev  ## execute the paper's notebook on the real data
	TUMORSCOPE_NOTEBOOK_DATA=$(DATA)/navoneel_253 KERAS_HOME=$(DATA)/weights \
		$(BIN)/python notebooks/execute.py notebooks/the_paper.ipynb

clean:  ## remove what the other targets made
	rm -rf $(VENV) tumorscope-demo model .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "tumorscope needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[train]"
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.train
