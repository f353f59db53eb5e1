# `make demo` and `make test` need nothing but Python 3.11+ and make: they set up .venv themselves.

VENV := .venv
ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := $(VENV)/Scripts
else
PYTHON ?= python3
BIN := $(VENV)/bin
endif
READY := $(VENV)/.ready
MODELS := build/models
# Tests and screenshots have no display.
export QT_QPA_PLATFORM ?= offscreen

.PHONY: demo test test-quick lint mypy format docs models real-hearts volunteers mean-heart reading-order studies comparison comparison-kept comparison-paper comparison-tuning tables sample-data icon screenshots simulation-results abroad-results failures hospital validation fuzz kills benchmarks benchmarks-cuda clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[trainer,slicer,test]"
	$(BIN)/python -c "import pathlib; pathlib.Path('$(READY)').touch()"

demo: $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('build/demo', ignore_errors=True)"
	$(BIN)/acnet demo --output build/demo

# Two processes, each with one thread of PyTorch's; a test file stays in one of them, with what its tests share.
test: export OMP_NUM_THREADS := 1
test: $(READY)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# The tests of the Python files that were changed since the last commit: Testing/quick.py.
test-quick: export OMP_NUM_THREADS := 1
test-quick: $(READY)
	PYTHONPATH=Testing $(BIN)/python Testing/quick.py

lint: mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

mypy: $(READY)
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The documentation as a site, in build/site. A link that leads nowhere is an error.
DOCS_READY := $(VENV)/.docs
$(DOCS_READY): $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	$(BIN)/python -c "import pathlib; pathlib.Path('$(DOCS_READY)').touch()"

docs: $(DOCS_READY)
	$(BIN)/mkdocs build --strict --quiet

# The shipped models, from nothing: simulate, train, evaluate. Each step is kept in build/models and not made again; an
# interrupted training resumes where it stopped. One thread a process always adds in the same order, and
# `make -j2 models` trains two models side by side.
FIELDS := 1.5T 3T
SHIPPED := ACNetClassifier/Resources/Models
models: export OMP_NUM_THREADS := 1
models: $(FIELDS:%=$(MODELS)/judged-acnet-simulated-%.json)

.SECONDARY:

$(MODELS)/training-%/cases.csv: | $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('$(@D)', ignore_errors=True)"
	$(BIN)/acnet-train simulate --patients 1600 --field $(*:T=) --seed 1 --output $(@D)

# The same patients with the walls of other populations, thinner and thicker: what ACNet learns from, so that a thick wall
# alone tells it little. The localizer and the limits of the third answer have the walls as they were measured.
$(MODELS)/walls-%/cases.csv: | $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('$(@D)', ignore_errors=True)"
	$(BIN)/acnet-train simulate --patients 1600 --field $(*:T=) --seed 1 --varied-walls --output $(@D)

$(MODELS)/judging-%/cases.csv: | $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('$(@D)', ignore_errors=True)"
	$(BIN)/acnet-train simulate --patients 400 --field $(*:T=) --seed 2 --output $(@D)

# Patients of the second simulation, which no training knows: Documentation/abroad.md.
$(MODELS)/abroad-%/cases.csv: | $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('$(@D)', ignore_errors=True)"
	$(BIN)/acnet-train simulate-abroad --patients 200 --field $(*:T=) --seed 3 --scanner-factor 1 --output $(@D)

$(MODELS)/localizer-simulated.safetensors: $(FIELDS:%=$(MODELS)/training-%/cases.csv)
	$(BIN)/acnet-train train-localizer $(^D) --patients 500 --output $@

$(MODELS)/judged-localizer-simulated.json: $(MODELS)/localizer-simulated.safetensors \
		$(FIELDS:%=$(MODELS)/judging-%/cases.csv) $(FIELDS:%=$(MODELS)/abroad-%/cases.csv)
	$(BIN)/acnet-train evaluate-localizer $< $(FIELDS:%=$(MODELS)/judging-%) \
		--output Documentation/results/localizer-simulated.json --save-model $(SHIPPED)/localizer-simulated.safetensors
	$(BIN)/acnet-train evaluate-localizer $< $(FIELDS:%=$(MODELS)/abroad-%) \
		--output Documentation/results/localizer-simulated-abroad.json
	$(BIN)/python -c "import shutil; shutil.copy('Documentation/results/localizer-simulated.json', '$@')"

