# FairBridge's Makefile: GNU make 4 and a POSIX shell. `make run`, `make demo`
# and `make test` only need Go as well; targets that need Python create a pinned
# virtual environment under .build/venv.

.SHELLFLAGS := -euc
.DELETE_ON_ERROR:

OUT := .build
FAIRBRIDGE := $(OUT)/fairbridge

# The Lambda functions run on arm64. The emulator runs them on its own machine, so
# the end-to-end tests set this to the host's architecture.
LAMBDA_GOARCH ?= arm64

# The mapping file that is put into the Lambda packages as fairbridge.yaml.
FAIRBRIDGE_CONFIG ?= fairbridge.yaml

# samconfig.toml's environment for package, deploy and undeploy (default, dev or
# prod), and the name of its stack.
ENV ?= default
STACK ?= $(shell sed -n '/^\[$(ENV)\.global/,/^\[/s/^stack_name = "\(.*\)"/\1/p' samconfig.toml)
ARGS ?=
FUZZTIME ?= 5s
PYTHON ?= python3

GOTOOL := go tool -modfile=tools/go.mod
VENV := $(OUT)/venv
CFN_LINT := $(VENV)/lint/bin/cfn-lint
CHECKOV := $(VENV)/checkov/bin/checkov
SAM := $(VENV)/sam/bin/sam
# SAM's usage reports are off. AWS's tools require a region even where none is
# used; a deploy goes to the region of the account's profile.
export SAM_CLI_TELEMETRY := 0
lint validate: export AWS_DEFAULT_REGION ?= us-east-1

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' Makefile

# --- on this machine ---------------------------------------------------------

.PHONY: run
run: $(FAIRBRIDGE) $(OUT)/foreground ## start the bridge here (ARGS="--listen 127.0.0.1:9000")
	@exec $(OUT)/foreground $(FAIRBRIDGE) run $(ARGS)

.PHONY: demo
demo: $(FAIRBRIDGE) ## send every payload in events/ through a temporary bridge and show the results
	@exec $(FAIRBRIDGE) demo $(ARGS)

# Go itself checks what is up to date, so these are always built.
.PHONY: $(FAIRBRIDGE) $(OUT)/foreground
# A first build compiles and downloads for minutes, during which Go prints nothing. So
# this prints a line, and on a terminal Go lists the packages. It is only checked if
# there is no binary or go.mod has changed since.
$(FAIRBRIDGE):
	@verbose=; \
	if [ ! -e $@ ] || [ go.mod -nt $@ ]; then \
		if ! stale=$$(GOPROXY=off go list -deps -f '{{if .Stale}}{{.ImportPath}}{{end}}' ./cmd/fairbridge 2>/dev/null) || \
			printf '%s\n' "$$stale" | grep -qvE '^(fairbridge/.*)?$$'; then \
			echo "Building fairbridge; the first build takes a few minutes" >&2; \
			if [ -t 2 ]; then verbose=-v; fi; \
		fi; \
	fi; \
	go build $$verbose -ldflags '-s -w' -o $@ ./cmd/fairbridge
$(OUT)/foreground:
	@go build -C tools -o ../$@ ./foreground

# --- tests -------------------------------------------------------------------

# Go prints a package's line once all packages before it are done, and a first build
# takes minutes, so a line is printed first. TIMEOUT is the limit for the tests of one
# package, after which go test prints what hangs.
TIMEOUT ?= 10m

# Tests keep little memory and allocate much: with less frequent garbage collection they
# take a tenth less time. One package more than there are processors is tested at a time,
# since some tests wait for a real minute.
.PHONY: test
test race: export GOGC ?= 400
test: ## run every test (TIMEOUT=10m for each package, ARGS="-run Lease")
	@echo "Testing every package; the first time, compiling what they need takes a few minutes"
	@go test -p $$(($$(getconf _NPROCESSORS_ONLN) + 1)) -timeout $(TIMEOUT) ./... $(ARGS)

