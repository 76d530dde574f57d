# Mask Patrol. `make` lists the targets; each target installs what it needs into .venv.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

# Values that users give: `make SOURCE=…`, or variables of the environment.
USER_VARIABLES := PYTHON SUDO_USER SOURCE BROKER CONFIG DATA DATASET MODEL ONLY CLASSES RUN TRAIN_ARGS \
	ADOPT_ARGS EXPLORE_ARGS CONVERT_ARGS EVALUATE_ARGS FRONTIER_ARGS DETECTOR DETECTOR_ARGS CLIPS BENCH_ARGS \
	BUNDLE_ARGS RELEASE_ARGS SIGN_KEY BASE IMAGE DEVICE FLASH_ARGS BOOT RELEASE INSTALL_ARGS DASHBOARD_ARGS \
	PYTEST_ARGS
# They are used as they are, in every recipe: make must not expand a $ in them, and the shell must not
# interpret them. Therefore recipes read them from the environment, in quotes, as "$${SOURCE}". Do not
# write $(SOURCE) into a recipe.
$(foreach v,$(USER_VARIABLES),$(if $(filter command environment,$(firstword $(origin $v))),$(eval override $v := $$(value $v))))

# The first Python for which every dependency has wheels; `make PYTHON=…` selects another Python.
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for p in python3 python3.11 python3.13 python3.12; do \
	command -v $$p >/dev/null && $$p -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)