$(MODELS)/acnet-simulated-%.safetensors: $(MODELS)/walls-%/cases.csv
	$(BIN)/acnet-train train $(<D) --recipe simulated --output $@

# What is unlike the hearts of its training, the model learns after it; from where on, when the localizer is there.
$(MODELS)/outside/acnet-simulated-%.safetensors: $(MODELS)/acnet-simulated-%.safetensors \
		$(MODELS)/walls-%/cases.csv $(MODELS)/judging-%/cases.csv $(MODELS)/abroad-%/cases.csv
	$(BIN)/acnet-train fit-outside $< $(MODELS)/walls-$* --others $(MODELS)/judging-$* $(MODELS)/abroad-$* \
		--output Documentation/results/outside-$*.json --save-model $@

# With the shipped localizer: hence after it.
$(MODELS)/limits/acnet-simulated-%.safetensors: $(MODELS)/outside/acnet-simulated-%.safetensors \
		$(MODELS)/training-%/cases.csv $(MODELS)/judging-%/cases.csv $(MODELS)/abroad-%/cases.csv \
		$(MODELS)/judged-localizer-simulated.json
	$(BIN)/acnet-train outside-limits $< $(MODELS)/training-$* --others $(MODELS)/judging-$* $(MODELS)/abroad-$* \
		--patients 200 --output Documentation/results/outside-limits-$*.json --save-model $@

$(MODELS)/judged-acnet-simulated-%.json: $(MODELS)/limits/acnet-simulated-%.safetensors \
		$(MODELS)/judging-%/cases.csv $(MODELS)/abroad-%/cases.csv
	$(BIN)/acnet-train evaluate $< $(MODELS)/judging-$* --training-cases $(MODELS)/walls-$* \
		--output Documentation/results/acnet-simulated-$*.json --save-model $(SHIPPED)/acnet-simulated-$*.safetensors
	$(BIN)/acnet-train evaluate $< $(MODELS)/abroad-$* --training-cases $(MODELS)/walls-$* \
		--output Documentation/results/acnet-simulated-$*-abroad.json
	$(BIN)/python -c "import shutil; shutil.copy('Documentation/results/acnet-simulated-$*.json', '$@')"

# Every goal of the overlay, the third answer and the facts, and what is reached: Documentation/validation.md. The models'
# cards get what is measured of attention and coverage. Some hours on two cores.
validation: $(FIELDS:%=validation-%)
	$(BIN)/python Documentation/tables.py

# The recipe with other seeds, and without the teaching of attention.
OTHER_SEEDS := seed-2 seed-3
$(MODELS)/variants-%/untaught.safetensors: $(MODELS)/walls-%/cases.csv
	$(BIN)/python Testing/benchmarks/attention_seeds.py $(<D) $(@D)

DISEASES_ABROAD := hcm infarct rv
$(MODELS)/abroad-hcm-% $(MODELS)/abroad-infarct-% $(MODELS)/abroad-rv-%: | $(READY)
	$(foreach disease,$(DISEASES_ABROAD),$(BIN)/acnet-train simulate-abroad --patients 40 --field $(*:T=) --seed 36 \
		--scanner-factor 1 --disease $(disease) --output $(MODELS)/abroad-$(disease)-$* &&) true

