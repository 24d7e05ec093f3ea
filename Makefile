# Targets of the project; `make` lists them. Everything a target needs comes with `make setup`.
SHELL := /bin/bash
NODE_BIN := $(CURDIR)/node_modules/node/bin
export PATH := $(NODE_BIN):$(CURDIR)/node_modules/.bin:$(CURDIR)/.tools/go/bin:$(PATH)
.DEFAULT_GOAL := help
IN_ORDER := $(if $(filter random,$(ORDER)),--sequence.shuffle.tests --sequence.shuffle.files)
.PHONY: help setup build guest guest-verify generate demo check test test-bare coverage test-size mutate bench soak smoke-use-cases smoke-cold-start-validation smoke-repro-fix-loop smoke-parallel-workspaces smoke-untrusted-inspection smoke-review-eval smoke-daily-loop test-hosts test-packages dist-check fuzz clean release lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 30

setup: ## install what is needed, build pyro, the guest kit and the debian:12 environment
	@scripts/setup.sh

build: ## bundle dist/main.js
	@node scripts/build.ts

guest: ## build the guest kit (kernel and initramfs) into dist/guest
	@guest/kit/build.sh dist/guest

guest-verify: ## build the guest kit twice, in different folders, and compare the bytes
	@guest/kit/build.sh --verify

generate: build ## write the generated reference pages again
	@node scripts/generate.ts

demo: setup ## set-up, then the main job on real input
	@bin/pyro demo

check: setup ## set-up, then every gate and test; ORDER=random for the tests in random order
	@scripts/check.sh

test: build ## unit and contract tests only, no guest
	@vitest run --project unit --project contract $(IN_ORDER)

coverage: build ## what the tests without a guest cover, held against test/coverage-floor.json; RAISE=1 raises that
	@vitest run --project unit --project contract --coverage
	@cd guest && go test -coverprofile=../coverage/go.cover ./... >/dev/null
	@node scripts/coverage.ts coverage/coverage-summary.json coverage/go.cover $(if $(RAISE),--raise)

test-bare: ## set-up, demo and make check in a bare Debian 12, made for it and removed (root); TESTS='--project unit' for a part
	@scripts/test-bare.sh $(TESTS)

test-size: build ## outputs and changes at full size, up to a GiB and 100,000 files (make check has the smaller half)
	@PYRO_SIZE=full vitest run --project size

# Its packages lie apart: nothing else needs them. They find vitest in node_modules, above.
mutate: build ## change the pure parts in small ways and see whether a test notices; ONLY=src/a.ts,src/b.ts for some; writes test/mutation.md
	@[ -x .tools/stryker/node_modules/.bin/stryker ] || npm install --prefix .tools/stryker --no-save --legacy-peer-deps --ignore-scripts @stryker-mutator/core@10.1.1 @stryker-mutator/vitest-runner@10.1.1
	@.tools/stryker/node_modules/.bin/stryker run stryker.config.json $(if $(ONLY),--mutate $(ONLY))
	@node scripts/mutation-result.ts

bench: build ## measure; writes bench/results
	@node bench/run.ts
	@node bench/workspaces.ts
	@node bench/changes.ts
	@node bench/network.ts
	@node bench/full-profile.ts

soak: build ## SOAK_MINUTES=30 of mixed work beside hostile guests, then all tests with full counts (hours under emulation); PARTS=mixed for a part
	@node test/soak/run.ts $(PARTS)

test-hosts: setup ## the real Claude Code, Codex and OpenCode, offline (installs them into a cache first)
	@scripts/test-hosts.sh

dist-check: build guest ## pack the package, install it in an empty place and run the whole journey there
	@node scripts/dist-check.ts

test-packages: setup ## real installs by apt, npm, pip, Go and Cargo in guests, and the environments for building and agents, from this machine's sources
	@PYRO_PACKAGES=1 vitest run --project guest test/guest/packages.test.ts test/guest/debian-environments.test.ts

fuzz: ## fuzz what reads foreign bytes, led by coverage; FUZZ_SECONDS=10 for each target, FUZZ_SEED to start elsewhere
	@scripts/fuzz.sh

clean: ## remove what was built
	@rm -rf dist coverage

smoke-use-cases: setup ## the five recipes with real guests, through an MCP client; transcripts in artifacts/recipes
	@node test/recipes/run.ts

smoke-cold-start-validation: setup ## one recipe: does a fresh clone work?
smoke-repro-fix-loop: setup ## one recipe: reproduce, fix, prove
smoke-parallel-workspaces: setup ## one recipe: two attempts side by side
smoke-untrusted-inspection: setup ## one recipe: look at code that nobody trusts
smoke-review-eval: setup ## one recipe: review with a way back
smoke-cold-start-validation smoke-repro-fix-loop smoke-parallel-workspaces smoke-untrusted-inspection smoke-review-eval:
	@node test/recipes/run.ts $(@:smoke-%=%)

smoke-daily-loop: setup ## doctor, prepare, connect, create, reset, delete
	@node test/recipes/daily-loop.ts

release: ## the files of a release, VERSION=5.0.0, and after it of what comes next, NEXT=5.1.0; see CONTRIBUTING.md
	@node scripts/release.ts $(if $(NEXT),--next $(NEXT),$(VERSION))

# npm writes a lock file without the packages of other platforms when it finds node_modules, and `npm ci` then refuses it:
# so the file is made in an empty folder. Versions that are locked stay, but with FRESH=1. Addresses stay out by .npmrc.
lock: ## resolve the npm packages again after a change of package.json; FRESH=1 for the newest of what they need
	@dir=$$(mktemp -d) && cp package.json .npmrc $(if $(FRESH),,package-lock.json) $$dir && (cd $$dir && npm install --package-lock-only --ignore-scripts) && mv $$dir/package-lock.json . && rm -rf $$dir
