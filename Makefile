# Targets of the project; `make` lists them. Everything a target needs comes with `make setup`.
SHELL := /bin/bash
NODE_BIN := $(CURDIR)/node_modules/node/bin
export PATH := $(NODE_BIN):$(CURDIR)/node_modules/.bin:$(PATH)
.DEFAULT_GOAL := help
.PHONY: help setup build guest generate demo check test bench soak smoke-use-cases smoke-cold-start-validation smoke-repro-fix-loop smoke-parallel-workspaces smoke-untrusted-inspection smoke-review-eval smoke-daily-loop test-hosts dist-check fuzz clean lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

setup: ## install what is needed, build pyro, the guest kit and the debian:12 environment
	@scripts/setup.sh

build: ## bundle dist/main.js
	@node scripts/build.ts

guest: ## build the guest kit (kernel and initramfs) into dist/guest
	@guest/kit/build.sh dist/guest

generate: build ## write the generated reference pages again
	@node scripts/generate.ts

demo: setup ## set-up, then the main job on real input
	@bin/pyro demo

check: setup ## set-up, then every gate and test
	@scripts/check.sh

test: build ## unit and contract tests only, no guest
	@vitest run --project unit --project contract

bench: ## measure; writes bench/results
	@node bench/run.ts

soak: ## the guest tests with full counts (hours under emulation)
	@PYRO_SOAK=1 vitest run --project guest

test-hosts: setup ## the real Claude Code, Codex and OpenCode, offline (installs them into a cache first)
	@scripts/test-hosts.sh

fuzz: ## fuzz the parsers that read foreign bytes
	@cd guest && go test ./internal/channel -run '^$$' -fuzz FuzzScanner -fuzztime 60s

clean: ## remove what was built
	@rm -rf dist coverage

smoke-use-cases smoke-cold-start-validation smoke-repro-fix-loop smoke-parallel-workspaces smoke-untrusted-inspection smoke-review-eval smoke-daily-loop dist-check:
	@echo "$@ comes with the workspaces over MCP; this version has none yet" >&2; exit 2

lock: ## resolve the npm packages again, without download addresses in the lock file
	@rm -rf node_modules package-lock.json && npm install && sed -i '/^ *"resolved": /d' package-lock.json