endif
VENV := .venv
$(foreach c,$$ ' " ` \ ; & | < > ( ) * ? %,$(if $(findstring $c,$(value VENV)),$(error VENV must be a plain path without $c)))
$(if $(filter 1,$(words $(value VENV))),,$(error VENV must be a plain path without spaces))
BIN := $(VENV)/bin

MODEL ?= models/mask.tflite
CLASSES ?= 2
DETECTOR ?= haar $(wildcard models/face.keras)
CLIPS ?= demo
IMAGE ?= mask-patrol.img
RELEASE ?= trixie
# Only those that have a value: others would reach every program as empty variables.
export $(foreach v,$(USER_VARIABLES),$(if $(filter undefined,$(origin $v)),,$v))

# $(call split,ARRAY,VARIABLE,PREFIX) reads the words of a variable into an array of the shell, each with
# PREFIX before it. Quotes group words as in a shell, but nothing is expanded. A value that is the path of
# a file or folder, spaces included, is one word.
split = mapfile -d '' -t $(1) < <("$${PYTHON:-python3}" -c "$${SPLIT_PROGRAM}" $(2) '$(3)'); wait "$$!"
define SPLIT_PROGRAM
import os, shlex, sys
name, prefix = sys.argv[1:]
text = os.environ.get(name, "")
def is_path(word):
    return os.path.exists(word) or os.path.exists(word.partition("=")[2])
plain = text.split()
if text.strip() and is_path(text):
    words = [text]
elif all(map(is_path, plain)):
    words = plain
else:
    try:
        words = shlex.split(text)
    except ValueError:
        sys.exit(f"make: {name} has a quotation mark without its partner: {text}")
sys.stdout.buffer.write(b"".join(os.fsencode(prefix + word) + b"\0" for word in words))
endef
export SPLIT_PROGRAM

# $(call require,VARIABLE,WHAT) ends the recipe of a target whose variable is missing.
require = test -n "$${$(1):-}" || { echo "make $@: name $(2)" >&2; exit 2; }

# Without a value of STATE_DIRECTORY, the state is kept in the checkout.
STATE = STATE_DIRECTORY="$${STATE_DIRECTORY:-$$PWD/.cache/state}"

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
	@echo "  make adopt RUN=runs/mask                          compare, and put the model into models/, then"
	@echo "  make convert DATA='data/face-mask-12k scenes'     put the new model on the edge"

run: $(VENV)/.edge ## Watch SOURCE (default: the demo clip), publish to BROKER, and show the alerts
	@$(STATE) $(BIN)/mask-patrol run --watch --log-level warning $${CONFIG:+"--config=$${CONFIG}"} \
		$${SOURCE:+"--source=$${SOURCE}"} $${BROKER:+"--broker=$${BROKER}"}

check: $(VENV)/.edge ## Try every part of the daemon and report what is wrong
	@$(STATE) $(BIN)/mask-patrol check $${CONFIG:+"--config=$${CONFIG}"} \
		$${SOURCE:+"--source=$${SOURCE}"} $${BROKER:+"--broker=$${BROKER}"}

dashboard: $(VENV)/.dashboard ## Serve the dashboard for the devices of BROKER
	@$(call split,args,DASHBOARD_ARGS); $(STATE) $(BIN)/mask-patrol dashboard \
		$${CONFIG:+"--config=$${CONFIG}"} $${BROKER:+"--broker=$${BROKER}"} "$${args[@]}"

demo: $(VENV)/.dashboard ## Run a broker, the daemon on the demo clip, and the dashboard
	@$(call split,args,DASHBOARD_ARGS); $(BIN)/mask-patrol dashboard --demo "$${args[@]}"

test: ## Lint, types and all tests (installs TensorFlow, mosquitto, Chromium, PostgreSQL)
	@$(MAKE) --no-print-directory -j 3 test-tools lint-with-all compile-tests
	@$(call split,args,PYTEST_ARGS); $(BIN)/python -m pytest -n 5 --dist loadfile --no-loadscope-reorder "$${args[@]}"

unit: $(VENV)/.unit ## Lint, types, and the fast tests, without TensorFlow, a browser, or a database server
	@$(MAKE) --no-print-directory broker-tools
	$(LINT)
	@$(call split,args,PYTEST_ARGS); $(BIN)/python -m pytest -n 3 --dist loadfile -q -m 'not slow and not soak and not pi' "$${args[@]}"

soak: $(VENV)/.dev ## Run the long tests: two hours of footage, hundreds of kills (an hour or two)
	@$(MAKE) --no-print-directory test-tools
	@$(call split,args,PYTEST_ARGS); $(BIN)/python -m pytest -m soak "$${args[@]}"

lint: $(VENV)/.unit ## Lint, format, imports between packages, and types only
	$(LINT)

# Installs the packages of all tests and lints, while another job installs programs with apt.
lint-with-all: $(VENV)/.dev
	$(LINT)

# Imports all tests once. On a new checkout, each worker of pytest would otherwise compile them all itself.
compile-tests: $(VENV)/.dev
	@found=$$($(BIN)/python -m pytest --collect-only -q 2>&1) || { echo "$$found"; exit 1; }

dataset: $(VENV)/.train ## Fetch public data sets into data/: DATASET="name name…"; without DATASET, list them
	@$(call split,names,DATASET); $(BIN)/python -m training dataset -- "$${names[@]}"

explore: $(VENV)/.train ## Report on DATA="folder folder…" before training: runs/explore/report.html
	@$(call require,DATA,your pictures: make explore DATA='face-mask-12k scenes')
	@$(call split,data,DATA,--data=); $(call split,args,EXPLORE_ARGS); \
		$(BIN)/python -m training explore "$${data[@]}" "$${args[@]}"

train: $(VENV)/.train ## Train on DATA="folder folder…" into RUN (default: runs/mask) for CLASSES=2 or 3 labels
	@$(call require,DATA,your pictures: make train DATA='face-mask-12k scenes')
	@$(call split,data,DATA,--data=); $(call split,args,TRAIN_ARGS); $(call RUN_ONLY,TRAIN_ARGS); \
		$(BIN)/python -m training train "$${data[@]}" --classes="$${CLASSES}" --run-folder="$${RUN:-runs/mask}" "$${args[@]}"

adopt: $(VENV)/.train ## Put the model of RUN into models/ if it is no worse than the one there on the test pictures
	@$(call require,RUN,the folder of a run: make adopt RUN=runs/mask)
	@$(call split,data,DATA,--data=); $(call split,args,ADOPT_ARGS); \
		$(BIN)/python -m training adopt "$${data[@]}" "$${args[@]}" -- "$${RUN}"

evaluate: $(VENV)/.train ## Evaluate MODEL on the pictures in DATA
	@$(call require,DATA,your pictures: make evaluate DATA=face-mask-12k/Test)
	@$(call split,data,DATA,--data=); $(call split,args,EVALUATE_ARGS); \
		$(BIN)/python -m training evaluate --model="$${MODEL}" "$${data[@]}" "$${args[@]}"

train-detector: $(VENV)/.train ## Train a face detector on boxed pictures in DATA into RUN (default: runs/face)
	@$(call require,DATA,your boxed pictures: make train-detector DATA='scenes WIDER_FACE')
	@$(call split,data,DATA,--data=); $(call split,args,DETECTOR_ARGS); $(call RUN_ONLY,DETECTOR_ARGS); \
		$(BIN)/python -m training detector "$${data[@]}" --run-folder="$${RUN:-runs/face}" "$${args[@]}"

evaluate-detector: $(VENV)/.train ## Evaluate each DETECTOR (haar, or a file) on the boxed pictures in DATA
	@$(call require,DATA,your boxed pictures: make evaluate-detector DATA=scenes)
	@$(call split,detectors,DETECTOR,--detector=); $(call split,data,DATA,--data=); $(call split,args,DETECTOR_ARGS); \
		$(BIN)/python -m training evaluate-detector "$${detectors[@]}" "$${data[@]}" "$${args[@]}"

convert: $(VENV)/.train ## Quantise models/*.keras, or those in ONLY, to .tflite (with DATA, measure them again)
	@$(call split,models,ONLY); $(call split,data,DATA,--data=); $(call split,args,CONVERT_ARGS); \
	if [ -z "$${ONLY:-}" ]; then models=(models/*.keras); fi; tried=; failed=; \
	for model in "$${models[@]}"; do \
		test -n "$${ONLY:-}" -o -f "$${model%.keras}.json" || continue; tried=yes; \
		$(BIN)/python -m convert --model="$${model}" "$${data[@]}" "$${args[@]}" || failed=yes; \
	done; test -n "$${tried}" || { echo "make convert: no models/*.keras has its .json beside it; make train and make adopt make both" >&2; exit 1; }; \
	test -z "$${failed}"

frontier: $(VENV)/.train ## Compare detector settings on boxed scenes in DATA and on CLIPS (default: the demo)
	@$(call require,DATA,your boxed photographs: make frontier DATA=scenes CLIPS=clips)
	@$(call split,data,DATA,--data=); $(call split,clips,CLIPS,--clips=); $(call split,args,FRONTIER_ARGS); \
		$(BIN)/python -m training frontier "$${data[@]}" "$${clips[@]}" "$${args[@]}"

bench: $(VENV)/.bench ## Measure the cost of DATA="clip clip" (default: the demo), against the original
	@$(call split,data,DATA); $(call split,args,BENCH_ARGS); \
		$(BIN)/mask-patrol bench --against original --out runs/bench $${CONFIG:+"--config=$${CONFIG}"} "$${args[@]}" -- "$${data[@]}"

bundle: $(VENV)/.venv ## Make one file that installs it on a Pi without a network: dist/mask-patrol-…-arm64.tar
	@$(call split,args,BUNDLE_ARGS); $(SYSTEMD_PYTHON) -m bundle "$${args[@]}"

release: $(VENV)/.release ## Build wheel, bundle, SBOM and checksums of this commit into dist/, and sign with SIGN_KEY
	@$(call split,args,RELEASE_ARGS); $(SYSTEMD_PYTHON) -m bundle.release $${SIGN_KEY:+"--key=$${SIGN_KEY}"} "$${args[@]}"

install: linux ## Install it as a service on this machine, a Pi or a Debian PC: sudo make install
	@test "$$(id -u)" = 0 || { echo "make install: it must be run as root: sudo make install" >&2; exit 2; }
	@$(call split,args,INSTALL_ARGS); source systemd/questions.sh; ask_for_settings "$${args[@]}"; \
		as=(); if [ -n "$${SUDO_USER:-}" ]; then as=(sudo -u "$${SUDO_USER}"); fi; \
		"$${as[@]}" $(OTHER_MAKE) --no-print-directory bundle BUNDLE_ARGS="--machine $$(uname -m) --unpacked --python $$(/usr/bin/python3 -c 'import sys; print("cp%d%d" % sys.version_info[:2])')"; \
		dist/mask-patrol/install.sh "$${args[@]}"

uninstall: linux ## Remove the service, but keep configuration and events: sudo make uninstall
	@$(call split,args,INSTALL_ARGS); systemd/install.sh uninstall "$${args[@]}"

lock: $(VENV)/.venv ## Update the pinned wheels of the bundle after a change of dependencies
	@$(PIP) uv
	@$(SYSTEMD_PYTHON) -m bundle.lock

audit: $(VENV)/.venv ## Report the known vulnerabilities of the packages that devices get
	@$(PIP) pip-audit 2>/dev/null || { echo "make audit: pip-audit cannot be installed: is there a package index with it?" >&2; exit 2; }
	@$(SYSTEMD_PYTHON) -m bundle.audit

image: linux $(VENV)/.image ## Make an SD card image from BASE=raspios-lite.img.xz and CONFIG=site.toml: mask-patrol.img
	@test -n "$${BASE:-}" -a -n "$${CONFIG:-}" || { echo "make image: name both, e.g. make image BASE=raspios-lite.img.xz CONFIG=site.toml (systemd/site.example.toml explains it)" >&2; exit 2; }
	@$(MAKE) --no-print-directory bundle
	@$(CARD) image --base="$${BASE}" --config="$${CONFIG}" --bundle "$$(ls -t dist/mask-patrol-*-arm64.tar | head -n 1)" --out="$${IMAGE}"

flash: linux $(VENV)/.edge ## Write IMAGE onto the card in DEVICE=/dev/sdX and verify it, after asking
	@$(call require,DEVICE,the card's disk: make flash DEVICE=/dev/sdX (lsblk lists them))
	@$(call split,args,FLASH_ARGS); as=(env); if [ "$$(id -u)" != 0 ]; then as=(sudo env); fi; \
		"$${as[@]}" $(CARD) flash --image="$${IMAGE}" --device="$${DEVICE}" "$${args[@]}"

firstrun: linux $(VENV)/.image ## Prepare a card that has the stock image: CONFIG=site.toml BOOT=/media/you/bootfs RELEASE=trixie
	@test -n "$${BOOT:-}" -a -n "$${CONFIG:-}" || { echo "make firstrun: name both, e.g. make firstrun CONFIG=site.toml BOOT=/media/you/bootfs RELEASE=trixie" >&2; exit 2; }
	@$(MAKE) --no-print-directory bundle
	@$(CARD) firstrun --config="$${CONFIG}" --boot="$${BOOT}" --release="$${RELEASE}" --bundle "$$(ls -t dist/mask-patrol-*-arm64.tar | head -n 1)"

pi-test: linux $(VENV)/.pi ## Test on an emulated arm64 machine (needs root and Debian; an hour or two; PYTEST_ARGS='-k bookworm')
	@$(MAKE) --no-print-directory emulator
	@$(call split,args,PYTEST_ARGS); $(BIN)/python -m pytest -m pi tests/pi "$${args[@]}"

# `make -n` runs the lines of a recipe that contain $$(MAKE) nevertheless, and must not install.
OTHER_MAKE := $(MAKE)

# Before anything is installed: what needs Linux says so.
linux:
	@test "$$(uname -s)" = Linux || { echo "make $(or $(firstword $(MAKECMDGOALS)),$@): needs Linux; on Windows and macOS, README.md describes how python3 systemd/firstrun.py prepares a card" >&2; exit 2; }

compare: $(VENV)/.train ## Time the original's network against MODEL
	@$(BIN)/python -m convert.compare --model="$${MODEL}"

clean: ## Remove the virtual environment and all build products
	rm -rf $(VENV) .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# $(call RUN_ONLY,VARIABLE) refuses options in `args` that select the folder of a run: RUN does.
RUN_ONLY = for arg in "$${args[@]}"; do case "$${arg}" in --ru*|--o*) \
	echo "make $@: give the folder of the run in RUN, not $${arg%%=*} in $(1)" >&2; exit 2;; esac; done

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
	@$(call wish,shellcheck:shellcheck systemd-analyze:systemd mmdebstrap:mmdebstrap systemd-nspawn:systemd-container ip:iproute2)
	@$(call wish,chromium:chromium+fonts-dejavu-core initdb:postgresql)
	@$(call prefer,chromium-headless-shell:chromium-headless-shell)

# The programs that the fast tests run.
broker-tools:
	@$(call need,mosquitto:mosquitto ssh-keygen:openssh-client $(CARD_TOOLS))

CARD_TOOLS = mcopy:mtools mkfs.vfat:dosfstools debugfs:e2fsprogs sfdisk:fdisk xz:xz-utils

card-tools:
	@$(call need,$(CARD_TOOLS))

emulator:
	@$(call need,mosquitto:mosquitto $(CARD_TOOLS) qemu-system-aarch64:qemu-system-arm qemu-aarch64:qemu-user qemu-system-x86_64:qemu-system-x86 \
		qemu-aarch64-static:qemu-user-static mmdebstrap:mmdebstrap arch-test:arch-test \
		update-binfmts:binfmt-support depmod:kmod ssh:openssh-client ip:iproute2)
	@$(call wish,chromium:chromium+fonts-dejavu-core)

# The modules in systemd/ are tools for a desktop, not part of the installed program.
SYSTEMD_PYTHON = PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=systemd $(BIN)/python
CARD = $(SYSTEMD_PYTHON) -m sdcard

# pip with the user's package index, proxy and certificates, but into this virtual environment only.
PIP = $(SYSTEMD_PYTHON) -m bundle.pip_install

# $(call writable,PATH) ends the recipe if a file cannot be written, and says why.
writable = test -w $(1) || { echo "make: $$PWD/$(1) cannot be written by $$(id -un): it belongs to $$(stat -c %U $(1)), or the file system is read-only; use a copy of your own, or: sudo chown -R $$(id -un) $$(printf %q "$$PWD")" >&2; exit 1; }

# All targets share one virtual environment. Sets of packages are installed on demand, each with a stamp file.
# picamera2 comes only from apt: the virtual environment needs access to system packages.
$(VENV)/.venv:
	@test -n "$${PYTHON}" || { echo "Python 3.11, 3.12 or 3.13 with venv is needed: sudo apt install python3-venv" >&2; exit 1; }
	@$(call writable,.)
	@see=$$("$${PYTHON}" -c 'import importlib.util as u; print("--system-site-packages" * bool(u.find_spec("picamera2")))') \
		|| { echo "make: the Python $${PYTHON} does not run: give another one with PYTHON=…" >&2; exit 1; }; \
	reason=$$("$${PYTHON}" -m venv $${see} $(VENV) 2>&1) || { \
		if [ -d $(VENV) ]; then rm -rf $(VENV); fi; \
		if "$${PYTHON}" -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "make: the virtual environment $(VENV) cannot be created: $$(tail -n 1 <<<"$${reason}")"; \
		else echo "make: $${PYTHON} has no venv: sudo apt install python3-venv"; fi >&2; exit 1; }
	@touch $@

$(VENV)/.edge: $(VENV)/.venv pyproject.toml
	@echo "Installing the daemon into $(VENV) (once; about 400 MB) …"
	@$(call writable,$(VENV)); $(PIP) --editable '.[broker,gpio]'
	@touch $@

$(VENV)/.bench: $(VENV)/.edge
	@$(call writable,$(VENV)); $(PIP) --editable '.[broker,bench]'
	@touch $@

$(VENV)/.image: $(VENV)/.edge
	@$(call writable,$(VENV)); $(PIP) --editable '.[broker,image]'
	@touch $@

$(VENV)/.release: $(VENV)/.edge
	@$(call writable,$(VENV)); $(PIP) --editable '.[broker,release]'
	@touch $@

$(VENV)/.pi: $(VENV)/.edge
	@$(call writable,$(VENV)); $(PIP) --editable '.[broker,image,dev]'
	@touch $@

$(VENV)/.dashboard: $(VENV)/.edge
	@$(call writable,$(VENV)); $(PIP) --editable '.[broker,dashboard,notify]'
	@touch $@

$(VENV)/.train: $(VENV)/.venv pyproject.toml
	@echo "Installing TensorFlow and the rest of training into $(VENV) (once; about 2 GB, some minutes) …"
	@$(call writable,$(VENV)); $(PIP) --editable '.[broker,train]'
	@touch $@ $(VENV)/.edge

$(VENV)/.unit: $(VENV)/.edge
	@echo "Installing what the fast tests need into $(VENV) (once; about 900 MB) …"
	@$(call writable,$(VENV)); $(PIP) --editable '.[broker,metrics,dashboard,notify,image,data,dev]'
	@touch $@

# --no-compile: the tests import a tenth of the modules, and Python compiles these at their first import.
$(VENV)/.dev: $(VENV)/.venv pyproject.toml
	@echo "Installing TensorFlow and all that the tests need into $(VENV) (once; about 3 GB, some minutes) …"
	@$(call writable,$(VENV)); $(PIP) --no-compile --editable '.[broker,metrics,dashboard,notify,postgres,image,train,dev]'
	@touch $(VENV)/.train $(VENV)/.edge $(VENV)/.unit $@

.PHONY: adopt audit bench broker-tools bundle card-tools check clean compare compile-tests convert dashboard dataset demo emulator evaluate evaluate-detector explore firstrun flash frontier help image install lint lint-with-all linux lock pi-test release run soak test test-tools train train-detector uninstall unit
