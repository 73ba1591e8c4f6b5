# `make run` and `make test` do all the set-up: a virtual environment in $(VENV), nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# More options of pip's and of the tests', as continuous integration has them.
PIP_OPTIONS ?=
TEST_OPTIONS ?=
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_OPTIONS)
# The experiments that tell the story: the papers' numbers, what is left of them in a whole model, prices of netlists. The
# first has its pictures within seconds; then the longest.
STORY = bitnet_table1 full_model_vs_size full_model_measured context_sweep model_size_curve papers_with_measured_prices \
  full_model_components memory_footprint loss_vs_energy b158_mac_energy measured_vs_table
QUICK = tests/energy_models tests/experiments tests/reports tests/rtl/test_config.py tests/rtl/test_encodings.py \
  tests/rtl/test_packing.py tests/bitjoule/test_wrong_input.py

.PHONY: run test quick slow lint types contracts gallery docs docs-numbers release benchmark mutants mutants-sample clean

run: $(VENV)/.rtl
	$(BIN)/bitjoule run $(STORY)
	$(BIN)/bitjoule rtl generate tiny_8x4 -o results/tiny_8x4.v
	$(BIN)/bitjoule rtl verify tiny_8x4

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist worksteal $(TEST_OPTIONS)

# While you work: within a minute, what most changes break.
quick: lint types
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'not slow and not dear' $(QUICK)

# All that there is; of what is dear and many of a kind, `make test` runs a sample.
slow: $(VENV)/.fpga $(VENV)/.docs
	$(BIN)/python -m pytest -n auto --dist worksteal -m ''

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy
	$(BIN)/mypy benchmarks/*.py

contracts: $(VENV)/.dev
	$(BIN)/lint-imports --no-cache  # a cache outlives modules that come later

# The committed tables and pictures of all shipped experiments; a test fails when a table differs from a fresh run. The
# last digits of sums depend on how many threads BLAS has: one, as in the tests. Those on
# netlists take minutes each; `make gallery ONLY="roofline rtl_token"` makes some anew.
ONLY = $(sort $(notdir $(basename $(wildcard experiments/shipped/*/*.yaml))))
gallery: export OMP_NUM_THREADS = 1
gallery: export OPENBLAS_NUM_THREADS = 1
gallery: $(VENV)/.dev
	rm -rf build/gallery $(addprefix reports/gallery/,$(ONLY))
	$(BIN)/bitjoule run $(ONLY) --out build/gallery
	for name in $(ONLY); do mkdir -p reports/gallery/$$name && cd build/gallery/$$name && \
	  cp summary.md summary.csv $$(ls published.csv dram.csv steady.csv accuracies.csv pareto.csv laws.csv equal_loss.csv *.png 2>/dev/null) ../../../reports/gallery/$$name && \
	  { [ $$name != headline ] || cp results.csv ../../../reports/gallery/headline; } && cd ../../.. || exit 1; done

# The numbers of README.md and docs/, from the committed tables; a test fails when one is stale.
docs-numbers: $(VENV)/.dev
	$(BIN)/python benchmarks/headline.py
	$(BIN)/python benchmarks/boards.py
	$(BIN)/python benchmarks/measured_machines.py
	$(BIN)/python benchmarks/terms.py
	$(BIN)/python -m tests.docs.numbers

# The documentation as a site, in build/site; it opens without a server.
docs: $(VENV)/.docs
	$(BIN)/mkdocs build --quiet
	$(BIN)/bitjoule explorer -o build/site/explorer.html

# What a release uploads, in build/dist: built alone, checked, installed into an empty environment, and run there.
release:
	rm -rf build/dist build/release && $(PYTHON) -m venv build/release/tools && $(PYTHON) -m venv build/release/empty
	build/release/tools/bin/python -m pip install --quiet --disable-pip-version-check build twine
	build/release/tools/bin/python -m build --outdir build/dist
	build/release/tools/bin/python -m twine check --strict build/dist/*
	build/release/empty/bin/python -m pip install --quiet --disable-pip-version-check build/dist/*.whl
	cd build/release && empty/bin/bitjoule run full_model_vs_size --quiet && empty/bin/bitjoule report results -o report.html

benchmark: $(VENV)/.dev
	$(BIN)/python benchmarks/sweep.py
	$(BIN)/python benchmarks/system.py
	$(BIN)/python benchmarks/assumptions.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/simulation.py
	$(BIN)/python benchmarks/hardware.py --config benchmarks/configs/*.yaml rtl/configs/decode_64x5.yaml

# Faults put into the code by a seed, and which of them no test sees. The sample starts no fault after a minute; so few
# faults tell 80 % from 95 % only.
SEED = 14
mutants: $(VENV)/.dev
	$(BIN)/python -m tests.mutation.run --sample 400 --seed $(SEED)

mutants-sample: $(VENV)/.dev
	$(BIN)/python -m tests.mutation.run --sample 40 --seed $(SEED) --budget 20 --limit 60 --goal 0.8

clean:
	rm -rf $(VENV) build *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "bitjoule needs Python >= 3.11; set PYTHON=python3.x"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) -e .
	touch $@

$(VENV)/.rtl: pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) -e '.[rtl]'
	touch $@ $(VENV)/.core

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) -e '.[docs]'
	touch $@ $(VENV)/.core

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) -e '.[dev,interop]'
	touch $@ $(VENV)/.rtl $(VENV)/.core

# What places on FPGAs is large, and few tests need it.
$(VENV)/.fpga: pyproject.toml | $(VENV)/.dev
	$(PIP_INSTALL) -e '.[dev,interop,fpga]'
	touch $@
