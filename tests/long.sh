#!/usr/bin/env bash
# What takes longer than a run of the tests may: every on-demand run, one after the other, and what came of each.
#
#     tests/long.sh                 all of them
#     tests/long.sh --list          their names, and how long each may take
#     tests/long.sh reloads soak    these
#
# Outputs stay in target/long/<name>.log. It goes on after a failure, and exits with 1 at the end.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# name | minutes it may take | variable | command
runs=(
  'sequences | 20 | FAREGATE_SEQUENCES=1000000 | cargo test --locked --lib book_is_its_model'
  'bursts | 15 | FAREGATE_BURSTS=100 | cargo test --locked --test it money::burst'
  'kills | 20 | FAREGATE_KILLS=1000 | cargo test --locked --test it kill::'
  'reloads | 2 | FAREGATE_RELOADS=100 | cargo test --locked --test it operations::reloads'
  'rows | 3 | FAREGATE_ROWS=1000000 | cargo test --locked --test it operations::restart'
  'distinct | 4 | FAREGATE_DISTINCT=1000000 | cargo test --locked --test it operations::series'
  'hosts | 2 | FAREGATE_HOSTS=10000 | cargo test --locked --test it surface::hosts'
  'floods | 2 | FAREGATE_FLOOD=100000 | cargo test --locked --test it http2_wire::'
  'overload | 3 | FAREGATE_OVERLOAD=60 | cargo test --locked --release --test it overload::goodput'
  'neighbours | 4 | FAREGATE_ISOLATION=60 | cargo test --locked --release --test it isolation::measured'
  'memory | 11 | FAREGATE_MEMORY=600 | cargo test --locked --release --test it overload::memory'
  'early | 3 | FAREGATE_EARLY=100 | cargo test --locked --test it framing::early'
  'proxies | 3 | FAREGATE_DIFFERENTIAL=4 | cargo test --locked --test it framing::differential'
  'peers | 3 | FAREGATE_PEERS=4000 | cargo test --locked --test it limits::'
  'vanished | 2 | FAREGATE_VANISH=1 | cargo test --locked --test it limits::vanished'
  'tries | 2 | FAREGATE_TRIES=1000 | cargo test --locked --test it upstream_faults::refused'
  'gone | 3 | FAREGATE_VANISHED=1 | cargo test --locked --test it leaving::vanished'
  'strangers | 5 | FAREGATE_STRANGERS=5000 | cargo test --locked --test it strangers'
  'flips | 10 | FAREGATE_FLIPS=10000 | cargo test --locked --lib flips'
  'cuts | 30 | FAREGATE_POWER_CUTS=100000 | cargo test --locked --lib power'
  'calls | 3 | FAREGATE_CALLS=100000 | cargo test --locked --release --lib store::tests::cost -- --nocapture'
  'soak | 62 | FAREGATE_SOAK=60 | cargo test --locked --test it operations::soak'
  'differential | 10 | | cargo run --manifest-path fuzz/Cargo.toml --release --locked --example differential -- 1000000 7'
  'fuzz | 120 | | fuzz/run.sh'
  'reproducible | 30 | | tests/reproducible.sh'
)

trim() { sed 's/^ *//; s/ *$//' <<<"$1"; }

chosen() {
  (($# == 1)) && return 0
  local name=$1 one
  shift
  for one in "$@"; do [[ $one == "$name" ]] && return 0; done
  return 1
}

if [[ ${1:-} == --list ]]; then
  for run in "${runs[@]}"; do
    IFS='|' read -r name minutes variable command <<<"$run"
    printf '%-14s %4s min  %s %s\n' "$(trim "$name")" "$(trim "$minutes")" "$(trim "$variable")" "$(trim "$command")"
  done
  exit 0
fi
for wanted in "$@"; do
  if ! printf '%s\n' "${runs[@]}" | grep -q "^$wanted |"; then
    echo "there is no run $wanted; tests/long.sh --list shows all" >&2
    exit 2
  fi
done

logs=${CARGO_TARGET_DIR:-target}/long
mkdir -p "$logs"
results=() failed=0
for run in "${runs[@]}"; do
  IFS='|' read -r name minutes variable command <<<"$run"
  name=$(trim "$name") minutes=$(trim "$minutes") variable=$(trim "$variable") command=$(trim "$command")
  chosen "$name" "$@" || continue
  printf '\n==================== %s (up to %s minutes)\n+ %s %s\n\n' "$name" "$minutes" "$variable" "$command"
  [[ $command == 'cargo test'* ]] && command+=' -- --nocapture'
  started=$SECONDS
  # Twice the time, and half an hour for a first build, is a run that hangs.
  # shellcheck disable=SC2086
  env $variable timeout --kill-after=60 "$((minutes * 120 + 1800))" $command 2>&1 | tee "$logs/$name.log"
  code=${PIPESTATUS[0]}
  words=passed
  ((code == 0)) || { words="FAILED ($code)"; failed=1; }
  results+=("$(printf '%-14s %6d s  %s' "$name" "$((SECONDS - started))" "$words")")
  # What a run says of itself: every line but cargo's and the harness's own.
  while IFS= read -r line; do results+=("    $line"); done < <(
    grep -vE '^ *(Compiling|Finished|Running|Blocking|Downloaded|Downloading|warning)|^running |^test |^test result|^$|^\+' "$logs/$name.log" | tail -n 12
  )
done

printf '\n==================== Summary, %s, %s\n' "$(date -u +%Y-%m-%dT%H:%MZ)" "$(git rev-parse --short HEAD 2>/dev/null)"
printf '%s\n' "${results[@]}"
exit "$failed"
