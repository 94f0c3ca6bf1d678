# Everything runs in .venv; each target installs what it needs once and remembers it there.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MPLBACKEND ?= Agg

DEVICES ?= cuda:0,cuda:1
MACHINE ?= $(shell hostname)
GRAPHS ?= auto
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)

.PHONY: demo setup browser test verify docs gallery bench gpu clean

demo: $(VENV)/installed-core      ## the main job: comparison table and both figures, into out/
	$(RUN) -m sim compare figures/experiments/demo.toml --seeds 2 --mitigations \
	  none@sequential,none,stash,vertical-sync,spectrain,spectrain-stashed,nwpt,i-timeprest,timeprest@nf1b/7,v-timeprest@nf1b/7,i-timeprest@nf1b/7
	$(RUN) -m figures timeline staleness --out out

setup: $(VENV)/installed-all      ## everything for development: core, gpu, fast, cluster, dev

browser:                          ## Chromium for the explorer's tests, where root can get it; else they skip
	@command -v chromedriver >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
	  { apt-get -o Acquire::http::Timeout=20 update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
	    chromium chromium-driver fonts-dejavu-core; } >/dev/null 2>&1 || \
	  echo "no Chromium could be installed; the explorer's browser tests will skip" >&2

test: setup browser               ## lint, types, layering, all tests
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m pytest -n 2 --dist worksteal

verify: setup                     ## what is too long for test: every command of the documents at full size
	$(RUN) -m pytest -n 2 --dist worksteal -m verify

docs: setup                       ## the API reference into build/docs; a warning is an error
	$(RUN) -m tests.docs.api build/docs

gallery: setup                    ## the pictures and tables of the results, five seeds (some minutes)
	$(RUN) -m figures all --seeds 5 --jobs $(JOBS) --out figures/gallery --readme figures/RESULTS.md --page

bench: setup                      ## speed as ratios taken in one run; writes bench.json
	$(RUN) -m tests.bench

gpu: setup                        ## measure this machine, at most nine minutes (DEVICES, MACHINE, GRAPHS)
	$(RUN) -m gpu measure --devices $(DEVICES) --graphs $(GRAPHS) --out figures/measured/$(MACHINE)

clean:
	rm -rf $(VENV) out build *.egg-info

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pipestale needs Python 3.11 or newer; say make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-core: pyproject.toml | $(RUN)
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-all: pyproject.toml constraints.txt | $(RUN)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --editable '.[gpu,fast,cluster,dev]'
	touch $@ $(VENV)/installed-core
