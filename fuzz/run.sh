#!/usr/bin/env bash
# Builds every fuzz target and runs each: `bash fuzz/run.sh [SECONDS [TARGET...]]`, two at a time, 20 seconds each unless
# said otherwise. New inputs go to target/fuzz/found, failing ones to fuzz/artifacts; the stored corpora stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly SECONDS_EACH=${1:-20}
shift || true
readonly FOUND=target/fuzz/found
export CARGO_TARGET_DIR=$PWD/target/fuzz

main() {
  local targets=("$@")
  if [ ${#targets[@]} = 0 ]; then
    for program in fuzz/fuzz_targets/*.rs; do targets+=("$(basename "$program" .rs)"); done
  fi
  # No sanitizer: the library forbids unsafe code, and panics, time and memory are found without one.
  cargo +nightly fuzz build --sanitizer none || return 1
  mkdir -p "$FOUND" fuzz/artifacts
  printf '%s\n' "${targets[@]}" | xargs -P 2 -I '{}' bash "$0" "$SECONDS_EACH" --one '{}'
}

# A slow machine takes longer over an input than the ten seconds that a free one is allowed.
one() {
  local target=$1 program
  program=$(find "$CARGO_TARGET_DIR" -path "*/release/$target" -type f | head -n 1)
  mkdir -p "$FOUND/$target"
  if "$program" -max_total_time="$SECONDS_EACH" -max_len=4096 -timeout=30 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="fuzz/artifacts/$target-" "$FOUND/$target" "fuzz/corpus/$target" >"$FOUND/$target.log" 2>&1; then
    awk -v target="$target" '/number_of_executed_units/ { print target ": " $2 " inputs, no finding" }' "$FOUND/$target.log"
  else
    tail -n 40 "$FOUND/$target.log"
    printf '%s: FOUND SOMETHING; the input is in fuzz/artifacts\n' "$target"
    return 1
  fi
}

if [ "${1:-}" = --one ]; then one "$2"; else main "$@"; fi
