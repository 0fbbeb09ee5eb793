# `make help` lists what there is. PYTHON may name any Python from 3.11 to 3.13.
.DEFAULT_GOAL := help
PYTHON ?= python3
ENV := .venv
DEMO_ENV := .venv-demo
QUIET = $(shell test -t 2 || echo --quiet)  # progress bars on a terminal only
SOURCES := beetsplug resonance_engine training demo benchmarks
CORPUS ?= $(HOME)/.cache/resonance-corpus

# Of training on your own music: `make chain MUSIC=~/Music`, or each step by itself.
CONFIG ?= config/base.yaml
OPTIONS ?=
SEARCH ?=
SETTINGS = --config $(CONFIG) $(if $(MUSIC),--set "data.root=$(MUSIC)") $(OPTIONS)
AUDIO ?= $(shell find "$(patsubst ~/%,$(HOME)/%,$(MUSIC))" -name "*.flac" -o -name "*.mp3" -o -name "*.ogg" -o -name "*.opus" 2>/dev/null | sort | head -1)

# Cached bytecode halves the start of every `beet` that the tests and the demo run.
unexport PYTHONDONTWRITEBYTECODE

# The allocator is told to keep large blocks: batches come and go, and giving their pages back each time takes two
# thirds of the training time.
ALLOCATOR := MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=17179869184

# Tests write in memory where there is room: a disk that is busy elsewhere can hold up a single sync for minutes.
ROOM = $(shell df --output=avail /dev/shm 2>/dev/null | tail -1)
ifeq ($(shell test "$(or $(ROOM),0)" -gt 8000000 && echo yes),yes)
test test-rest test-all test-slow test-corpus test-runtime: export TMPDIR = /dev/shm
endif

.PHONY: help demo readme test test-rest test-all test-slow test-corpus test-runtime audit lint format quality bench
.PHONY: chain precompute search_proxy refine evaluate export onnx_eval index query
.PHONY: corpus material laundered model learning_curve clean

help:  ## list the targets
	@sed -n 's/^\([a-z_-]*\):.*  ## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "%-15s %s\n", $$1, $$2 }'

demo: $(DEMO_ENV)/ready  ## make a small library, import it, find neighbours, make a playlist; MUSIC=~/Music takes yours
	$(DEMO_ENV)/bin/python -m demo.run $(if $(MUSIC),--music "$(MUSIC)")

readme: $(DEMO_ENV)/ready  ## run the README's examples in the demo's library, write their outputs and pictures anew
	$(DEMO_ENV)/bin/python -m demo.readme

test: $(ENV)/ready  ## what to run before every commit
	$(ENV)/bin/python -m pytest -n 2 --dist loadfile

test-rest: $(ENV)/ready  ## what `make test` leaves out: the real beet, a browser, benchmarks, the demo, the making of models
	$(ENV)/bin/python -m pytest -n 2 --dist loadfile -m "rest and not slow"

test-all: $(ENV)/ready  ## both
	$(ENV)/bin/python -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: $(ENV)/ready  ## what takes minutes
	$(ENV)/bin/python -m pytest -m slow

test-corpus: $(ENV)/ready  ## run every option of similar and playlist on forty of the soundtracks' tracks (after `make corpus`)
	RESONANCE_CORPUS=$(abspath $(CORPUS)) $(ENV)/bin/python -m pytest -m slow tests/e2e/test_corpus.py tests/e2e/test_corpus_playlists.py

test-runtime: $(ENV)-runtime/ready  ## run the tests that need no training extra (any supported Python)
	$(ENV)-runtime/bin/python -m pytest -n 2 --dist loadfile -m "not slow and not torch"

audit: $(ENV)/ready  ## known vulnerabilities, broken requirements and licences of what is installed
	$(ENV)/bin/python .ci/audit.py

lint: $(ENV)/ready  ## style, format and types
	$(ENV)/bin/ruff check .
	$(ENV)/bin/ruff format --check .
	$(ENV)/bin/mypy

format: $(ENV)/ready  ## put the code into the format
	$(ENV)/bin/ruff check --fix .
	$(ENV)/bin/ruff format .

