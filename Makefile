# Everything a person or CI runs. `make help` lists it.

# The environment that `make local` runs: Pulumi.$(STACK).yaml.
STACK ?= dev

# The command of the local run, built from this checkout, for this checkout: its path may have spaces.
BUILD := $(CURDIR)/.build/bin
LOCAL := '$(BUILD)/local' --root '$(CURDIR)'

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
local-run: driver ## Run one command of schedule now, in the local stack (NAME=report)
	@$(LOCAL) run '$(NAME)'

.PHONY: local-down
local-down: driver ## Destroy the local stacks and leave nothing behind; with STACK=name only that one
	@$(LOCAL) down $(if $(filter environment command,$(firstword $(origin STACK))),--stack $(STACK))

# What a team does with the stacks of an account, or, in a shell that has sourced .local/env, of the local run.
OPS := '$(BUILD)/ops'
ofStack = $(OPS) $(1) --stack '$(if $(filter environment command,$(firstword $(origin STACK))),$(STACK),$(error STACK is not given; as in: make $(1) STACK=prod))'

.PHONY: ops
ops:
	@go build -o '$(BUILD)/ops' ./ops

.PHONY: preview
preview: ops ## Show what an update would change, as a text (STACK=prod); with BASE=main both revisions run locally
	@$(if $(BASE),sh ops/compare.sh '$(STACK)' '$(BASE)',$(call ofStack,preview))

.PHONY: promote
promote: ops ## Deploy the images that another stack runs (FROM=staging TO=prod, YES=1)
	@$(OPS) promote --from '$(FROM)' --to '$(TO)' $(if $(YES),--yes)

.PHONY: rollback
rollback: ops ## Serve the previous revision at once, then bring the stack's file in line (STACK=prod)
	@$(call ofStack,rollback)

.PHONY: run
run: ops ## Run a command with the running image, and wait for it (STACK=prod CMD="npm run backfill")
	@$(call ofStack,run) -- $(CMD)

.PHONY: shell
shell: ops ## Open a shell in the app's container of one task (STACK=prod)
	@$(call ofStack,shell)

.PHONY: logs
logs: ops ## Print the logs of a stack and follow them (STACK=prod)
	@$(call ofStack,logs)

.PHONY: status
status: ops ## Show tasks, deployments and the last events of a stack (STACK=prod)
	@$(call ofStack,status)

.PHONY: verify
verify: ops ## Send a deployment the pattern's requests (URL=https://www.example.com, PATHS=/api; or STACK=prod)
	@$(if $(URL),$(OPS) verify --url '$(URL)' --paths '$(or $(PATHS),/api)' $(if $(filter environment command,$(firstword $(origin STACK))),--stack '$(STACK)'),$(call ofStack,verify))

# The driver of the local run. The Go build cache makes this cheap when nothing changed.
.PHONY: driver
driver:
	@command -v go >/dev/null || { echo "go is not on PATH; install it: https://go.dev/doc/install"; exit 1; }
	@test -x '$(BUILD)/local' || echo "  compile the local run (a minute the first time)"
	@cd local && go build -o '$(BUILD)/local' .

# What is done with this project itself; one that was made from its template has none of it.
-include project.mk