BESIDE = --other-seeds $(OTHER_SEEDS:%=$(MODELS)/variants-$*/%.safetensors) --untaught $(MODELS)/variants-$*/untaught.safetensors
validation-%: $(MODELS)/judging-%/cases.csv $(MODELS)/abroad-%/cases.csv \
		$(MODELS)/abroad-hcm-% $(MODELS)/abroad-infarct-% $(MODELS)/abroad-rv-% $(MODELS)/variants-%/untaught.safetensors
	$(BIN)/acnet-train attention acnet-simulated-$* $(MODELS)/judging-$* $(BESIDE) \
		--output Documentation/results/attention-$*.json
	$(BIN)/acnet-train attention acnet-simulated-$* $(MODELS)/abroad-$* $(BESIDE) \
		--output Documentation/results/attention-$*-abroad.json --save-model $(SHIPPED)/acnet-simulated-$*.safetensors
	$(BIN)/acnet-train explanations acnet-simulated-$* $(MODELS)/abroad-$* --patients 20 \
		--output Documentation/results/explanations-$*-abroad.json
	$(BIN)/acnet-train third-answer acnet-simulated-$* $(MODELS)/judging-$* --patients 60 \
		--output Documentation/results/third-answer-$*.json
	$(BIN)/acnet-train third-answer acnet-simulated-$* $(MODELS)/abroad-$* --patients 60 \
		--others $(DISEASES_ABROAD:%=$(MODELS)/abroad-%-$*) --output Documentation/results/third-answer-$*-abroad.json
	$(BIN)/acnet-train coverage acnet-simulated-$* $(MODELS)/judging-$* --abroad $(MODELS)/abroad-$* \
		--output Documentation/results/coverage-$*.json --save-model $(SHIPPED)/acnet-simulated-$*.safetensors
	$(BIN)/acnet-train facts $(SHIPPED)/localizer-simulated.safetensors $(MODELS)/judging-$* --patients 60 \
		--output Documentation/results/facts-$*.json
	$(BIN)/acnet-train facts $(SHIPPED)/localizer-simulated.safetensors $(MODELS)/abroad-$* --patients 60 \
		--output Documentation/results/facts-$*-abroad.json
	$(BIN)/acnet-train quality --patients 24 --field $(*:T=) --output Documentation/results/quality-$*.json

# What the reading list is worth: Documentation/triage.md.
reading-order: $(FIELDS:%=reading-order-%)

reading-order-%: $(MODELS)/judging-%/cases.csv $(MODELS)/abroad-%/cases.csv
	$(BIN)/acnet-train reading-order acnet-simulated-$* $(MODELS)/judging-$* \
		--output Documentation/results/reading-order-$*.json
	$(BIN)/acnet-train reading-order acnet-simulated-$* $(MODELS)/abroad-$* \
		--output Documentation/results/reading-order-$*-abroad.json

# What the shipped models say of diseases that they were not trained on, and of poor image quality.
studies: $(FIELDS:%=studies-%)

studies-%: $(READY)
	$(BIN)/acnet-train other-diseases acnet-simulated-$* --patients 60 --output Documentation/results/other-diseases-$*.json
	$(BIN)/acnet-train robustness acnet-simulated-$* --output Documentation/results/robustness-$*.json \
		--figure Documentation/images/robustness-$*.png

# Normal hearts of the mean shape of 1,093 real ones: Documentation/abroad.md says where its mesh is from.
MESH := build/Both_ED_mean.vtk
mean-heart: $(FIELDS:%=$(MODELS)/mean-heart-%/cases.csv)
	$(BIN)/acnet-train evaluate-localizer $(SHIPPED)/localizer-simulated.safetensors $(FIELDS:%=$(MODELS)/mean-heart-%) \
		--output Documentation/results/localizer-simulated-mean-heart.json
	$(foreach field,$(FIELDS),$(BIN)/acnet-train evaluate acnet-simulated-$(field) $(MODELS)/mean-heart-$(field) \
		--output Documentation/results/acnet-simulated-$(field)-mean-heart.json &&) true

$(MODELS)/mean-heart-%/cases.csv: | $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('$(@D)', ignore_errors=True)"
	$(BIN)/acnet-train simulate-abroad --patients 120 --field $(*:T=) --seed 31 --scanner-factor 1 --mesh $(MESH) \
		--output $(@D)

# Left ventricles that readers traced on real hearts, in simulated scans: Documentation/abroad.md. Look at the picture.
OUTLINES := Documentation/real-hearts/sunnybrook.csv
real-hearts: $(READY)
	$(BIN)/acnet-train abroad-sheet --field 3 --seed 41 --outlines $(OUTLINES) --output Documentation/images/real-hearts.webp
	$(foreach field,$(FIELDS),$(BIN)/acnet-train real-hearts acnet-simulated-$(field) $(OUTLINES) \
		--output Documentation/results/real-hearts-$(field).json &&) true

