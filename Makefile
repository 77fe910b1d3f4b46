# make demo       install what is missing, build the demo, say where the video is
# make build      build what params.yaml asks for
# make test       the same installation; style, types and tests by one command
# make soak       the heavy tests: whole builds, kills, full disks, servers, other machines, many faces
# make up         start a Prefect server with its page, the deployments and a worker; make down ends them
# make new-show DIR=../myshow   a project of your own, without the demo's people
# make clean      drop what can be made again at no great cost: training states, servers' databases, tools' caches

PYTHON_WANTED := 3.11 3.12
VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/ready
SHELL := /bin/bash

export DO_NOT_TRACK := 1
export DVC_NO_ANALYTICS := 1
export NO_ALBUMENTATIONS_UPDATE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo build test soak up down new-show install clean

demo: $(READY)
	@$(PY) -m trust.keys init --if-missing
	@echo "== Building the demo: 12 minutes the first time on 2 cores with AVX-512, longer without, most of it training =="
	@$(PY) -m flows.build
	@echo "== Done =="
	@echo "video:  data/convert/demo.mp4"
	@echo "report: data/evaluate/demo/report.html"

build: $(READY)
	@$(PY) -m flows.build

up: $(READY)
	@$(PY) -m flows.up

down: $(READY)
	@$(PY) -m flows.up --down

test: $(READY)
	@test -d tests || { echo "this project has no tests: they stay in the one that it was made from" >&2; exit 2; }
	@echo "== Style, types and tests: 4 to 9 minutes on 2 cores =="
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(PY) -m pytest -q --numprocesses 2 --dist loadfile -m "not heavy"

soak: $(READY)
	@test -d tests || { echo "this project has no tests: they stay in the one that it was made from" >&2; exit 2; }
	@echo "== Heavy tests, with whole builds, servers, kills, full disks and other machines: 15 to 30 minutes on 2 cores =="
	$(PY) -m pytest -q --numprocesses 2 --dist loadfile -m heavy

# `make new-show ../myshow` works as well: the words after new-show are no targets then.
ifeq (new-show,$(firstword $(MAKECMDGOALS)))
DIR ?= $(word 2,$(MAKECMDGOALS))
$(eval $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS)):;@:)
endif
new-show: $(READY)
	@test -n "$(DIR)" || { echo "make new-show: name the folder of the new project, such as DIR=../myshow" >&2; exit 2; }
	@$(PY) -m flows.new_show "$(DIR)"

install: $(READY)

$(READY): pyproject.toml requirements.lock flows/try_install.py
	@flows/find_python $(PYTHON_WANTED) >/dev/null
	@echo "== 1/3 Making $(VENV) =="
	@test -x $(PY) || "$$(flows/find_python $(PYTHON_WANTED))" -m venv $(VENV)
	@$(PY) -m pip install --quiet "$$(grep '^pip==' requirements.lock)"
	@echo "== 2/3 Installing what requirements.lock lists: 2 to 5 minutes the first time =="
	@$(PY) -m pip install --quiet --constraint requirements.lock --group test
	@$(PY) -m pip install --quiet --constraint requirements.lock --no-deps mediapipe
	@echo "== 3/3 Trying the installation: about half a minute =="
	@$(PY) -m flows.try_install
	@touch $@

clean:
	rm -rf .work .mypy_cache .pytest_cache .ruff_cache .hypothesis
