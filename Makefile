# Callboard. `make` lists the targets.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/callboard/callboard/cmd/cli.Version=$(VERSION)
export CGO_ENABLED := 0
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.DEFAULT_GOAL := help
.PHONY: help build demo test race lint fmt verify fuzz bench e2e up down clean

help: ## List the targets
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

build: ## Build bin/callboard, one static binary
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/callboard ./cmd/callboard

demo: build ## Run Callboard beside a local GitHub with a sample organisation
	@go build -o bin/demo ./test/demo
	@exec bin/demo --callboard bin/callboard

test: ## Run every test, on both databases and both buses
	go run ./test/services/cmd -- go run ./test/report -- go test -json -count=1 -timeout 20m -parallel 8 ./...

race: ## Run the tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 go run ./test/services/cmd -- go test -race -count=1 -timeout 25m ./storage/... ./pipeline/... ./handlers/... ./cmd/... ./test/githubsim/...

lint: ## Run the linters of .golangci.yml
	go run $(GOLANGCI) run ./...

fmt: ## Format the code
	gofmt -w cmd handlers pipeline storage test

verify: ## Fail on what should not be committed: format, vet, module files
	@test -z "$$(gofmt -l cmd handlers pipeline storage test)" || { gofmt -l cmd handlers pipeline storage test; exit 1; }
	go vet ./...
	go mod tidy -diff

fuzz: ## Fuzz every parser of outside bytes, 30 s each
	@for p in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$p/*_test.go | cut -c6-); do \
	    echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime 30s $$p || exit 1; done; done

bench: build ## Measure, and write docs/benchmarks.md
	CALLBOARD_TEST_BINARY=$(CURDIR)/bin/callboard go run ./test/services/cmd -- go test -run "^$$" -bench . -benchtime 1x -timeout 20m ./test/load -args -out $(CURDIR)/docs/benchmarks.md

e2e: ## Run only the tests that cross the whole program
	go run ./test/services/cmd -- go test -count=1 -timeout 15m ./test/e2e/... ./test/chaos/...

up: ## Start the production set (PostgreSQL, Redis, S3, Callboard) with Docker
	docker compose up --build --detach

down: ## Stop it and remove its data
	docker compose down --volumes

clean: ## Remove what was built
	rm -rf bin