# Left ventricles of volunteers, put together again from a shape model that is not ours to hand on: Documentation/abroad.md.
PCATOOL := build/PCATool
volunteers: $(READY)
	$(BIN)/python Documentation/trace_volunteers.py $(PCATOOL) build/volunteers.csv
	$(foreach field,$(FIELDS),$(BIN)/acnet-train real-hearts acnet-simulated-$(field) build/volunteers.csv --scans 1 \
		--together --seed 43 --output Documentation/results/volunteers-$(field).json &&) true

# The comparison of the networks: Documentation/comparison.md. An interrupted one resumes; what is done of it is kept in
# Documentation/results/comparison by `make comparison-kept` at any time, and taken up from there by another checkout.
COHORTS := build/comparison-cases
KEEP_COMPARISON := $(BIN)/python Documentation/keep_comparison.py
COMPARED := build/comparison
FIVE := residual-attention-56 vgg16 resnet101 resnet50 acnet
VARIANTS := acnet-without-attention acnet-mask-only acnet-one-module acnet-untaught
HONEST := --slices 485 --epochs 10
SEEDS := 1 2 3
TEST_PATIENTS := 500
# In full: make comparison HONEST="--slices 485 --epochs 20" TEST_PATIENTS=1000, after make
# comparison-tuning and without cohorts of fewer patients in build/comparison-cases.
TUNED := $(wildcard Documentation/results/comparison/tuning/tuned.json)
PAPER := --epochs 6

$(COHORTS)/training/cases.csv: | $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('$(@D)', ignore_errors=True)"
	$(BIN)/acnet-train simulate --patients 400 --field 1.5 --seed 11 --output $(@D)

$(COHORTS)/development/cases.csv: | $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('$(@D)', ignore_errors=True)"
	$(BIN)/acnet-train simulate --patients 200 --field 1.5 --seed 12 --output $(@D)

$(COHORTS)/at-home/cases.csv: | $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('$(@D)', ignore_errors=True)"
	$(BIN)/acnet-train simulate --patients $(TEST_PATIENTS) --field 1.5 --seed 13 --output $(@D)

$(COHORTS)/abroad/cases.csv: | $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('$(@D)', ignore_errors=True)"
	$(BIN)/acnet-train simulate-abroad --patients $(TEST_PATIENTS) --field 1.5 --seed 14 --scanner-factor 1 --output $(@D)

# Before the comparison, or not at all: every network's learning rate.
comparison-tuning: $(COHORTS)/training/cases.csv $(COHORTS)/development/cases.csv
	$(KEEP_COMPARISON) resume
	$(BIN)/acnet-train compare-tune $(COHORTS)/training --networks $(FIVE) $(HONEST) \
		--validation-cases $(COHORTS)/development --output $(COMPARED)/tuning
	$(KEEP_COMPARISON)

comparison: $(COHORTS)/training/cases.csv $(COHORTS)/at-home/cases.csv $(COHORTS)/abroad/cases.csv
	$(KEEP_COMPARISON) resume
	$(BIN)/acnet-train compare $(COHORTS)/training --protocol honest --networks $(FIVE) $(VARIANTS) $(HONEST) \
		--seeds $(SEEDS) $(addprefix --tuning ,$(TUNED)) \
		--test-cases $(COHORTS)/at-home $(COHORTS)/abroad --output $(COMPARED)/honest
	$(KEEP_COMPARISON)

# The paper's two experiments, with their leaks.
comparison-paper: $(COHORTS)/training/cases.csv
	$(KEEP_COMPARISON) resume
	$(BIN)/acnet-train compare $(COHORTS)/training --protocol paper-1 --networks $(FIVE) $(PAPER) --output $(COMPARED)/paper-1
	$(BIN)/acnet-train compare $(COHORTS)/training --protocol paper-2 --networks $(FIVE) $(PAPER) --output $(COMPARED)/paper-2
	$(KEEP_COMPARISON)

comparison-kept: $(READY)
	$(KEEP_COMPARISON)

