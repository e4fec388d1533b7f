# PiCloud: `make run` and `make test` do all the set-up.

TOOLS    := bin/tools
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
ROUNDS   ?= 5
FUZZTIME ?= 5m
FAULTROUNDS ?= 20
export PICLOUD_TEST_BINARY := $(CURDIR)/bin/picloud

.PHONY: help setup setup-test build run quick test race test-postgres lint vulncheck generate editor verify bench bench-peers killtest \
	faultlab fuzz screenshots wpt

help: ## Show this help
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t14

setup: ## Install what running needs (PostgreSQL, Go modules)
	@scripts/setup

setup-test: ## Install what the tests need as well (Node, Chromium, Caddy)
	@scripts/setup test

build: ## Build bin/picloud
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/picloud ./cmd/picloud

run: setup build ## Build and run PiCloud; prints the address and the first owner's password
	exec bin/picloud serve

quick: ## Run the tests that need no node, in up to a minute, with what is installed
	go test -short ./...

test: setup-test build ## Run every test against a real PostgreSQL
	ROUNDS=$(ROUNDS) go test -timeout 20m ./...
	go -C lab test -timeout 20m ./...

race: setup-test build ## The same with the race detector, which takes three times as long; SHORT=-short for those of quick
	ROUNDS=$(ROUNDS) go test -race $(SHORT) -timeout 30m ./...
	go -C lab test -race $(SHORT) -timeout 20m ./...

test-postgres: setup-test build ## Run the tests that use a database against each PostgreSQL that is installed
	scripts/test-postgres

killtest: setup-test build ## Kill the server at random moments, ROUNDS=100 times
	ROUNDS=$(ROUNDS) go test -run TestKill -count=1 -timeout 80m -v ./cmd/picloud

faultlab: ## Break PiCloud in every way it knows, FAULTROUNDS=20 times each, and write docs/faults.md (an hour or two)
	@scripts/setup faultlab
	$(MAKE) build
	go -C lab build -o ../bin/ ./faultlab
	scripts/previous bin/picloud-previous
	bin/faultlab -previous bin/picloud-previous -rounds $(FAULTROUNDS) -report docs/faults.md

fuzz: ## Fuzz each parser and the wire between parent and child for FUZZTIME=5m
	@for pkg in $$(go list ./internal/...); do for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
		echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; done; done

wpt: ## Run web-platform-tests in the runtime and in Node; UPDATE=1 writes what passes and the page's table (a few minutes)
	@scripts/wpt
	go -C lab build -o ../bin/wptrun ./wpt
	bin/wptrun -node $(if $(UPDATE),-update)

bench: ## Measure PiCloud on this machine, beside the peers that are installed (half an hour)
	@scripts/setup bench
	$(MAKE) build
	go -C lab build -o ../bin/ ./bench
	bin/bench

bench-peers: ## Install the peers: Node, workerd, PocketBase, River, Graphile Worker and pg-boss
	@scripts/setup test
	cd lab/bench/peers && npm ci --no-audit --no-fund
	cd lab/bench/peers/pocketbase && go build -o ../../../../bin/peers/pocketbase .
	cd lab/bench/peers/river && go build -o ../../../../bin/peers/river .

# Each tool is built by itself, and again only when its version may have changed: golangci-lint takes minutes.
$(TOOLS)/sqlc: TOOL = github.com/sqlc-dev/sqlc/cmd/sqlc
$(TOOLS)/templ: TOOL = github.com/a-h/templ/cmd/templ
$(TOOLS)/golangci-lint: TOOL = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(TOOLS)/govulncheck: TOOL = golang.org/x/vuln/cmd/govulncheck
$(TOOLS)/%: tools/go.mod
	go -C tools build -o ../$@ $(TOOL)
	@touch $@

generate: $(TOOLS)/sqlc $(TOOLS)/templ ## Generate db from queries, and views from templates
	$(TOOLS)/sqlc generate
	$(TOOLS)/templ generate -path views

editor: setup-test ## Bundle the code editor and URLPattern from web/
	go run github.com/evanw/esbuild/cmd/esbuild web/editor.js --bundle --minify --target=es2022 --legal-comments=none \
		--log-level=warning --outfile=static/editor.js
	go run github.com/evanw/esbuild/cmd/esbuild web/urlpattern.js --bundle --minify --target=es2022 --legal-comments=none \
		--format=iife --global-name=bundle --footer:js='return bundle.default; })()' --log-level=warning \
		--banner:js='/* urlpattern-polyfill, Copyright 2020 Intel Corporation, MIT License */ (function () {' --outfile=internal/executor/sandbox/webapi/urlpattern.js

screenshots: setup-test build ## Take the README's pictures of the dashboard anew
	SCREENSHOTS=$(CURDIR)/docs/screenshots go test -run TestScreenshots -count=1 ./cmd/picloud

lint: $(TOOLS)/golangci-lint ## Run the linters
	$(TOOLS)/golangci-lint run
	cd lab && ../$(TOOLS)/golangci-lint run

vulncheck: ## Look for known vulnerabilities in what PiCloud links (needs the network)
	scripts/vulncheck

verify: generate editor ## Check that the generated code is current and the modules are tidy
	go mod tidy -diff
	go -C lab mod tidy -diff
	git diff --exit-code -- 'db/*.sql.go' db/models.go db/db.go 'views/*_templ.go' static/editor.js internal/executor/sandbox/webapi/urlpattern.js
