# Works from a clean clone with Python 3.10 to 3.12 and make: the environment is made when it is missing or out of date.
PYTHON ?= python3
VENV ?= .venv
# Where there is no NVIDIA driver, the CPU build of torch is a tenth of the download.
TORCH ?= $(if $(shell nvidia-smi -L 2>/dev/null),cuda,cpu)
BIN := $(VENV)/bin

# A sourced ROS installation would be mixed with the pinned wheels in the environment.
unexport PYTHONPATH AMENT_PREFIX_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE

.PHONY: demo test check format test-gpu coverage docs bench clean

demo: $(VENV)/.run       ; $(BIN)/ineus demo --out out/demo
test: $(VENV)/.dev       ; $(BIN)/python -m pytest $(ARGS)
check: $(VENV)/.dev      ; $(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy
format: $(VENV)/.dev     ; $(BIN)/ruff check --fix && $(BIN)/ruff format && $(BIN)/python tests/support/tree.py && $(BIN)/ineus config --ros > config/default.yaml
test-gpu: $(VENV)/.dev   ; $(BIN)/python -m pytest -m gpu --require-gpu $(ARGS)
# Compiled code (Triton, numba) and other processes are not seen by it.
coverage: $(VENV)/.dev   ; $(BIN)/coverage run -m pytest $(ARGS) && $(BIN)/coverage report && $(BIN)/coverage html
docs: $(VENV)/.docs      ; $(BIN)/python docs/reference.py --out build/docs
bench: $(VENV)/.run      ; $(BIN)/ineus bench $(ARGS)
clean:                   ; rm -rf $(VENV) build dist install log *.egg-info

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 10) <= v < (3, 13) else "ineus needs Python 3.10 to 3.12, this is %d.%d; use: make PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: $(VENV)/.python setup.py setup.cfg package.xml requirements/$(TORCH).txt requirements/ros.txt
	$(BIN)/pip install --retries 2 --no-deps --requirement requirements/$(TORCH).txt
	$(BIN)/pip install --requirement requirements/ros.txt --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(BIN)/pip install --requirement requirements/dev.txt
	touch $@

$(VENV)/.docs: $(VENV)/.run requirements/docs.txt
	$(BIN)/pip install --requirement requirements/docs.txt
	touch $@
