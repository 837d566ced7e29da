# "make" prints what can be made. Needed: Go, git and make; for the race
# detector also a C compiler, for the image Docker.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
IMAGE   ?= plumbline:$(VERSION)

# The Kubernetes of the tests and the demo; test/controlplane/go.mod decides.
KUBERNETES      := $(shell sed -n 's|^[[:space:]]*k8s.io/kubernetes \(v[0-9.]*\).*|\1|p' test/controlplane/go.mod)
KUBERNETES_PART  = $(word $(1),$(subst ., ,$(KUBERNETES:v%=%)))
KUBERNETES_FLAGS = -s -w \
	-X k8s.io/component-base/version.gitVersion=$(KUBERNETES) \
	-X k8s.io/component-base/version.gitMajor=$(call KUBERNETES_PART,1) \
	-X k8s.io/component-base/version.gitMinor=$(call KUBERNETES_PART,2) \
	-X k8s.io/client-go/pkg/version.gitVersion=$(KUBERNETES)
DEPLOYERS            = bin/helm-v3 bin/helm-v4 bin/gitops
CONTROLPLANE_SOURCES := $(shell find test/controlplane -type f ! -name '*_test.go' ! -path '*/defaults/*')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help build test lint demo bench bench-rules bench-controller oracle chaos fuzz generate image verify clean controlplane deployers tools

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1:\2/p' Makefile | awk -F: '{ printf "  make %-17s %s\n", $$1, $$2 }'

build: ## build bin/plumbline, and bin/kubectl-plumbline beside it
	@mkdir -p bin
	@CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "$(LDFLAGS)" -o bin/plumbline ./cmd/plumbline
	@ln -sf plumbline bin/kubectl-plumbline

test: build controlplane deployers bin/tools/gotestsum ## run all tests, against a real Kubernetes control plane
	@echo "running the tests (the first time the race detector's build is compiled: some minutes)"
	@bin/tools/gotestsum --format pkgname --format-hide-empty-pkg --raw-command -- tools/test.sh

lint: bin/tools/golangci-lint ## check format and house style
	@tools/lint.sh

demo: build controlplane ## show drift being found in a small shop (KEEP=1 keeps the cluster)
	@KEEP='$(KEEP)' test/demo/demo.sh

bench: build controlplane ## measure against kubectl diff, 1,000 objects
	@go run ./test/bench

bench-rules: build controlplane ## measure all rules over GOVERNED objects (5000) beside comparing
	@go run ./test/bench -rules $(or $(GOVERNED),5000)

bench-controller: build controlplane ## measure the controller over GOVERNED objects (1000)
	@go test ./test/controller -run '^$$' -bench Controller -benchtime 1x -timeout 60m -args -governed $(or $(GOVERNED),1000) -others $(or $(OTHERS),0)

oracle: controlplane ## hold N random objects against the API server (N=10000 SEED=1)
	@go test ./test/oracle -count=1 -timeout 60m -v -args -n $(or $(N),1000) -seed $(or $(SEED),0)

chaos: controlplane ## break what two controllers need while others write (ROUNDS=20 EDITS=200 SEED=1)
	@go test ./test/controller -run 'TestChaos' -count=1 -timeout 3h -v -args -rounds $(or $(ROUNDS),20) -chaos $(or $(EDITS),200) -seed $(or $(SEED),0)

fuzz: ## fuzz each target for FUZZTIME (30s), one after another
	@set -e; grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9]+' . | sed 's|/[^/]*:func | |' | sort | while read -r package target; do \
		echo "$$package $$target"; \
		go test $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(or $(FUZZTIME),30s) -fuzzminimizetime 5s -parallel $(or $(WORKERS),1); \
	done

generate: controlplane ## write the generated files anew
	@cd test/controlplane && go run ./defaults >../../differ/defaults.json.new
	@mv differ/defaults.json.new differ/defaults.json
	@go run ./test/builtin
	@go generate ./...

image: ## build the container image with Docker
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) --tag $(IMAGE) .

verify: bin/tools/govulncheck ## check generated files, modules and known vulnerabilities
	@tools/verify.sh

clean: ## remove everything that was built
	rm -rf bin dist

controlplane: bin/controlplane bin/kwok bin/kubectl ## build the control plane for tests and the demo

bin/controlplane: $(CONTROLPLANE_SOURCES)
	@if [ -e $@ ]; then echo "rebuilding the Kubernetes control plane: test/controlplane is newer"; \
	else echo "building a Kubernetes $(KUBERNETES) control plane from source: some minutes the first time, then reused"; fi
	@mkdir -p bin
	@cd test/controlplane && go build -buildvcs=false -ldflags "$(KUBERNETES_FLAGS)" -o ../../$@ .
	@touch $@

# After the control plane, whose packages it shares: side by side, both would be
# compiling the same ones.
bin/kwok: $(CONTROLPLANE_SOURCES) | bin/controlplane
	@echo "building kwok, which plays the nodes"
	@cd test/controlplane && go build -buildvcs=false -ldflags "-s -w" -o ../../$@ ./kwok
	@touch $@

bin/kubectl: | bin/controlplane
	@ln -sf controlplane $@

deployers: $(DEPLOYERS) ## build Helm and the engines of Argo CD and Flux, for tests

# After the control plane, with which they share most packages.
bin/helm-v3: PACKAGE = helm.sh/helm/v3/cmd/helm
bin/helm-v4: PACKAGE = helm.sh/helm/v4/cmd/helm
bin/gitops:  PACKAGE = .
$(DEPLOYERS): $(wildcard test/deployers/tools/*) | bin/controlplane
	@echo "building $(@F), which deploys in tests"
	@cd test/deployers/tools && go build -buildvcs=false -ldflags "-s -w" -o ../../../$@ $(PACKAGE)
	@touch $@

tools: bin/tools/golangci-lint bin/tools/gotestsum bin/tools/govulncheck bin/tools/benchstat

bin/tools/golangci-lint: PACKAGE = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
bin/tools/gotestsum:     PACKAGE = gotest.tools/gotestsum
bin/tools/govulncheck:   PACKAGE = golang.org/x/vuln/cmd/govulncheck
bin/tools/benchstat:     PACKAGE = golang.org/x/perf/cmd/benchstat
bin/tools/golangci-lint bin/tools/gotestsum bin/tools/govulncheck bin/tools/benchstat: tools/go.mod tools/go.sum
	@echo "building $(@F)"
	@mkdir -p $(@D)
	@cd tools && go build -buildvcs=false -o ../$@ $(PACKAGE)
	@touch $@
