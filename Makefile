# Everything a developer or a stranger needs; `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := check
.PHONY: check demo test lint format types docs bench bench-quick bench-scaling bench-search bench-reading bench-nights fuzz nights notebook pictures sbom test-sdk test-real torture coverage mutants help clean

check: lint types docs test ## what CI runs: lint, types, docs, test

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "exporter needs Python 3.11 or later: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## set everything up and back up sample conversations from the embedded sandbox
	$(BIN)/python samples/demo.py

test: $(STAMP) ## set up and run the tests (TESTS=pattern picks some)
	$(BIN)/python -m pytest $(if $(TESTS),-k '$(TESTS)')

lint: $(STAMP) ## ruff: rules and format; licences and known holes of what we are built from
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tests.supply licences
	$(BIN)/python -m tests.supply holes

format: $(STAMP) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

docs: $(STAMP) ## docs/cli.md is what --help says (make docs WRITE=1 writes it)
	$(BIN)/python -m exporter.cli.reference $(if $(WRITE),--write,--check) docs/cli.md

bench: $(STAMP) ## what backups and tables cost beside what users write instead (DLT=PYTHON: an interpreter that has dlt)
	$(BIN)/python -m tests.bench $(if $(DLT),--dlt $(DLT)) --write docs/benchmarks.md

bench-quick: $(STAMP) ## the ratios of that in about a minute
	$(BIN)/python -m tests.bench --quick

bench-scaling: $(STAMP) ## cost per message and per thread, from little to much, as a plot
	$(BIN)/python -m tests.bench.scaling --write docs/img/scaling.png

bench-search: $(STAMP) ## the index of words beside SQLite's: size, CPU, latency
	$(BIN)/python -m tests.bench_search

bench-reading: $(STAMP) ## SQL, search and the viewer over five million messages (FOLDER=... keeps the archive)
	$(BIN)/python -m tests.bench_reading $(if $(FOLDER),--folder $(FOLDER))

fuzz: $(STAMP) ## feed every parser of outside bytes with what may come, for ten CPU minutes (SECONDS=60: less)
	$(BIN)/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS))

bench-nights: $(STAMP) ## a night over a million registered threads: start, memory, catalog, CPU (THREADS=100000: fewer)
	$(BIN)/python -m tests.bench_nights $(if $(THREADS),--threads $(THREADS))

demo-archive: | $(STAMP)
	rm -rf $@.part
	$(BIN)/python samples/make_archive.py $@.part
	mv $@.part $@

notebook: $(STAMP) $(if $(EXPORTER_ARCHIVE),,demo-archive) ## JupyterLab with the notebooks of samples/ (EXPORTER_ARCHIVE=... or a sample archive)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[lab]'
	EXPORTER_ARCHIVE=$(abspath $(or $(EXPORTER_ARCHIVE),demo-archive)) $(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --ip 127.0.0.1 --notebook-dir samples

pictures: $(STAMP) ## the pictures of the documents, from the sample archive (MAKERS=name picks some)
	$(BIN)/python -m tests.pictures $(MAKERS)

sbom: $(STAMP) ## sbom.json: what an installation holds, as CycloneDX
	$(BIN)/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible -o sbom.json

torture: $(STAMP) ## a thousand crashes at random writes (SEED=n: other ones; SECONDS=60: as many as fit)
	$(BIN)/python -m tests.torture $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS))

coverage: $(STAMP) ## which branches the tests take, and where the others are; fails below 95 in 100
	$(BIN)/coverage erase
	-$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutants: $(STAMP) ## change paging, archive and retention in one place after the other: does a test notice? (SHARE=100: all)
	$(BIN)/python -m tests.mutants $(if $(SHARE),--share $(SHARE)) $(ROOMS)

test-sdk: $(STAMP) ## OpenAI's own SDK tests against our sandbox
	$(BIN)/python tests/sdk_suite.py

nights: $(STAMP) ## simulated nights: requests, freshness and losses of the schedule against other policies
	$(BIN)/python -m tests.nights

test-real: $(STAMP) ## back up a real third-party server (OGX; Python 3.12, about 300 MB)
	$(BIN)/python tests/real_ogx.py --write docs/real-server.md

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