# The race detector makes the tests several times as slow, and needs cgo: a C
# compiler and the C library's headers.
.PHONY: race
PACKAGES ?= ./...
race: TIMEOUT = 30m
race: ## run every test under the race detector, in another order each time (PACKAGES=./pkg/worker)
	@[ "$$(go env CGO_ENABLED)" = 1 ] && echo '#include <stdlib.h>' | $$(go env CC) -x c -fsyntax-only - 2>/dev/null || \
	{ echo "make race: the race detector needs a C compiler and cgo (CGO_ENABLED=1)" >&2; exit 1; }
	@echo "Testing with the race detector; the first time, compiling what they need takes minutes"
	@go test -race -shuffle=on -timeout $(TIMEOUT) $(PACKAGES) $(ARGS)

# Without the race detector: the code under test runs in other processes.
# The console's pages in a real Chromium, with axe-core for accessibility. Both are
# installed if they are missing.
AXE := $(OUT)/axe/node_modules/axe-core/axe.min.js

.PHONY: browser
browser: $(AXE) ## test the console's pages in Chromium (ARGS="-v -run Journey")
	@command -v chromium >/dev/null || { \
		echo "installing chromium"; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -qq -y --no-install-recommends chromium fonts-liberation >/dev/null; }
	AXE=$(abspath $(AXE)) go test -tags browser -count=1 -parallel 1 -timeout 10m -run 'Browser' ./pkg/console $(ARGS)

$(AXE): tools/package.json tools/package-lock.json
	@echo "installing axe-core into $(OUT)/axe"
	@rm -rf $(OUT)/axe && mkdir -p $(OUT)/axe && cp tools/package.json tools/package-lock.json $(OUT)/axe/
	@cd $(OUT)/axe && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

.PHONY: e2e
e2e: $(VENV)/emulator/installed $(VENV)/sam/installed ## deploy the stack on a local AWS emulator and test it (ARGS="-v -run Redrive")
	go test -tags e2e -count=1 -timeout 15m ./test/e2e $(ARGS)

# Other implementations of SQS and DynamoDB, and the deployed packages for arm64. Java
# and QEMU must be installed; a missing one is named.
.PHONY: standins
standins: $(VENV)/moto/installed $(OUT)/elasticmq/installed $(OUT)/aws-lambda-rie ## test the bridge with ElasticMQ, moto and AWS's runtime emulator (ARGS="-v -run TestRedrive")
	go test -tags e2e -count=1 -timeout 10m ./test/standins $(ARGS)

$(OUT)/elasticmq/installed: tools/elasticmq/pom.xml
	@command -v mvn >/dev/null || { echo "make standins: ElasticMQ is fetched by Maven (Debian: apt-get install maven)" >&2; exit 1; }
	@echo "installing ElasticMQ into $(@D)"
	@mvn --quiet --batch-mode --file $< dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/$(@D)
	@touch $@

$(OUT)/aws-lambda-rie: tools/rie/go.mod
	@go build -C tools/rie -o $(CURDIR)/$@ github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie

.PHONY: chaos
chaos: ## send 1,000 deliveries through faults, kills, duplicates and storms; nothing may be lost or doubled (ARGS="--seed 7 --park", --short)
	@go run ./test/chaos $(ARGS)

# As root: the image's test mounts file systems, and nginx is started by root.
.PHONY: deploy-check
DEPLOY_PROGRAMS := systemd-analyze nginx caddy promtool buildah
deploy-check: image-context ## check the files in deploy/ with systemd, nginx, Caddy, promtool and buildah, and send webhooks through them
	@for program in $(DEPLOY_PROGRAMS); do command -v $$program >/dev/null || \
	{ echo "make deploy-check: there is no $$program; Debian has it: apt-get install systemd nginx-light caddy prometheus buildah" >&2; exit 1; }; done
	@cd deploy && go tool -modfile=../tools/go.mod github.com/compose-spec/compose-go/v2/cmd -no-interpolation -format json compose.yaml >../$(OUT)/compose.json
	go test -tags deploy -count=1 $(if $(filter-out 0,$(shell id -u)),-exec 'sudo --preserve-env=PATH') -run '^TestDeploy' ./cmd/fairbridge $(ARGS)

