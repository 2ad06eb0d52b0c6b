#!/usr/bin/env bash
# Codex takes no address from a variable, and its own provider opens a WebSocket, which the gateway refuses. So it is given a
# provider; what is set here for one call belongs into ~/.codex/config.toml.
set -euo pipefail

export PROMPTGATE_TOKEN=$TOKEN
codex exec --skip-git-repo-check \
  --config model_provider=promptgate \
  --config model_providers.promptgate.name=promptgate \
  --config model_providers.promptgate.base_url="$GATEWAY/v1" \
  --config model_providers.promptgate.env_key=PROMPTGATE_TOKEN \
  --config model_providers.promptgate.wire_api=responses \
  "$PROMPT"