quality: $(ENV)/ready  ## sizes, complexity, dead code, duplicates
	@echo "files: $$(git ls-files '*.py' | wc -l), lines: $$(git ls-files '*.py' | xargs cat | wc -l)"
	@echo "files over 300 lines:"; git ls-files '*.py' | xargs wc -l | awk '$$2 != "total" && $$1 > 300'
	@echo "functions with a complexity over 10:"; $(ENV)/bin/radon cc -n C -s $(SOURCES)
	@echo "dead code:"; $(ENV)/bin/vulture
	@echo "duplicates:"; $(ENV)/bin/pylint --disable=all --enable=duplicate-code --score=no --min-similarity-lines=8 $(SOURCES)

bench: $(ENV)/ready  ## time the front end, the index, content keys, the start of beet and queries
	$(ENV)/bin/python -m benchmarks.features
	$(ENV)/bin/python -m benchmarks.index
	$(ENV)/bin/python -m benchmarks.content_key
	$(ENV)/bin/python -m benchmarks.startup
	$(ENV)/bin/python -m benchmarks.similar
	$(ENV)/bin/python -m benchmarks.feature_cache

chain: precompute search_proxy refine evaluate onnx_eval index query  ## train on your own music: MUSIC=~/Music

precompute: $(ENV)/ready  ## measure all songs, keep their features
	$(ENV)/bin/python -m training.precompute $(SETTINGS)

search_proxy: $(ENV)/ready  ## try settings in short trainings; SEARCH="--trials 10" and the like
	$(ALLOCATOR) $(ENV)/bin/python -m training.search $(SETTINGS) $(SEARCH)

refine: $(ENV)/ready  ## train the best of them in full
	$(ALLOCATOR) $(ENV)/bin/python -m training.refine $(SETTINGS) --topn $(or $(TOPN),5)

evaluate: $(ENV)/ready  ## how good the winner is on songs that it was not trained on
	$(ENV)/bin/python -m training.evaluate $(SETTINGS)

export: $(ENV)/ready  ## write it as ONNX
	$(ENV)/bin/python -m training.export --formats onnx

onnx_eval: export  ## compare that with PyTorch, in numbers and speed
	$(ENV)/bin/python -m training.onnx_eval --timeit --runs 50 --batch 1

index: $(ENV)/ready  ## make a catalog of the music
	$(ENV)/bin/python -m training.index_build $(SETTINGS) --load export

query: $(ENV)/ready  ## what sounds like AUDIO=song.mp3 in it
	$(ENV)/bin/python -m training.query --audio "$(AUDIO)" --load export --topk 5

corpus: $(ENV)/ready  ## fetch the soundtracks that the shipped model learns from (Debian; 3.7 GB)
	$(ENV)/bin/python -m training.default_model.corpus $(CORPUS)

material: $(ENV)/ready  ## fetch further music, to learn from in experiments (Debian; ffmpeg and fluidsynth for modules and scores)
	$(ENV)/bin/python -m training.default_model.material $(CORPUS)

laundered: corpus  ## copy each of them with a codec, level, tilt and start of its own (a quarter of an hour)
	OMP_NUM_THREADS=1 $(ENV)/bin/python -m training.default_model.laundering $(CORPUS)

# One thread, so that sums come in the same order everywhere.
model: laundered  ## make the shipped model again, and those of its five folds
	OMP_NUM_THREADS=1 $(ALLOCATOR) $(ENV)/bin/python -m training.default_model $(CORPUS)

learning_curve: corpus  ## what training and fine-tuning bring on the soundtracks
	OMP_NUM_THREADS=1 $(ALLOCATOR) $(ENV)/bin/python -m benchmarks.learning_curve $(CORPUS)

clean:  ## delete the environments, the demo and builds
	rm -rf $(ENV) $(ENV)-runtime $(DEMO_ENV) .demo build dist

$(DEMO_ENV)/ready: pyproject.toml
	@echo "Installing Resonance into $(DEMO_ENV) ..."
	@$(PYTHON) -m venv $(DEMO_ENV)
	@$(DEMO_ENV)/bin/python -m pip install $(QUIET) -e .
	touch $@

$(ENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(ENV)
	$(ENV)/bin/python -m pip install --quiet -c constraints.txt torch
	$(ENV)/bin/python -m pip install --quiet -c constraints.txt -e '.[train,dev]'
	touch $@

$(ENV)-runtime/ready: pyproject.toml
	$(PYTHON) -m venv $(ENV)-runtime
	$(ENV)-runtime/bin/python -m pip install --quiet -e '.[test]'
	touch $@
