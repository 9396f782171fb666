# Everything a person or CI runs. `make help` lists it.

# The environment that `make local` runs: Pulumi.$(STACK).yaml.
STACK ?= dev

# The command of the local run, built from this checkout, for this checkout: its path may have spaces.
BUILD := $(CURDIR)/.build/bin
LOCAL := '$(BUILD)/local' --root '$(CURDIR)'

# Tools of `make check`, built from the Go module proxy at these versions.
GOLANGCI   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.11.4
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

# Each folder is a Go module of its own, so that nothing of the local run or the benchmark reaches the program.
MODULES := . local local/offline/plugins bench images/app-go

# A workspace file in a folder above does not know these modules.
export GOWORK := off

.DEFAULT_GOAL := help
.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: local
local: driver ## Run the whole stack on this machine, without an AWS account (STACK=dev)
	@$(LOCAL) up --stack $(STACK)

.PHONY: local-status
local-status: driver ## Show what the local run is doing
	@$(LOCAL) status

.PHONY: local-logs
local-logs: driver ## Print the containers' logs and follow them
	@$(LOCAL) logs

.PHONY: local-run
local-run: driver ## Run one of scheduledTasks now, in the local stack (NAME=report)
	@$(LOCAL) run '$(NAME)'

.PHONY: local-down
local-down: driver ## Destroy the local stacks and leave nothing behind; with STACK=name only that one
	@$(LOCAL) down $(if $(filter environment command,$(firstword $(origin STACK))),--stack $(STACK))

.PHONY: test
test: driver ## Run all tests, the end-to-end ones included
	@$(LOCAL) with-docker -- $(MAKE) --no-print-directory test-all

# Everything below needs a Docker engine, which `make test` starts for as long as it runs. Tests that flood, time out and
# count come first and one package at a time: others beside them would disturb them. The benchmark's are among them, because
# Docker's older builder fails for an image from scratch if any other image is removed at that moment. The end-to-end tests
# wait most of the time: three of them run side by side, the longest first, and then what only computes; with -k, a test that
# fails hides no other. Last come the faults, alone, because a busy machine makes healthy tasks fail their checks. The make of
# macOS, 3.81, knows no --output-sync.
.PHONY: test-all
test-all: base-images
	@: >$(TIMES)
	@$(MAKE) --no-print-directory test-images test-local test-bench
	@$(MAKE) --no-print-directory -k -j3 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) $(E2E) test-program test-plugins
	@$(MAKE) --no-print-directory test-faults
	@echo "where the time went:" && sort -k2 -rn $(TIMES)

E2E := test-moves test-others test-life test-apps test-api test-files

# timed writes down how long the commands of a target take.
TIMES := '$(BUILD)/test-times'
timed = @start=$$(date +%s); { $(2); } || exit 1; printf '  %-14s %4d s\n' $(1) $$(($$(date +%s) - start)) >>$(TIMES)

.PHONY: base-images
base-images: driver
	@$(LOCAL) base-images

.PHONY: test-images
test-images: ## Attack, flood and measure the images (needs Docker)
	$(call timed,test-images,go test -p 1 -timeout 30m ./images/... && cd images/app-go && go test ./...)

.PHONY: test-local
test-local: ## Test the parts of the local run (needs Docker)
	$(call timed,test-local,cd local && go test -p 1 -timeout 30m $$(go list ./... | grep -v /e2e))

.PHONY: test-program
test-program: ## Test the program under mocks
	# Last the firewall against the SDK's own types, whose package takes a minute to compile: not for every run of the others.
	$(call timed,test-program,go test ./infra/... ./examples/... && go test -tags wafv2 ./infra/waf)

.PHONY: test-plugins
test-plugins: ## Test the stand-ins for Pulumi's plugins (needs Docker)
	$(call timed,test-plugins,cd local/offline/plugins && go test ./...)

.PHONY: test-bench
test-bench: ## Test the benchmark itself
	$(call timed,test-bench,cd bench && go test ./...)

.PHONY: test-e2e
test-e2e: $(E2E) ## Deploy, change, break and destroy the real stacks locally (needs Docker)

.PHONY: $(E2E)
test-moves: ONLY = -run TheStackMoves
test-life: ONLY = -run Life
test-apps: ONLY = -run Apps
test-api: ONLY = -run HTTPAPI
test-files: ONLY = -run StaticFile
test-others: ONLY = -skip 'TheStackMoves|Life|Apps|HTTPAPI|StaticFile'
$(E2E):
	$(call timed,$@,cd local && go test -count=1 -timeout 60m -v ./e2e $(ONLY))

.PHONY: test-loopback
test-loopback: ## Run stacks on engines as in Docker Desktop, in network namespaces, and kill one (Linux, root; minutes)
	cd local && OWN_LOOPBACK=yes go test -count=1 -timeout 30m -v ./e2e -run 'LoopbackOfItsOwn|SurvivesItsEngine'

.PHONY: test-faults
test-faults: base-images ## Deploy under load, break a deploy, and kill an app, in a stack of their own (needs Docker; minutes)
	$(call timed,test-faults,cd local && FAULTS=yes go test -count=1 -timeout 30m -v ./faults -run 'AStack')

.PHONY: faults
faults: driver ## Make a running stack suffer and write docs/reliability.md (PART=rollouts, deploys, serving or soak)
	@$(LOCAL) with-docker -- sh -c "$(LOCAL) base-images && cd local && go run ./cmd/faults $(if $(PART),-part '$(PART)') $(if $(FAULT),-fault '$(FAULT)') $(if $(SEED),-seed '$(SEED)')"

.PHONY: docs
docs: ## Write the generated tables of the documents anew, all but what is measured
	go test ./infra -run Document -update
	go test ./images/nginx -run Document -update

.PHONY: check
check: format vet tidy lint workflows test ## Format, vet, tidy, lint and test; fails, too, when a generated document is stale

.PHONY: format
format: ## Fail when a Go file is not formatted
	@files=$$(gofmt -l .); test -z "$$files" || { echo "not formatted, run gofmt -w:"; echo "$$files"; exit 1; }

.PHONY: vet
vet: ## Run go vet over every module
	@for module in $(MODULES); do echo "go vet $$module"; (cd $$module && go vet ./...) || exit 1; done

.PHONY: tidy
tidy: ## Fail when a go.mod does not name exactly the modules that the code needs
	@for module in $(MODULES); do echo "go mod tidy $$module"; (cd $$module && go mod tidy -diff) || { echo "run go mod tidy in $$module"; exit 1; }; done

.PHONY: lint
lint: ## Run golangci-lint over every module
	@for module in $(MODULES); do echo "golangci-lint $$module"; (cd $$module && go run $(GOLANGCI) run ./...) || exit 1; done

.PHONY: workflows
workflows: ## Check the GitHub workflows
	go run $(ACTIONLINT)

.PHONY: bench
bench: driver ## Measure the sidecar beside other proxies and draw docs/benchmark.md
	@$(LOCAL) with-docker -- sh -c "$(LOCAL) base-images && cd bench && go run . $(BENCH)"

.PHONY: bench-quick
bench-quick: ## Print rough tables of the benchmark and change no file
	@$(MAKE) --no-print-directory bench BENCH=-quick

# The driver of the local run. The Go build cache makes this cheap when nothing changed.
.PHONY: driver
driver:
	@command -v go >/dev/null || { echo "go is not on PATH; install it: https://go.dev/doc/install"; exit 1; }
	@cd local && go build -o '$(BUILD)/local' .
