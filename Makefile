# `make demo` and `make test` set up whatever they need.
PYTHON ?= python3
VENV_PYTHON := .venv/bin/python
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST

.PHONY: help setup demo test lint test-numpy2 clean

help:  ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup:  ## build or refresh the environment in .venv
	@$(PYTHON) tools/setup_env.py

demo: setup  ## run the whole system on a synthetic town; pictures in out/demo
	@.venv/bin/cooptrack demo

test: setup  ## run the tests on real ROS 2
	@$(VENV_PYTHON) -m pytest

lint: setup  ## style, layers and docstrings
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) tools/lint_layers.py src/cooptrack_ros
	@$(VENV_PYTHON) -m pydocstyle --convention=pep257 --add-ignore=D105,D107,D203,D212,D402,D404 src/cooptrack_ros ros_standins tools

test-numpy2:  ## unit and node tests in a second environment with numpy 2
	@$(PYTHON) tools/setup_env.py --numpy2
	@.venv-numpy2/bin/python -m pytest test/unit test/node

clean:  ## remove the environment and everything built
	rm -rf .venv .venv-numpy2 build install log out
