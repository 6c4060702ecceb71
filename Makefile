# make demo        the first walk: digits, from its baseline to verified steps, in under three minutes
# make test        the tests, in under fifteen minutes on two cores
# make calibrate   the long simulations of the decision's error rates, power and coverage
# make bench       the speed claims, each against its peer
# make docs        docs/benchmarks.md, from the figures that make calibrate and make bench measured

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT := out
# The data that tests and benchmarks may read; they skip what needs it where it is absent.
test calibrate bench: export SUREFOOT_DATA ?= $(abspath ../shared/data)

.PHONY: demo test lint calibrate bench docs clean browser

demo: $(VENV)/.installed
	$(BIN)/surefoot run examples/digits.yaml
	$(BIN)/surefoot report digits

test: $(VENV)/.installed-test browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src/surefoot
	$(BIN)/python -m pytest -m "not calibration"

calibrate: $(VENV)/.installed-test
	mkdir -p $(OUT)
	$(BIN)/python benchmarks/error_rates.py --json $(OUT)/error_rates.json
	$(BIN)/python benchmarks/power.py --json $(OUT)/power.json
	$(BIN)/python benchmarks/coverage.py --json $(OUT)/coverage.json
	$(BIN)/python benchmarks/landscapes.py --json $(OUT)/landscapes.json
	$(BIN)/python -m pytest -m calibration

bench: $(VENV)/.installed-test
	mkdir -p $(OUT)
	$(BIN)/python benchmarks/training.py --json $(OUT)/training.json
	$(BIN)/python benchmarks/recording.py --json $(OUT)/recording.json
	$(BIN)/python benchmarks/startup.py --json $(OUT)/startup.json

docs: $(VENV)/.installed-test
	$(BIN)/python benchmarks/table.py $(OUT) docs/benchmarks.md

# torch comes first and by its exact pin: a machine that offers a CPU build of that version gives it,
# and nothing installed later may replace it.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "surefoot needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[torch]'
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --requirement tests/requirements.txt
	touch $@

# The report is opened in a real browser; where the machine can install one, it does.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null \
	|| (command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium >/dev/null) \
	|| echo "no Chromium here: the tests that open the report will be skipped"

clean:
	rm -rf $(VENV) $(OUT) build src/*.egg-info