# The content of the image. The binary is built here and not in a stage of the image, so
# that its version has the commit, and it is the one that was tested.
IMAGE := $(OUT)/image
IMAGE_NAME ?= localhost/fairbridge
AUTHORITIES ?= $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))

.PHONY: image-context
image-context: ## prepare the content of the container image in .build/image (IMAGE_GOARCH=arm64)
	@[ -n '$(AUTHORITIES)' ] || { echo "make image: there is no bundle of CA certificates (Debian: apt-get install ca-certificates); name one with AUTHORITIES=" >&2; exit 1; }
	@rm -rf $(IMAGE) && mkdir -p $(IMAGE)/data && cp -L '$(AUTHORITIES)' $(IMAGE)/ca-certificates.crt
	CGO_ENABLED=0 GOOS=linux $(if $(IMAGE_GOARCH),GOARCH=$(IMAGE_GOARCH)) go build -trimpath -ldflags '-s -w' -o $(IMAGE)/fairbridge ./cmd/fairbridge

.PHONY: image
image: image-context ## build the container image with docker, podman or buildah (IMAGE_NAME=localhost/fairbridge)
	@for engine in docker podman buildah; do command -v $$engine >/dev/null || continue; \
		case $$engine in docker) format= ;; *) format='--format docker' ;; esac; \
		exec $$engine build $$format --tag '$(IMAGE_NAME)' --file deploy/Containerfile $(IMAGE); done; \
	echo "make image: there is none of docker, podman and buildah" >&2; exit 1

.PHONY: fuzz-short
fuzz-short: ## run every fuzz target for FUZZTIME (5s)
	@mkdir -p $(OUT)
	@go test -list '^Fuzz' ./... >$(OUT)/fuzz-list
	@awk '/^Fuzz/{name[++n]=$$1} /^ok/{for(i=1;i<=n;i++) print $$2, name[i]; n=0}' $(OUT)/fuzz-list | \
	while read -r package target; do \
		go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$package"; \
	done

.PHONY: bench
bench: ## measure speed, memory and cost, each beside a floor in the same run (ARGS=--short, --json, --save)
	@go run ./test/bench $(ARGS)

.PHONY: lint
lint: $(VENV)/lint/installed ## gofmt, go vet, staticcheck, govulncheck, cfn-lint
	@unformatted=$$(gofmt -l $(wildcard cmd events functions pkg test tools)); \
	if [ -n "$$unformatted" ]; then printf 'gofmt would change:\n%s\n' "$$unformatted"; exit 1; fi
	go vet -tags e2e,browser,deploy,release ./...
	go -C tools vet ./...
	$(GOTOOL) staticcheck -tags e2e,browser,deploy,release ./...
	@$(MAKE) --no-print-directory vulncheck
	$(CFN_LINT)

# A vulnerability in reachable code fails (exit code 3). An unreachable database must
# not fail: it means nothing for the code.
.PHONY: vulncheck
vulncheck: ## look for known vulnerabilities in reachable code
	@mkdir -p $(OUT)
	@code=0; $(GOTOOL) govulncheck ./... >$(OUT)/govulncheck.txt 2>&1 || code=$$?; \
	if grep -q '^govulncheck: fetching vulnerabilities' $(OUT)/govulncheck.txt; then \
		echo "govulncheck: skipped, its database cannot be reached from here"; \
	else cat $(OUT)/govulncheck.txt; exit $$code; fi

.PHONY: validate
validate: $(VENV)/lint/installed $(VENV)/sam/installed $(VENV)/checkov/installed ## check template.yaml with sam validate, cfn-lint and checkov
	$(SAM) validate --lint
	$(CFN_LINT)
	$(CHECKOV) --config-file .checkov.yaml

# --- for AWS -----------------------------------------------------------------

.PHONY: build
build: build-config ## build both Lambda packages into .build/lambda, without SAM
	$(call lambda,ingest,$(OUT)/lambda/ingest)
	$(call lambda,worker,$(OUT)/lambda/worker)

