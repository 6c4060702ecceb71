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

.PHONY: demo test calibrate bench docs clean

demo: $(VENV)/.installed
	$(BIN)/surefoot run examples/digits.yaml
	$(BIN)/surefoot report digits

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src/surefoot
	$(BIN)/python -m pytest

# A target that is missed fails the whole, but not before all are measured.
define measure
	mkdir -p $(OUT)
	status=0; for name in $(1); do $(BIN)/python benchmarks/$$name.py --json $(OUT)/$$name.json || status=1; done; exit $$status
endef

calibrate: $(VENV)/.installed-test
	$(call measure,error_rates power coverage landscapes importance_errors diagnosis)

bench: $(VENV)/.installed-test
	$(call measure,training cifar10 recording sweeping proposing startup demo promotion regret refining importance analyzing command_start exporting diagnosing)

docs: $(VENV)/.installed-test
	$(BIN)/python benchmarks/table.py $(OUT) docs/benchmarks.md
	$(BIN)/python docs/readme.py >/dev/null

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

clean:
	rm -rf $(VENV) $(OUT) build src/*.egg-info
