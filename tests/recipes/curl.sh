#!/usr/bin/env bash
# curl: the gateway's address and a token of the gateway; the provider's key stays with the gateway.
set -euo pipefail

curl --silent --fail-with-body "$GATEWAY/v1/chat/completions" \
  --header "Authorization: Bearer $TOKEN" \
  --header "Content-Type: application/json" \
  --data "{\"model\": \"gpt-4o\", \"messages\": [{\"role\": \"user\", \"content\": \"$PROMPT\"}]}"
