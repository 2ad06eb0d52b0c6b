# The commands of the README. On a bare Debian 12 with Rust, `make demo` and `make test` do all the set-up.

CARGO ?= cargo

# command:package, for what is looked up on the PATH
BUILD_NEEDS = cc:build-essential c++:build-essential make:build-essential cmake:cmake pkg-config:pkg-config
DEMO_NEEDS = curl:curl
COUNT_NEEDS = valgrind:valgrind
SDK_NEEDS = python3:python3 curl:curl
DEPLOY_NEEDS = python3:python3 prometheus:prometheus promtool:prometheus nginx:nginx
BROWSER_NEEDS = npm:npm chromium:chromium

.PHONY: help demo test setup fmt lint check sdk-test mcp-test api-test console-test recipes-test leak-test deploy-test otlp-test fuzz bench instructions instructions-write ci

help:
	@echo 'make demo      build and start gateway, admin listener and the built-in upstream; prints commands to try'
	@echo 'make test      run every test'
	@echo 'make setup     install what a bare Debian lacks (the two above do it first)'
	@echo 'make fmt       format the sources'
	@echo 'make lint      formatting and clippy, warnings denied'
	@echo 'make check     the shipped configuration and the detector rules'
	@echo 'make sdk-test  the real OpenAI, Anthropic, Gemini and Ollama SDKs against the gateway'
	@echo 'make mcp-test  the official MCP clients against the admin listener'
	@echo 'make api-test  the admin listener against its own description'
	@echo 'make console-test  the admin console, in Chromium'
	@echo 'make recipes-test  clients by their recipes: SDKs, LangChain, LlamaIndex, LiteLLM, Vercel, Claude Code, Codex (a first run installs 1.4 GB)'
	@echo 'make leak-test the public benchmark of leaks, against the gateway'
	@echo 'make deploy-test  alert rules, dashboard and balancer, by a real Prometheus and nginx'
	@echo 'make otlp-test  traces, decoded by a collector with the messages of OpenTelemetry'
	@echo 'make fuzz      every fuzz target for 20 seconds (needs a nightly toolchain and cargo-fuzz)'
	@echo 'make bench     the measurements of benches/README.md'
	@echo 'make instructions        instructions of the library, against the committed figures (needs valgrind)'
	@echo 'make instructions-write  the same, as the new figures'
	@echo 'make ci        everything a change has to pass'

# The dev profile, not release: it is ready several times sooner (no LTO), shares its dependencies with `make test`, and
# the matching engines are optimised in both.
demo: NEEDS = $(BUILD_NEEDS) $(DEMO_NEEDS)
demo: setup
	@[ -e target/debug/promptgate ] || echo 'The first build compiles every dependency; that takes minutes.'
	$(CARGO) build --locked
	@exec $(CARGO) run --locked --quiet -- demo

test: setup
	$(CARGO) test --locked

fmt:
	$(CARGO) fmt

lint: setup
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings

# What docker-compose.yml, the Kubernetes manifests and the Dockerfile set; the tokens are made up.
RANDOM_TOKEN = $$(head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
COMPOSE_LIKE = PROMPTGATE_APP_TOKEN=$(RANDOM_TOKEN) PROMPTGATE_OPERATOR_TOKEN=$(RANDOM_TOKEN) \
  PROMPTGATE_TOKEN_KEY=$(RANDOM_TOKEN) \
  PROMPTGATE__GATEWAY__LISTEN=0.0.0.0:8080 PROMPTGATE__ADMIN__LISTEN=0.0.0.0:8001 \
  PROMPTGATE__AUTH__STATIC__DEV_TOKENS=false

check: setup
	$(CARGO) run --locked --quiet -- config check conf/*.toml
	@env $(COMPOSE_LIKE) $(CARGO) run --locked --quiet -- config check deploy/*.toml deploy/kubernetes/*.toml
	$(CARGO) run --locked --quiet -- rules check

sdk-test: NEEDS = $(BUILD_NEEDS) $(SDK_NEEDS)
sdk-test: setup
	python3 tests/sdk/run.py

mcp-test: NEEDS = $(BUILD_NEEDS) $(SDK_NEEDS)
mcp-test: setup
	python3 tests/mcp/run.py

api-test: NEEDS = $(BUILD_NEEDS) $(SDK_NEEDS)
api-test: setup
	python3 tests/api/run.py

console-test: NEEDS = $(BUILD_NEEDS) $(SDK_NEEDS) $(BROWSER_NEEDS)
console-test: setup
	python3 tests/console/run.py

recipes-test: NEEDS = $(BUILD_NEEDS) $(SDK_NEEDS) npm:npm
recipes-test: setup
	python3 tests/recipes/run.py

leak-test: NEEDS = $(BUILD_NEEDS) $(SDK_NEEDS)
leak-test: setup
	python3 tests/leak/run.py

deploy-test: NEEDS = $(BUILD_NEEDS) $(DEPLOY_NEEDS)
deploy-test: setup
	python3 tests/deploy/run.py

otlp-test: NEEDS = $(BUILD_NEEDS) $(SDK_NEEDS)
otlp-test: setup
	python3 tests/otlp/run.py

fuzz: setup
	bash fuzz/run.sh

bench: setup
	$(CARGO) bench --locked

# Incremental builds are cut into other units, and so inlined otherwise.
INSTRUCTIONS = CARGO_INCREMENTAL=0 $(CARGO) bench --locked --quiet --profile fast --no-default-features --features cli --bench instructions
instructions: NEEDS = $(BUILD_NEEDS) $(COUNT_NEEDS)
instructions: setup
	$(INSTRUCTIONS)

instructions-write: NEEDS = $(BUILD_NEEDS) $(COUNT_NEEDS)
instructions-write: setup
	$(INSTRUCTIONS) -- --write

ci:
	bash .ci/run

# Installs what is missing where that needs no password, else says what to install and stops.
NEEDS ?= $(BUILD_NEEDS)
setup:
	@command -v $(CARGO) >/dev/null || { \
	  echo 'promptgate needs Rust 1.95 or newer: install rustup, then run this again.' >&2; exit 1; }
	@missing=''; \
	for need in $(NEEDS); do \
	  command -v "$${need%%:*}" >/dev/null || case " $$missing " in \
	    *" $${need##*:} "*) ;; *) missing="$$missing $${need##*:}" ;; esac; \
	done; \
	[ -s /etc/ssl/certs/ca-certificates.crt ] || [ ! -e /etc/debian_version ] || missing="$$missing ca-certificates"; \
	case '$(NEEDS)' in *python3*) \
	  python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv" ;; esac; \
	[ -n "$$missing" ] || exit 0; \
	if ! command -v apt-get >/dev/null; then sudo=none; \
	elif [ "$$(id -u)" = 0 ]; then sudo=''; \
	elif sudo -n true 2>/dev/null; then sudo='sudo -n'; \
	else sudo=none; fi; \
	if [ "$$sudo" = none ]; then \
	  echo "Not installed:$$missing" >&2; \
	  echo "Install that and run this again. On Debian or Ubuntu:" >&2; \
	  echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends$$missing" >&2; \
	  exit 1; \
	fi; \
	echo "Installing:$$missing"; \
	apt="$$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq"; \
	$$apt update && $$apt install -y --no-install-recommends $$missing
