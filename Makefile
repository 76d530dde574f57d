# Mask Patrol. `make` lists the targets; each target installs what it needs into .venv.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

# The first Python for which every dependency has wheels; `make PYTHON=…` selects another Python.
PYTHON ?= $(shell for p in python3 python3.11 python3.13 python3.12; do \
	command -v $$p >/dev/null && $$p -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet

SOURCE ?=
BROKER ?=
CONFIG ?=
DATA ?=
DATASET ?=
MODEL ?= models/mask.tflite
CLASSES ?= 2
TRAIN_ARGS ?=
EXPLORE_ARGS ?=
CONVERT_ARGS ?=
EVALUATE_ARGS ?=
FRONTIER_ARGS ?=
DETECTOR ?= haar $(wildcard models/face.keras)
DETECTOR_ARGS ?=
CLIPS ?= demo
BENCH_ARGS ?=
BUNDLE_ARGS ?=
BASE ?=
IMAGE ?= mask-patrol.img
DEVICE ?=
FLASH_ARGS ?=
BOOT ?=
RELEASE ?= trixie
INSTALL_ARGS ?=
DASHBOARD_ARGS ?=

help: ## List the targets
	@echo "Mask Patrol: notices each person who comes in without a mask, and publishes an alert over MQTT."
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{ printf "  make %-17s %s\n", $$1, $$2 }'
	@echo
	@echo "Examples:"
	@echo "  make run                                          the bundled clip, an embedded broker"
	@echo "  make run SOURCE=/dev/video0 BROKER=192.168.1.5    your camera, your broker"
	@echo "  make run SOURCE=clip.mp4    (also rtsp://… or a folder of pictures; CONFIG=my.toml)"
	@echo "  make dataset DATASET=face-mask-12k                a public data set ──► data/"
	@echo "  make explore DATA='data/face-mask-12k scenes'     look at pictures first, then"
	@echo "  make train DATA='data/face-mask-12k scenes'       retrain on them, then"
	@echo "  make convert DATA='data/face-mask-12k scenes'     put the new model on the edge"

run: $(VENV)/.edge ## Watch SOURCE (default: the demo clip), publish to BROKER, and show the alerts
	@STATE_DIRECTORY="$${STATE_DIRECTORY:-$(CURDIR)/.cache/state}" $(BIN)/mask-patrol run --watch --log-level warning \
		$(if $(CONFIG),--config "$(CONFIG)") $(if $(SOURCE),--source "$(SOURCE)") $(if $(BROKER),--broker "$(BROKER)")

check: $(VENV)/.edge ## Try every part of the daemon and report what is wrong
	@STATE_DIRECTORY="$${STATE_DIRECTORY:-$(CURDIR)/.cache/state}" $(BIN)/mask-patrol check \
		$(if $(CONFIG),--config "$(CONFIG)") $(if $(SOURCE),--source "$(SOURCE)") $(if $(BROKER),--broker "$(BROKER)")

dashboard: $(VENV)/.dashboard ## Serve the dashboard for the devices of BROKER
	@STATE_DIRECTORY="$${STATE_DIRECTORY:-$(CURDIR)/.cache/state}" $(BIN)/mask-patrol dashboard \
		$(if $(CONFIG),--config "$(CONFIG)") $(if $(BROKER),--broker "$(BROKER)") $(DASHBOARD_ARGS)

demo: $(VENV)/.dashboard ## Run a broker, the daemon on the demo clip, and the dashboard
	@$(BIN)/mask-patrol dashboard --demo $(DASHBOARD_ARGS)

test: $(VENV)/.dev lint ## Lint, types and all tests (installs TensorFlow, mosquitto, Chromium, PostgreSQL)
	@$(MAKE) --no-print-directory test-tools
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

unit: $(VENV)/.unit ## Lint, types, and the fast tests, without TensorFlow, a browser, or a database server
	@$(MAKE) --no-print-directory broker-tools
	$(LINT)
	$(BIN)/python -m pytest -n 3 --dist loadfile -q -m 'not slow and not soak and not pi' $(PYTEST_ARGS)

soak: $(VENV)/.dev ## Run the long tests: two hours of footage, hundreds of kills (an hour or two)
	@$(MAKE) --no-print-directory test-tools
	$(BIN)/python -m pytest -m soak $(PYTEST_ARGS)

lint: $(VENV)/.unit ## Lint, format, imports between packages, and types only
	$(LINT)

dataset: $(VENV)/.train ## Fetch public data sets into data/: DATASET="name name…"; without DATASET, list them
	@$(BIN)/python -m training dataset $(DATASET)

explore: $(VENV)/.train ## Report on DATA="folder folder…" before training: runs/explore/report.html
	@test -n "$(DATA)" || { echo "make explore: name your pictures, e.g. make explore DATA='face-mask-12k scenes'" >&2; exit 2; }
	@$(BIN)/python -m training explore $(foreach d,$(DATA),--data "$(d)") $(EXPLORE_ARGS)

train: $(VENV)/.train ## Train models/mask.keras on DATA="folder folder…"; CLASSES=3: mask3.keras too
	@test -n "$(DATA)" || { echo "make train: name your pictures, e.g. make train DATA='face-mask-12k scenes'" >&2; exit 2; }
ifeq ($(CLASSES),3)
	$(BIN)/python -m training train $(foreach d,$(DATA),--data "$(d)") --classes 3 $(TRAIN_ARGS) --out models/mask3.keras
	$(BIN)/python -m training binary --model models/mask3.keras $(foreach d,$(DATA),--data "$(d)") --out models/mask.keras
else
	$(BIN)/python -m training train $(foreach d,$(DATA),--data "$(d)") --classes $(CLASSES) $(TRAIN_ARGS) --out models/mask.keras
endif

evaluate: $(VENV)/.train ## Evaluate MODEL on the pictures in DATA
	@test -n "$(DATA)" || { echo "make evaluate: name your pictures, e.g. make evaluate DATA=face-mask-12k/Test" >&2; exit 2; }
	@$(BIN)/python -m training evaluate --model "$(MODEL)" $(foreach d,$(DATA),--data "$(d)") $(EVALUATE_ARGS)

train-detector: $(VENV)/.train ## Train models/face.keras, a face detector, on boxed pictures in DATA
	@test -n "$(DATA)" || { echo "make train-detector: name your boxed pictures, e.g. make train-detector DATA='scenes WIDER_FACE'" >&2; exit 2; }
	$(BIN)/python -m training detector $(foreach d,$(DATA),--data "$(d)") --start models/mask.keras $(DETECTOR_ARGS) --out models/face.keras

evaluate-detector: $(VENV)/.train ## Evaluate each DETECTOR (haar, or a file) on the boxed pictures in DATA
	@test -n "$(DATA)" || { echo "make evaluate-detector: name your boxed pictures, e.g. make evaluate-detector DATA=scenes" >&2; exit 2; }
	@$(BIN)/python -m training evaluate-detector $(foreach d,$(DETECTOR),--detector "$(d)") $(foreach d,$(DATA),--data "$(d)") $(DETECTOR_ARGS)

convert: $(VENV)/.train ## Quantise models/*.keras, or those in ONLY, to .tflite (with DATA, measure them again)
	@done=; failed=; for model in $(or $(ONLY),models/*.keras); do \
		test -f "$${model%.keras}.json" || continue; done=yes; \
		$(BIN)/python -m convert --model "$$model" $(foreach d,$(DATA),--data "$(d)") $(CONVERT_ARGS) || failed=yes; \
	done; test -n "$$done" || { echo "make convert: no models/*.keras has its .json beside it; make train makes both" >&2; exit 1; }; \
	test -z "$$failed"

frontier: $(VENV)/.train ## Compare detector settings on boxed scenes in DATA and on CLIPS (default: the demo)
	@test -n "$(DATA)" || { echo "make frontier: name your boxed photographs, e.g. make frontier DATA=scenes CLIPS=clips" >&2; exit 2; }
	@$(BIN)/python -m training frontier $(foreach d,$(DATA),--data "$(d)") $(foreach c,$(CLIPS),--clips "$(c)") $(FRONTIER_ARGS)

bench: $(VENV)/.bench ## Measure the cost of DATA="clip clip" (default: the demo), against the original
	@$(BIN)/mask-patrol bench --against original --out runs/bench $(foreach d,$(DATA),"$(d)") $(if $(CONFIG),--config "$(CONFIG)") $(BENCH_ARGS)

bundle: $(VENV)/.venv ## Make one file that installs it on a Pi without a network: dist/mask-patrol-…-arm64.tar
	@$(SYSTEMD_PYTHON) -m bundle $(BUNDLE_ARGS)

install: ## Install it as a service on this machine, a Pi or a Debian PC: sudo make install
	@test "$$(id -u)" = 0 || { echo "make install: it must be run as root: sudo make install" >&2; exit 2; }
	@$(UNPRIVILEGED) $(MAKE) --no-print-directory bundle BUNDLE_ARGS="--machine $$(uname -m) --unpacked --python $$(/usr/bin/python3 -c 'import sys; print("cp%d%d" % sys.version_info[:2])')"
	@dist/mask-patrol/install.sh $(INSTALL_ARGS)

uninstall: ## Remove the service, but keep configuration and events: sudo make uninstall
	@systemd/install.sh uninstall $(INSTALL_ARGS)

lock: $(VENV)/.venv ## Update the pinned wheels of the bundle after a change of dependencies
	@$(PIP) uv
	@$(SYSTEMD_PYTHON) -m bundle.lock

audit: $(VENV)/.venv ## Report the known vulnerabilities of the packages that devices get
	@$(PIP) pip-audit 2>/dev/null || { echo "make audit: pip-audit cannot be installed: is there a package index with it?" >&2; exit 2; }
	@$(SYSTEMD_PYTHON) -m bundle.audit

image: $(VENV)/.image ## Make an SD card image from BASE=raspios-lite.img.xz and CONFIG=site.toml: mask-patrol.img
	@test -n "$(BASE)" -a -n "$(CONFIG)" || { echo "make image: name both, e.g. make image BASE=raspios-lite.img.xz CONFIG=site.toml (systemd/site.example.toml explains it)" >&2; exit 2; }
	@$(MAKE) --no-print-directory bundle
	@$(CARD) image --base "$(BASE)" --config "$(CONFIG)" --bundle "$$(ls -t dist/mask-patrol-*-arm64.tar | head -n 1)" --out "$(IMAGE)"

flash: $(VENV)/.edge ## Write IMAGE onto the card in DEVICE=/dev/sdX and verify it, after asking
	@test -n "$(DEVICE)" || { echo "make flash: name the card's disk, e.g. make flash DEVICE=/dev/sdX (lsblk lists them)" >&2; exit 2; }
	@$(if $(filter 0,$(shell id -u)),,sudo env) $(CARD) flash --image "$(IMAGE)" --device "$(DEVICE)" $(FLASH_ARGS)

firstrun: $(VENV)/.image ## Prepare a card that has the stock image: CONFIG=site.toml BOOT=/media/you/bootfs RELEASE=trixie
	@test -n "$(BOOT)" -a -n "$(CONFIG)" || { echo "make firstrun: name both, e.g. make firstrun CONFIG=site.toml BOOT=/media/$$USER/bootfs RELEASE=trixie" >&2; exit 2; }
	@$(MAKE) --no-print-directory bundle
	@$(CARD) firstrun --config "$(CONFIG)" --boot "$(BOOT)" --release "$(RELEASE)" --bundle "$$(ls -t dist/mask-patrol-*-arm64.tar | head -n 1)"

pi-test: $(VENV)/.pi ## Test on an emulated arm64 machine (needs root and Debian; an hour or two; PYTEST_ARGS='-k bookworm')
	@$(MAKE) --no-print-directory emulator
	$(BIN)/python -m pytest -m pi tests/pi $(PYTEST_ARGS)

compare: $(VENV)/.train ## Time the original's network against MODEL
	@$(BIN)/python -m convert.compare --model "$(MODEL)"

clean: ## Remove the virtual environment and all build products
	rm -rf $(VENV) .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

define LINT
$(BIN)/ruff check .
$(BIN)/ruff format --check .
$(BIN)/lint-imports --no-logo
$(BIN)/mypy
endef

# $(call need,program:package …) installs the packages of missing programs, or fails;
# $(call wish,…) and $(call prefer,…) only report packages that cannot be installed. A plus separates several packages of one program.
need = $(call missing,$(1)) echo "Needed:$$missing; install them with your system's packages" >&2; exit 1; }; fi
wish = $(call missing,$(1)) echo "They cannot be installed: the tests that need them are skipped." >&2; }; fi
prefer = $(call missing,$(1)) echo "It cannot be installed: the tests take longer without it." >&2; }; fi
missing = missing=; PATH="$$PATH:/usr/sbin:/sbin:$$(echo /usr/lib/postgresql/*/bin | tr ' ' :)"; \
	for p in $(1); do command -v "$${p%:*}" >/dev/null || missing="$$missing $${p\#*:}"; done; \
	missing=$$(echo "$$missing" | tr + ' '); if [ -n "$$missing" ]; then \
		echo "Installing$$missing …"; as=; [ "$$(id -u)" = 0 ] || as=sudo; \
		{ $$as apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as apt-get install -y -qq --no-install-recommends $$missing; } >/dev/null 2>&1 || {

# All programs that tests run: a broker, file system tools, a browser, a database, and a container.
test-tools: broker-tools
	@$(call wish,shellcheck:shellcheck systemd-analyze:systemd mmdebstrap:mmdebstrap systemd-nspawn:systemd-container)
	@$(call wish,chromium:chromium+fonts-dejavu-core initdb:postgresql)
	@$(call prefer,chromium-headless-shell:chromium-headless-shell)

# The programs that the fast tests run.
broker-tools:
	@$(call need,mosquitto:mosquitto $(CARD_TOOLS))

CARD_TOOLS = mcopy:mtools mkfs.vfat:dosfstools debugfs:e2fsprogs sfdisk:fdisk xz:xz-utils

card-tools:
	@$(call need,$(CARD_TOOLS))

emulator:
	@$(call need,mosquitto:mosquitto $(CARD_TOOLS) qemu-system-aarch64:qemu-system-arm qemu-aarch64:qemu-user \
		qemu-aarch64-static:qemu-user-static mmdebstrap:mmdebstrap arch-test:arch-test \
		update-binfmts:binfmt-support depmod:kmod ssh:openssh-client)

# The modules in systemd/ are tools for a desktop, not part of the installed program.
SYSTEMD_PYTHON = PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=systemd $(BIN)/python
CARD = $(SYSTEMD_PYTHON) -m sdcard

# Under sudo, the build runs as the user who called it.
UNPRIVILEGED = $(if $(SUDO_USER),sudo -u "$(SUDO_USER)")

# picamera2 comes only from apt: the virtual environment needs access to system packages.
SEE_SYSTEM = $(shell $(PYTHON) -c 'import importlib.util as u; print("--system-site-packages" * bool(u.find_spec("picamera2")))')

# All targets share one virtual environment. Sets of packages are installed on demand, each with a stamp file.
$(VENV)/.venv:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 with venv is needed: sudo apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(SEE_SYSTEM) $(VENV) || { echo "no virtual environment: sudo apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@touch $@

$(VENV)/.edge: $(VENV)/.venv pyproject.toml
	@echo "Installing the daemon into $(VENV) (once; about 400 MB) …"
	@$(PIP) --editable '.[broker]'
	@touch $@

$(VENV)/.bench: $(VENV)/.edge
	@$(PIP) --editable '.[broker,bench]'
	@touch $@

$(VENV)/.image: $(VENV)/.edge
	@$(PIP) --editable '.[broker,image]'
	@touch $@

$(VENV)/.pi: $(VENV)/.edge
	@$(PIP) --editable '.[broker,image,dev]'
	@touch $@

$(VENV)/.dashboard: $(VENV)/.edge
	@$(PIP) --editable '.[broker,dashboard]'
	@touch $@

$(VENV)/.train: $(VENV)/.venv pyproject.toml
	@echo "Installing TensorFlow and the rest of training into $(VENV) (once; about 2 GB, some minutes) …"
	@$(PIP) --editable '.[broker,train]'
	@touch $@ $(VENV)/.edge

$(VENV)/.unit: $(VENV)/.edge
	@echo "Installing what the fast tests need into $(VENV) (once; about 900 MB) …"
	@$(PIP) --editable '.[broker,metrics,dashboard,image,data,dev]'
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	@$(PIP) --editable '.[broker,metrics,dashboard,postgres,image,train,dev]'
	@touch $@ $(VENV)/.unit

.PHONY: audit bench broker-tools bundle card-tools check clean compare convert dashboard dataset demo emulator evaluate evaluate-detector explore firstrun flash frontier help image install lint lock pi-test run soak test test-tools train train-detector uninstall unit
