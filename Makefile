# Every target sets up what it needs in .venv; only make and Python 3.11 to 3.13 are assumed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Folder with the data; bench, model and notebook need it. docs/reproduce.md says what it must hold.
DATA ?=
# ImageNet weights: a file, or imagenet for Keras' cache and download
WEIGHTS ?= $(firstword $(if $(DATA),$(wildcard $(DATA)/weights/models/mobilenet_v2_*.h5)) imagenet)
# Folder of images NAME.png with outlined lesions NAME_mask.png, for the card that `model` writes
OUTLINES ?=

# Files stay whole on a worker, for their fixtures, and begin in the order that tests/conftest.py gives.
# Bytecode is kept even where the environment says otherwise: tests start many processes of tumorscope.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test coverage test-oldest check bench fuzz model notebook clean need-sources need-navoneel need-outlines

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.train  ## the main job end to end, offline after installation
	$(BIN)/tumorscope demo -o tumorscope-demo

test: $(VENV)/.dev  ## run the tests (COVERAGE=1 also measures what they reach; pyproject.toml says the least)
	$(PYTEST) $(if $(COVERAGE),-p tests.fixtures.reached)

coverage:  ## make test COVERAGE=1
	$(MAKE) test COVERAGE=1

test-oldest:  ## run the tests on the lowest versions that pyproject.toml allows
	PYTHON=$(PYTHON) .ci/oldest

check: $(VENV)/.dev  ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: need-navoneel $(VENV)/.dev  ## time tumorscope beside Keras (DATA=…); writes benchmarks/results/
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/install_size.py
	$(BIN)/python benchmarks/batch_memory.py --model src/tumorscope/models/default.onnx
	$(BIN)/python benchmarks/detection.py --data "$(DATA)/navoneel_253" --keras
	$(BIN)/python benchmarks/training.py --data "$(DATA)/navoneel_253" --weights "$(WEIGHTS)"

model: need-sources need-outlines $(VENV)/.dev  ## train the packaged model anew (DATA=… [OUTLINES=…]) and compare
	$(BIN)/python -m packaged_model.build --data "$(DATA)" --weights "$(WEIGHTS)" -o model \
		$(if $(OUTLINES),--outlines "$(OUTLINES)")

fuzz: $(VENV)/.dev  ## damage files at random for SECONDS (600); findings are kept in fuzz-findings/
	$(BIN)/python benchmarks/fuzz.py --seconds $(or $(SECONDS),600) -o fuzz-findings

notebook: need-navoneel $(VENV)/.dev  ## execute the paper's notebook on the real data (DATA=…)
	TUMORSCOPE_NOTEBOOK_DATA="$(DATA)/navoneel_253" \
		$(if $(wildcard $(DATA)/weights/models),KERAS_HOME="$(DATA)/weights") \
		$(BIN)/python notebooks/execute.py notebooks/the_paper.ipynb

clean:  ## remove what the other targets made
	rm -rf $(VENV) .venv-oldest tumorscope-demo model .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# Before anything is installed: is DATA what the target needs?
RECEIVED = DATA is $(if $(DATA),$(DATA),not set)

need-navoneel:
	@test -n "$(DATA)" -a -d "$(DATA)/navoneel_253" || { echo "$(RECEIVED). Expected a folder that holds" \
		"navoneel_253/yes and navoneel_253/no, the paper's public data set of 253 images. Get it with" \
		"'tumorscope download data/navoneel_253' or from Kaggle, and give make DATA=data." >&2; exit 2; }

need-sources:
	@test -n "$(DATA)" -a -d "$(DATA)" || { echo "$(RECEIVED). Expected the folder with your copies of" \
		"the data sources: a manifest.csv with path, label, group and source, or one folder per source" \
		"with class folders in it. docs/data-sources.md lists the sources. Collect them, and give make" \
		"DATA=FOLDER." >&2; exit 2; }

need-outlines:
	@test -z "$(OUTLINES)" -o -d "$(OUTLINES)" || { echo "OUTLINES is $(OUTLINES), which is no folder." \
		"Expected a folder of images NAME.png and masks NAME_mask.png. Give that, or leave OUTLINES" \
		"out." >&2; exit 2; }

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2> /dev/null || \
		{ echo "$(PYTHON) is missing or of another version. Expected Python 3.11, 3.12 or 3.13, because" \
		"TensorFlow runs on these. Name one: make PYTHON=python3.13 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[train]"
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.train
