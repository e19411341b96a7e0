#!/usr/bin/env bash
# Runs every target for as long as asked, one after the other, and prints what came of it.
#
#     fuzz/run.sh [seconds per target] [target …]
#
# New inputs go to fuzz/work, which is not committed; an input that breaks a target goes to fuzz/artifacts. Needs a
# nightly toolchain and cargo-fuzz (`cargo install --locked cargo-fuzz`). The exit code is 1 where anything was found.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

seconds=${1:-600}
shift || true
targets=("$@")
((${#targets[@]})) || targets=(path credential json answer sse usage config key webhook inflight money)
# Nothing here is unsafe, so there is nothing for a sanitizer to find; without one a run tries about twice as much.
fuzz=(cargo +nightly fuzz)
mkdir -p work/logs

"${fuzz[@]}" build --fuzz-dir . --sanitizer none || exit 2
rows=()
found=0
for target in "${targets[@]}"; do
  work=work/$target log=work/logs/$target.log
  mkdir -p "$work" "artifacts/$target"
  before=$(find "artifacts/$target" -type f | wc -l)
  "${fuzz[@]}" run --fuzz-dir . --sanitizer none "$target" "$work" "corpus/$target" -- \
    -max_total_time="$seconds" -max_len=4096 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 </dev/null >"$log" 2>&1
  code=$?
  after=$(find "artifacts/$target" -type f | wc -l)
  findings=$((after - before))
  ((code == 0 && findings == 0)) || found=1
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  # The last line of progress has the edges that were reached and how many inputs reach them.
  progress=$(grep -aoE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$log" | tail -n 1)
  rows+=("$(printf '%-12s %12s  %-36s %8d' "$target" "${executions:-?}" "$progress" "$findings")")
  printf '%s\n' "${rows[-1]}" >&2
done
printf '\n%-12s %12s  %-36s %8s   (%s s each)\n' target executions coverage findings "$seconds"
printf '%s\n' "${rows[@]}"
exit "$found"