sample-data: $(READY)
	$(BIN)/python -c "import shutil; shutil.rmtree('ACNetClassifier/Resources/SampleData', ignore_errors=True)"
	$(BIN)/acnet-train sample-data --output ACNetClassifier/Resources/SampleData \
		--thumbnails ACNetClassifier/Resources/Icons
	$(BIN)/python -c "import shutil; shutil.rmtree('ACNetTrainer/Resources/SampleCases', ignore_errors=True)"
	$(BIN)/acnet-train sample-cases --output ACNetTrainer/Resources/SampleCases

# The extension's icon, from the drawing of the classifier module's.
icon: $(READY)
	$(BIN)/python Documentation/icon.py

# Pictures of the panel and the views for the documentation. Look at them.
screenshots: $(READY)
	PYTHONPATH=Testing $(BIN)/python Documentation/screenshots.py

# The tables of the README and the documentation, from the results.
tables: $(READY)
	$(BIN)/python Documentation/tables.py

# How like real maps the simulated ones are: Documentation/simulation.md.
simulation-results: $(READY)
	$(BIN)/acnet-train validate-simulation --patients 400 --field 1.5 --output Documentation/results/simulation-1.5T.json
	$(BIN)/acnet-train validate-simulation --patients 400 --field 3 --output Documentation/results/simulation-3T.json

# What the shipped models get wrong on patients of the second simulation, and who gets the third answer there:
# Documentation/localizer.md, Documentation/other-diseases.md. Look at them.
failures: $(MODELS)/abroad-3T/cases.csv $(MODELS)/abroad-hcm-3T $(MODELS)/abroad-rv-3T
	$(BIN)/python Documentation/failures.py $(MODELS)/abroad-3T Documentation/images/failures.webp
	$(BIN)/python Documentation/unlike_hearts.py Documentation/images/unlike-hearts.webp \
		$(MODELS)/abroad-hcm-3T $(MODELS)/abroad-rv-3T

# A hospital's export becomes a reading list: Documentation/triage.md.
hospital: $(READY)
	$(BIN)/python Documentation/hospital.py build/hospital

# Patients of the second simulation: Documentation/abroad.md. Look at the picture.
abroad-results: $(READY)
	$(BIN)/acnet-train validate-abroad --field 1.5 --output Documentation/results/abroad-1.5T.json
	$(BIN)/acnet-train validate-abroad --field 3 --output Documentation/results/abroad-3T.json
	$(BIN)/acnet-train abroad-sheet --field 3 --output Documentation/images/abroad-slices.webp

# Commands that are killed at any moment: Documentation/reliability.md. Some hours on two cores.
kills: $(READY)
	PYTHONPATH=Testing $(BIN)/python Testing/kills.py --kills 30 --seed 1 --table Documentation/reliability.md

# Damaged files for every reader, and the table of Documentation/reliability.md. About ten minutes.
fuzz: $(READY)
	PYTHONPATH=Testing $(BIN)/python Testing/fuzz.py --inputs 10000 --seed 1 --page

# What is fast and what is not, beside another checkout: Documentation/performance.md. Ten minutes or more for the list of
# 1000 studies; the numbers mean something where nobody else uses the machine. `make benchmarks BASELINE=../older`, and
# BASELINE_PYTHON where it needs other packages.
BASELINE_PYTHON ?= $(BIN)/python
BENCHMARK := $(BIN)/python Testing/benchmarks
RESULTS := Documentation/results
benchmarks: $(READY)
	$(BENCHMARK)/classify.py $(BASELINE) --python $(BASELINE_PYTHON) --output $(RESULTS)/performance-classify.json
	$(BENCHMARK)/networks.py --inference --output $(RESULTS)/performance-networks.json
	$(BENCHMARK)/triage.py --older $(BASELINE) --python $(BASELINE_PYTHON) --output $(RESULTS)/performance-triage.json

# The same on a GPU, under five minutes; skipped with a reason where there is none.
benchmarks-cuda: $(READY)
	$(BIN)/python -m pytest -q -m cuda Testing/gpu
	$(BENCHMARK)/gpu.py --output $(RESULTS)/performance-cuda.json

clean:
	$(PYTHON) -c "import shutil; [shutil.rmtree(p, ignore_errors=True) for p in ('build', '$(VENV)')]"
