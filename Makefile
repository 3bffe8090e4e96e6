# spoor: make demo and make test do all their own set-up on Debian 12 with Go.

GO       ?= go
TOOLS    := $(CURDIR)/.tools
LINT     := $(TOOLS)/golangci-lint-v2.15.0
FUZZTIME ?= 10000x

export CGO_ENABLED ?= 0

.PHONY: build demo test check vet lint unit fuzz e2e bench docs setup vulncheck clean

build: bin/spoor bin/spoor-sendmail

bin/spoor bin/spoor-sendmail: FORCE
	$(GO) build -trimpath -ldflags='-s -w' -o $@ ./cmd/$(notdir $@)

FORCE:

# demo runs spoor on three captured servers, one of each MTA.
demo: build
	@scripts/demo

# test is everything that a change must pass.
test: setup vet lint unit fuzz e2e

# check is what takes a minute; make setup installs what it needs.
check: vet
	$(GO) test ./...

setup:
	@scripts/setup

vet:
	$(GO) vet ./...

lint: $(LINT)
	$(LINT) run ./...

$(LINT):
	mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	mv $(TOOLS)/golangci-lint $@

# The race detector needs cgo; the product does not.
unit:
	CGO_ENABLED=1 $(GO) test -race -timeout 30m ./...

# fuzz runs every fuzz target for FUZZTIME: inputs, or a duration such as 1m.
fuzz:
	@scripts/fuzz $(FUZZTIME)

e2e: setup build
	$(GO) test -tags e2e -count=1 ./e2e/...

bench:
	@bench/queue.sh
	@bench/log.sh

# docs writes the man pages from the definitions of the commands.
docs:
	$(GO) run ./cmd/spoor-docs man

# vulncheck needs the vulnerability database, which not every network has.
vulncheck:
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

clean:
	rm -rf bin .demo .tools
