# `make demo` and `make test` set up whatever they need.
PYTHON ?= python3
VENV_PYTHON := .venv/bin/python
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST

# Tests run side by side, each with one thread: more would only get into each other's way.
WORKERS ?= $(shell cores=$$(env -u OMP_NUM_THREADS nproc); echo $$((cores < 4 ? cores : 4)))
PYTEST = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(VENV_PYTHON) -m pytest --numprocesses $(WORKERS) \
	--dist loadgroup --no-loadscope-reorder

.PHONY: help setup demo demo-short test check lint test-numpy2 test-python test-kilted fuzz robustness faults soak redteam clean

help:  ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup:  ## build or refresh the environment in .venv
	@$(PYTHON) tools/setup_env.py

demo: setup  ## run the whole system on a synthetic scene; pictures in out/demo
	@.venv/bin/cooptrack demo

demo-short: setup  ## the same with two seconds of small images, and a check of what it leaves
	@.venv/bin/cooptrack demo --seconds 2 --size 480x270 --out out/demo-short
	@$(VENV_PYTHON) tools/check_demo.py out/demo-short

test: setup  ## run the tests on real ROS 2
	@$(PYTEST)

check: lint  ## what to run while working: lint, the parts without ROS that nodes use, messages, one node; under two minutes
	@$(PYTEST) test/unit/common test/unit/cooperation test/unit/sensors test/unit/tracking test/unit/wire test/node/test_ego_node.py

lint: setup  ## style, layers and docstrings
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) tools/lint_layers.py src/cooptrack_ros
	@$(VENV_PYTHON) -m pydocstyle --convention=pep257 --add-ignore=D105,D107,D203,D212,D402,D404 src/cooptrack_ros ros_standins tools

test-numpy2:  ## unit and node tests in a second environment with numpy 2
	@$(PYTHON) tools/setup_env.py --numpy2
	@$(PYTEST:.venv/%=.venv-numpy2/%) test/unit test/node

DISTRO ?= jazzy
PYTHON_VERSION = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
OTHER = .venv-$(DISTRO)-$(PYTHON_VERSION)
test-python:  ## all tests with another Python in an environment of its own: make test-python PYTHON=python3.12
	@$(PYTHON) tools/setup_env.py --distro $(DISTRO) --folder $(OTHER)
	@$(PYTEST:.venv/%=$(OTHER)/%)

test-kilted:  ## all tests on the wheels of ROS 2 Kilted in place of Jazzy; also with PYTHON=...
	@$(MAKE) --no-print-directory test-python DISTRO=kilted

ENTRY ?= codec
MINUTES ?= 15
fuzz: setup  ## fuzz one entry point: make fuzz ENTRY=codec MINUTES=15
	@$(VENV_PYTHON) -m pip install --quiet --requirement tools/requirements-fuzz.txt
	@PYTHONPATH=tools $(VENV_PYTHON) -m fuzz $(ENTRY) --minutes $(MINUTES)
	@PYTHONPATH=tools $(VENV_PYTHON) -m fuzz $(ENTRY) --report benchmarks/results/fuzz.json --document docs/reliability.md

SCENES ?= data/test
robustness: setup  ## the curves of loss, latency and noise on synthetic scenes; goes on where it was
	@.venv/bin/cooptrack synth $(SCENES) --seeds 20001-20005 --seconds 8
	@$(VENV_PYTHON) benchmarks/robustness.py --weights mini --data $(SCENES) --json benchmarks/results/robustness.json --pictures docs

faults: setup  ## cause faults in a live system and write the table of what happens (root, for the network and the disk)
	@$(VENV_PYTHON) -m pip install --quiet --requirement tools/requirements-fuzz.txt
	@$(VENV_PYTHON) tools/faults.py --json benchmarks/results/faults.json --document docs/reliability.md

soak: setup  ## an hour of replay with faults at random: make soak MINUTES=60
	@$(VENV_PYTHON) tools/soak.py --minutes $(MINUTES) --json benchmarks/results/soak.json --picture docs/soak.png

redteam: setup  ## attack a live ego node and let files unfold, and write the tables of what happens
	@PYTHONPATH=tools $(VENV_PYTHON) -m redteam --json benchmarks/results/redteam.json --document docs/security.md

clean:  ## remove the environment and everything built
	rm -rf .venv .venv-* build install log out
