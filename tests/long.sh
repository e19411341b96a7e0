#!/usr/bin/env bash
# What takes longer than a run of the tests may: every on-demand run, and what came of each.
#
#     tests/long.sh                 all of them: less than three hours on two cores
#     tests/long.sh --list          their names, and how long each may take
#     tests/long.sh reloads soak    these
#
# What measures times runs first, one after the other; then a lane each for the soak, the fuzzing and the rest, because
# the first two take as long as they are told and leave cores idle. Outputs stay in target/long/<name>.log. It goes on
# after a failure, and exits with 1 at the end.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# lane | name | minutes it may take | variable | command
runs=(
  'first | overload | 3 | FAREGATE_OVERLOAD=60 | cargo test --test it overload::goodput'
  'first | neighbours | 4 | FAREGATE_ISOLATION=60 | cargo test --test it isolation::measured'
  'first | peers | 3 | FAREGATE_PEERS=4000 | cargo test --test it limits::'
  'first | reloads | 2 | FAREGATE_RELOADS=100 | cargo test --test it operations::reloads'
  'first | rows | 3 | FAREGATE_ROWS=1000000 | cargo test --test it operations::restart'
  'first | calls | 3 | FAREGATE_CALLS=100000 | cargo test --lib store::tests::cost'
  'fuzz | fuzz | 120 | | nice fuzz/run.sh'
  'soak | soak | 62 | FAREGATE_SOAK=60 | cargo test --test it operations::soak'
  'soak | memory | 11 | FAREGATE_MEMORY=600 | cargo test --test it overload::memory'
  'soak | distinct | 4 | FAREGATE_DISTINCT=1000000 | cargo test --test it operations::series'
  'soak | hosts | 2 | FAREGATE_HOSTS=10000 | cargo test --test it surface::hosts'
  'soak | floods | 2 | FAREGATE_FLOOD=100000 | cargo test --test it http2_wire::'
  'soak | early | 3 | FAREGATE_EARLY=100 | cargo test --test it framing::early'
  'soak | proxies | 3 | FAREGATE_DIFFERENTIAL=4 | cargo test --test it framing::differential'
  'soak | vanished | 2 | FAREGATE_VANISH=1 | cargo test --test it limits::vanished'
  'soak | gone | 3 | FAREGATE_VANISHED=1 | cargo test --test it leaving::vanished'
  'soak | tries | 2 | FAREGATE_TRIES=1000 | cargo test --test it upstream_faults::refused'
  'soak | strangers | 5 | FAREGATE_STRANGERS=5000 | cargo test --test it strangers'
  'rest | kills | 60 | FAREGATE_KILLS=1000 | cargo test --test it kill::'
  'rest | sequences | 20 | FAREGATE_SEQUENCES=1000000 | cargo test --lib book_is_its_model'
  'rest | bursts | 15 | FAREGATE_BURSTS=100 | cargo test --test it money::burst'
  'rest | flips | 10 | FAREGATE_FLIPS=10000 | cargo test --lib flips'
  'rest | cuts | 30 | FAREGATE_POWER_CUTS=100000 | cargo test --lib power'
  'rest | differential | 10 | | cargo run --manifest-path fuzz/Cargo.toml --release --locked --example differential -- 1000000 7'
  'rest | reproducible | 30 | | tests/reproducible.sh'
)
# Optimised like a release, but not linked anew as a whole for each test program, which takes minutes.
optimised=(--locked --release --config profile.release.lto=false --config profile.release.codegen-units=16)

trim() { sed 's/^ *//; s/ *$//' <<<"$1"; }

# Splits a line of the table into lane, name, minutes, variable and command.
columns() {
  IFS='|' read -r lane name minutes variable command <<<"$1"
  lane=$(trim "$lane") name=$(trim "$name") minutes=$(trim "$minutes") variable=$(trim "$variable") command=$(trim "$command")
}

chosen() {
  (($# == 1)) && return 0
  local name=$1 one
  shift
  for one in "$@"; do [[ $one == "$name" ]] && return 0; done
  return 1
}

if [[ ${1:-} == --list ]]; then
  for run in "${runs[@]}"; do
    columns "$run"
    printf '%-6s %-14s %4s min  %s %s\n' "$lane" "$name" "$minutes" "$variable" "$command"
  done
  exit 0
fi
for wanted in "$@"; do
  if ! printf '%s\n' "${runs[@]}" | grep -q "| $wanted |"; then
    echo "there is no run $wanted; tests/long.sh --list shows all" >&2
    exit 2
  fi
done

logs=${CARGO_TARGET_DIR:-target}/long
rm -rf "$logs"
mkdir -p "$logs"

# The chosen runs of a lane, one after the other. Each leaves <name>.log, and a line in <name>.result.
lane() {
  local wanted=$1 run lane name minutes variable command started code words
  shift
  for run in "${runs[@]}"; do
    columns "$run"
    [[ $lane == "$wanted" ]] && chosen "$name" "$@" || continue
    if [[ $command == 'cargo test'* ]]; then command="${command/cargo test/cargo test ${optimised[*]}} -- --nocapture"; fi
    printf '%s  %-14s up to %s minutes: %s %s\n' "$(date -u +%H:%M:%S)" "$name" "$minutes" "$variable" "$command"
    started=$SECONDS
    # Twice the time, and half an hour for a first build, is a run that hangs.
    # shellcheck disable=SC2086
    env $variable timeout --kill-after=60 "$((minutes * 120 + 1800))" $command >"$logs/$name.log" 2>&1 </dev/null
    code=$?
    words=passed
    ((code == 0)) || words="FAILED ($code)"
    printf '%-14s %6d s  %s\n' "$name" "$((SECONDS - started))" "$words" >"$logs/$name.result"
    printf '%s  %s' "$(date -u +%H:%M:%S)" "$(<"$logs/$name.result")"$'\n'
  done
}

lane first "$@"
for one in fuzz soak rest; do lane "$one" "$@" & done
wait

failed=0
printf '\n==================== Summary, %s, %s\n' "$(date -u +%Y-%m-%dT%H:%MZ)" "$(git rev-parse --short HEAD 2>/dev/null)"
for run in "${runs[@]}"; do
  columns "$run"
  [[ -f $logs/$name.result ]] || continue
  cat "$logs/$name.result"
  grep -q ' passed$' "$logs/$name.result" || failed=1
  # What a run says of itself: every line but cargo's and the harness's own.
  grep -vE '^ *(Compiling|Finished|Running|Blocking|Downloaded|Downloading|warning)|^running |^test |^test result|^$|^\+' "$logs/$name.log" |
    tail -n 14 | sed 's/^/    /'
done
exit "$failed"
