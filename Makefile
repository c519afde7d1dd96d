# Two commands: `make demo` and `make test`. Both do all the set-up they need, in .venv, without root.
#   make demo ARGS="--once --json"     passes arguments on
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
SHARED := ../shared/data
DATA := $(if $(findstring --data,$(ARGS)),,$(if $(wildcard $(SHARED)),--data $(SHARED)))

.PHONY: demo test lint fix unit coverage crash bench lock clean

demo: .venv/ready
	@$(BIN)/headwaters demo $(DATA) $(ARGS)

test: .venv/ready lint unit

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: .venv/ready
	$(BIN)/pytest -n 2 --dist loadgroup $(ARGS)

# The same with branch coverage, which takes a good third longer.
coverage: .venv/ready
	$(BIN)/pytest -n 2 --dist loadgroup --cov --cov-report=term:skip-covered $(ARGS)

# Every round of crashing and killing, some ten minutes; ARGS="-k witness" plays a part.
crash: .venv/ready
	CRASH_ROUNDS=full $(BIN)/pytest tests/crash $(ARGS)
	HEADWATERS_KILL_ROUNDS=60 $(BIN)/pytest -s tests/story/test_kill.py

fix: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Figures beside the plain limit of the same run; benchmarks/ says what each one means.
bench: .venv/ready
	@$(BIN)/python -m benchmarks $(ARGS)

# Hashes without addresses, for every platform and Python 3.11 or later.
lock: .venv/ready
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --extra dev pyproject.toml -o .ci/requirements.txt

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage

.venv/ready: .ci/requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "需要 Python 3.11 或更高版本 / Python 3.11 or later is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "正在安装到 .venv(一次性) / installing into .venv, once …" >&2
	@$(PYTHON) -m venv .venv >&2
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r .ci/requirements.txt >&2
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
	@$(BIN)/python -m compileall -q contracts audit policies nodes exchange >&2
	@touch $@
