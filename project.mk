# What is done with this project itself: rename it, render its template, test it, measure it.

# Tools of `make check`, built from the Go module proxy at these versions.
GOLANGCI   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.11.4
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

# Each folder is a Go module of its own, so that nothing of the local run or the benchmark reaches the program.
MODULES := . local local/offline/plugins bench images/app-go

.PHONY: rename
rename: ## Give the project another name: Pulumi.yaml, Go module, stack files, documents (NAME=shop)
	@go run ./ops/project rename '$(NAME)'

.PHONY: template
template: ## Write the folder from which `pulumi new` makes a project of its own (DIR=../template)
	@go run ./ops/project template '$(DIR)'

# Both need a Docker engine, which they start for as long as they run. The gate is what every change has to pass: each claim once,
# within minutes. All tests are the gate's and those that take long: floods, jumps of the clock, the benchmark, apps of
# others, interruptions, faults. A part that fails hides no other.
.PHONY: test
test: driver ## Run the gate: the tests that every change has to pass
	@$(LOCAL) with-docker -- $(MAKE) --no-print-directory parts BESIDE='$(GATE_BESIDE)' SHORT=-test.short

.PHONY: test-all
test-all: driver ## Run all tests (over an hour)
	@$(LOCAL) with-docker -- $(MAKE) --no-print-directory parts ALONE='$(ALL_ALONE)' BESIDE='$(ALL_BESIDE)' LAST=test-faults

# In the gate, the longest first, three parts side by side: the end-to-end lanes wait most of the time, and what runs beside them neither
# floods nor times. Of all tests, what floods, times and counts runs before that, one after the other, because others would disturb it,
# and the benchmark's, because Docker's older builder fails for an image from scratch if any other image is removed at that moment. The
# faults come last, alone, because a busy machine makes healthy tasks fail their checks. The make of macOS, 3.81, has no --output-sync.
GATE_BESIDE := lane-life gate-images lane-production test-program test-local test-plugins
ALL_ALONE   := test-images test-local test-bench
ALL_BESIDE  := lane-team lane-failures lane-moves lane-life lane-others lane-apps lane-ways lane-files lane-production test-program test-plugins

