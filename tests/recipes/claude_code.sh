#!/usr/bin/env bash
# Claude Code: the gateway's address and a token of the gateway. The third variable keeps it from everything else it would
# fetch or report; without it the conversation goes through the gateway all the same.
set -euo pipefail

export ANTHROPIC_BASE_URL=$GATEWAY ANTHROPIC_AUTH_TOKEN=$TOKEN CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
claude --print "$PROMPT"
