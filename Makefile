# The front door: `make help` says what there is. Everything is built by CMake, see CMakePresets.json.

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 30
# The preset that `make test` and `make torture` use; `make test PRESET=tsan` is another way.
PRESET ?= $(if $(filter torture,$(MAKECMDGOALS)),release,dev)
JOBS := $(shell nproc)

setup = tools/setup.sh
# CMake's own globs and dependencies notice what changes below; the presets it reads only when told.
configure = { test build/$(1)/build.ninja -nt CMakePresets.json || cmake --preset $(1); }
build = $(configure) && cmake --build --preset $(1)
# Thread sanitizer's shadow memory wants a fixed layout.
quiet_layout = $(if $(filter tsan,$(PRESET)),setarch -R)
ctest = $(quiet_layout) ctest --preset $(PRESET) -j $(JOBS) --output-on-failure --no-label-summary

.DEFAULT_GOAL := release
.PHONY: release static test demo install bench fuzz torture tidy format format-check clean help

release: ## the program and its libraries, in build/release (plain `make`)
	@$(setup) build
	@$(call build,release) --target icecore icecore_dbghelp icecore_shared icecore_static

static: ## one program that runs on any x86-64 Linux, build/static/icecore
	@$(setup) build
	@$(call build,release) --target icecore_portable

test: static ## all tests, under the sanitizers (PRESET=dev)
	@$(setup) build test $(if $(findstring clang,$(PRESET)),clang)
	@$(quiet_layout) sh -c '$(call build,$(PRESET))'
	@$(ctest) -LE torture

demo: ## a program crashes: capture it, print the verdict and the stacks
	@$(setup) build
	@$(call build,release) --target icecore icecore_targets
	@tools/demo.sh

install: release ## to PREFIX (/usr/local) under DESTDIR
	@cmake --install build/release --prefix $(PREFIX)

bench: ## all benchmarks, ratios against other tools in the same run
	@$(setup) build test bench
	@cmake --preset release && cmake --build --preset release --target bench_programs
	@tools/bench.sh

fuzz: ## every fuzzer for FUZZ_SECONDS (30) each
	@$(setup) build fuzz
	@$(call build,fuzz) --target fuzz_programs
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tools/fuzz.sh

torture: ## the long, rough tests of tests/torture (PRESET=release)
	@$(setup) build test
	@cmake --preset $(PRESET) && cmake --build --preset $(PRESET) \
		--target icecore icecore_targets torture_programs
	@$(ctest) -L torture

tidy: ## clang-tidy over everything
	@$(setup) build test tidy
	@$(call build,tidy)

format: ## format the sources in place
	@$(setup) format
	@tools/format.sh

format-check: ## fail if `make format` would change anything
	@$(setup) format
	@tools/format.sh --check

clean: ## remove build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
