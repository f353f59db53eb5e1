# `make demo` and `make test` need nothing but Python 3.11+ and make: they set up .venv themselves.

PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
READY := $(VENV)/.ready
MODELS := build/models
# Tests and screenshots have no display.
export QT_QPA_PLATFORM ?= offscreen

.PHONY: demo test lint format models sample-data simulation-results clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[trainer,slicer,test]"
	$(BIN)/python -c "import pathlib; pathlib.Path('$(READY)').touch()"

demo: $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('build/demo', ignore_errors=True)"
	$(BIN)/acnet demo --output build/demo

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The shipped model, from nothing: simulate, train, judge. Each step is kept in build/models and not made again; an
# interrupted training goes on where it stopped.
models: $(MODELS)/acnet-simulated-1.5T/judged.json

$(MODELS)/training-1.5T/cases.csv: | $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('$(@D)', ignore_errors=True)"
	$(BIN)/acnet-train simulate --patients 2400 --field 1.5 --seed 1 --output $(@D)

$(MODELS)/judging-1.5T/cases.csv: | $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('$(@D)', ignore_errors=True)"
	$(BIN)/acnet-train simulate --patients 600 --field 1.5 --seed 2 --output $(@D)

$(MODELS)/acnet-simulated-1.5T/acnet-simulated-1.5T.safetensors: $(MODELS)/training-1.5T/cases.csv
	$(BIN)/acnet-train train $(<D) --recipe recommended --output $@

$(MODELS)/acnet-simulated-1.5T/judged.json: $(MODELS)/acnet-simulated-1.5T/acnet-simulated-1.5T.safetensors $(MODELS)/judging-1.5T/cases.csv
	$(BIN)/acnet-train evaluate $< $(MODELS)/judging-1.5T --output Documentation/results/acnet-simulated-1.5T.json \
		--save-model ACNetClassifier/Resources/Models/acnet-simulated-1.5T.safetensors
	$(BIN)/python -c "import shutil; shutil.copy('Documentation/results/acnet-simulated-1.5T.json', '$@')"

sample-data: $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('ACNetClassifier/Resources/SampleData', ignore_errors=True)"
	$(BIN)/acnet-train sample-data --output ACNetClassifier/Resources/SampleData

# How like real maps the simulated ones are: Documentation/simulation.md.
simulation-results: $(READY)
	$(BIN)/acnet-train validate-simulation --patients 400 --field 1.5 --output Documentation/results/simulation-1.5T.json
	$(BIN)/acnet-train validate-simulation --patients 400 --field 3 --output Documentation/results/simulation-3T.json

clean:
	$(PYTHON) -c "import shutil; [shutil.rmtree(p, ignore_errors=True) for p in ('build', '$(VENV)')]"