.PHONY: parts
parts: base-images
	@: >$(TIMES); rm -f '$(LOGS)'/*.failed; failed=; \
	$(if $(ALONE),$(MAKE) --no-print-directory -k $(ALONE) || failed=yes;) \
	$(MAKE) --no-print-directory -k -j3 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) $(BESIDE) || failed=yes; \
	$(if $(LAST),$(MAKE) --no-print-directory $(LAST) || failed=yes;) \
	$(whatFailed); echo "where the time went:"; sort -k2 -rn $(TIMES); test -z "$$failed"

# timed writes down what the commands of a target print, how long they take, and whether they failed.
TIMES := '$(BUILD)/test-times'
LOGS  := $(BUILD)/test-logs
timed = @start=$$(date +%s); mkdir -p '$(LOGS)'; rm -f '$(LOGS)/$(1).failed'; \
	{ { $(2); } 2>&1 || : >'$(LOGS)/$(1).failed'; } | tee '$(LOGS)/$(1)'; test -e '$(LOGS)/$(1).failed' && word=failed || word=; \
	printf '  %-16s %5d s %s\n' $(1) $$(($$(date +%s) - start)) $$word >>$(TIMES); test -z "$$word"

# whatFailed repeats the messages of failed parts at the end, where they are found: thousands of lines lie between.
whatFailed = for part in '$(LOGS)'/*.failed; do test -e "$$part" || continue; echo "what failed in $$(basename "$$part" .failed):"; \
	grep -E -- '--- FAIL|_test\.go:[0-9]+: |^panic: |^FAIL' "$${part%.failed}" | grep -vE '_test\.go:[0-9]+: local [a-z]+ ' | tail -40; done

.PHONY: base-images
base-images: driver
	@$(LOCAL) base-images

# Tests of the images that are not in the gate: they flood, wait for minutes, time, compare with the pattern, run
# frameworks, or repeat the attacks in more modes and on older releases.
SLOW_IMAGES := Flood|BurstOf|SlowReaders|JumpOfTheClock|ClockJumps|FollowsTheClock|ClockThatIsSetBack|Within100Milliseconds|Thousands|OlderReleases|DocumentRoot|FrontController|Django|AFramework|InABrowser|SocketIO|PatternsDirectives|TimeInProportion|NobodyHasAnnounced|OutsideTheContract/(behind|beside|with_.*(slash|percent|dots|semicolon|forms|bodies))

.PHONY: gate-images
gate-images:
	$(call timed,$@,go test -p 1 -timeout 60m -skip '$(SLOW_IMAGES)' ./images/... && cd images/app-go && go test ./...)

.PHONY: test-images
test-images: driver ## Attack, flood and measure the images (needs Docker)
	@$(LOCAL) base-images images/nginx/testdata/php/Dockerfile
	$(call timed,$@,go test -p 1 -timeout 60m ./images/... && cd images/app-go && go test ./...)

.PHONY: test-local
test-local: ## Test the parts of the local run (needs Docker)
	$(call timed,$@,cd local && go test -p 1 -timeout 30m $$(go list ./... | grep -v /e2e))

.PHONY: test-program
test-program: ## Test the program under mocks
	# Last the firewall against the SDK's own types, whose package takes a minute to compile: not for every run of the others.
	$(call timed,$@,go test $(if $(SHORT),-short) ./infra/... ./ops/... ./bootstrap/... ./examples/... && go test -tags wafv2 ./infra/waf)

.PHONY: test-plugins
test-plugins: ## Test the stand-ins for Pulumi's plugins (needs Docker)
	$(call timed,$@,cd local/offline/plugins && go test ./...)

.PHONY: test-bench
test-bench: ## Test the benchmark itself
	$(call timed,$@,cd bench && go test ./...)

# The end-to-end tests are compiled once for all lanes.
.PHONY: e2e
e2e:
	@cd local && go test -c -o '$(BUILD)/e2e.test' ./e2e

LANES := lane-team lane-failures lane-life lane-ways lane-production lane-moves lane-apps lane-files lane-others
.PHONY: test-e2e $(LANES)
test-e2e: $(LANES) ## Deploy, change, break and destroy the real stacks locally (needs Docker)

lane-life:       ONLY = -test.run Life
lane-ways:       ONLY = -test.run 'Share|HTTPAPI'
lane-production: ONLY = -test.run 'Production|Refused'
lane-team:       ONLY = -test.run ATeam
lane-moves:      ONLY = -test.run TheStackMoves
lane-apps:       ONLY = -test.run Apps
lane-files:      ONLY = -test.run StaticFile
lane-failures:   ONLY = -test.run EveryFailure
lane-failures:   export FAILURES = all
lane-others:     ONLY = -test.skip 'EveryFailure|ATeam|Life|Share|HTTPAPI|Production|Refused|TheStackMoves|Apps|StaticFile'
$(LANES): e2e
	$(call timed,$@,cd local/e2e && '$(BUILD)/e2e.test' -test.timeout 60m -test.v $(SHORT) $(ONLY))

.PHONY: test-failures
test-failures: base-images ## Produce every failure of docs/troubleshooting.md on the local stack; UPDATE=yes writes it, FAILURES=crash,tls produces some (needs Docker)
	cd local && FAILURES='$(or $(FAILURES),all)' go test -count=1 -timeout 120m -v ./e2e -run EveryFailure $(if $(UPDATE),-update)

.PHONY: test-loopback
test-loopback: ## Run stacks on engines as in Docker Desktop, in network namespaces, and kill one (Linux, root; minutes)
	cd local && OWN_LOOPBACK=yes go test -count=1 -timeout 30m -v ./e2e -run 'LoopbackOfItsOwn|SurvivesItsEngine'

.PHONY: test-faults
test-faults: base-images ## Deploy under load, break a deploy, and kill an app, in a stack of their own (needs Docker; minutes)
	$(call timed,$@,cd local && FAULTS=yes go test -count=1 -timeout 30m -v ./faults -run 'AStack')

.PHONY: faults
faults: driver ## Make a running stack suffer and write docs/reliability.md (PART=rollouts, deploys, serving or soak)
	@$(LOCAL) with-docker -- sh -c "$(LOCAL) base-images && cd local && go run ./cmd/faults $(if $(PART),-part '$(PART)') $(if $(FAULT),-fault '$(FAULT)') $(if $(SEED),-seed '$(SEED)')"

.PHONY: docs
docs: ## Write the generated tables of the documents anew, all but what is measured
	go test ./infra -run Document -update
	go test ./images/nginx -run Document -update
	go test ./bootstrap -run Document -update

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