# `sam build` runs this for each function (Metadata BuildMethod: makefile).
.PHONY: build-IngestFunction build-WorkerFunction
build-IngestFunction: build-config
	$(call lambda,ingest,$(ARTIFACTS_DIR))
build-WorkerFunction: build-config
	$(call lambda,worker,$(ARTIFACTS_DIR))

# An invalid mapping file fails here, not in the first invocation.
.PHONY: build-config
build-config:
	@go run ./cmd/fairbridge check --config '$(FAIRBRIDGE_CONFIG)'

# lambda FOLDER,TARGET: one function's package. It has no symbol table, paths, build
# id or commit, so the same source gives the same bytes, and a deploy updates only
# functions that have changed.
define lambda
mkdir -p '$(2)'
CGO_ENABLED=0 GOOS=linux GOARCH=$(LAMBDA_GOARCH) go build -buildvcs=false -tags lambda.norpc,nethttpomithttp2 -trimpath \
	-ldflags '-s -w -buildid=' -o '$(2)/bootstrap' ./functions/$(1)
cp '$(FAIRBRIDGE_CONFIG)' '$(2)/fairbridge.yaml'
endef

# The files of a release, for every platform or those of ARGS. The first time
# everything is compiled for each platform.
RELEASE := $(OUT)/release

.PHONY: release-snapshot
release-snapshot: build ## build the files of a release into .build/release (ARGS="--only linux/amd64,windows/arm64")
	@command -v dpkg-deb >/dev/null || { echo "make release-snapshot: there is no dpkg-deb to make the .deb with (Debian: dpkg; Homebrew: dpkg)" >&2; exit 1; }
	@go run -C tools ./release --out ../$(RELEASE) --functions ../$(OUT)/lambda $(ARGS)
	@ls -l $(RELEASE)

# As root, since the tests install into root folders of their own.
.PHONY: release-check
release-check: $(VENV)/sam/installed $(VENV)/checkov/installed ## install the files of release-snapshot and send webhooks, without Go (ARGS="-v -run Readme")
	@[ -e $(RELEASE)/checksums.txt ] || { echo "make release-check: make release-snapshot first" >&2; exit 1; }
	go test -tags release -count=1 $(if $(filter-out 0,$(shell id -u)),-exec 'sudo --preserve-env=PATH') ./test/release $(ARGS)

.PHONY: package
package: $(VENV)/sam/installed ## sam build and upload; the template to deploy is .build/packaged.yaml (ENV=prod)
	@mkdir -p $(OUT)
	$(SAM) build --config-env $(ENV)
	$(SAM) package --config-env $(ENV) --output-template-file $(OUT)/packaged.yaml

.PHONY: deploy
deploy: $(VENV)/sam/installed $(FAIRBRIDGE) ## sam build and deploy (ENV=prod; ARGS=--guided the first time)
	@name='$(STACK)'; [ $${#name} -le 57 ] || \
	{ echo "make deploy: $$name is $${#name} characters long; the names of its functions leave a stack 57" >&2; exit 1; }
	$(SAM) build --config-env $(ENV)
	$(SAM) deploy --config-env $(ENV) --stack-name '$(STACK)' $(ARGS)
	$(FAIRBRIDGE) check --stack '$(STACK)'

.PHONY: undeploy
undeploy: $(FAIRBRIDGE) ## delete the stack, unless feedback would be lost (ENV=prod; ARGS="--export FILE")
	$(FAIRBRIDGE) undeploy --stack '$(STACK)' $(ARGS)

# --- tools -------------------------------------------------------------------

# One virtual environment per tool: checkov's and SAM's requirements conflict. Every
# version is pinned; CONTRIBUTING.md describes how to update them.
$(VENV)/%/installed: tools/python/%.txt
	@echo "installing $< into $(@D)"
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

.PHONY: clean
clean: ## remove build output; queue, ledger and secrets in .fairbridge/ stay
	rm -rf $(OUT) .aws-sam
