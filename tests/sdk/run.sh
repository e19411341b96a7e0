#!/usr/bin/env bash
# Runs the vendors' own SDKs, Python's and Node's, against the release binary.
#
#   cargo build --release --locked && tests/sdk/run.sh
#
# FAREGATE_BIN names another binary. SIMULATOR_URL=http://127.0.0.1:<port> asks a running `faregate simulate` instead
# and skips the refusals. What is installed goes below target/sdk and tests/sdk/node/node_modules.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
binary=${FAREGATE_BIN:-$target/release/faregate}

if [[ -z ${SIMULATOR_URL:-} && ! -x $binary ]]; then
  echo "SDK SUITES NOT RUN: there is no $binary. Build it with: cargo build --release --locked" >&2
  exit 1
fi

python=
for candidate in python3.11 python3; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    python=$candidate
    break
  fi
done
if [[ -z $python ]]; then
  echo "SDK SUITES NOT RUN: Python 3.11 or newer is needed." >&2
  exit 1
fi
if ! command -v node >/dev/null || ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)'; then
  echo "SDK SUITES NOT RUN: Node 20 or newer is needed." >&2
  exit 1
fi

# A virtual environment belongs to one list of requirements and one interpreter; a changed one gets its own.
requirements=$here/python/requirements.txt
mark=$({ cat "$requirements"; "$python" --version; } | sha256sum | cut -c1-16)
venv=$target/sdk/venv-$mark
if [[ ! -e $venv/complete ]]; then
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements"
  touch "$venv/complete"
fi

cd "$here/node"
if ! cmp --silent package-lock.json node_modules/.faregate-lock; then
  npm ci --ignore-scripts --no-audit --no-fund
  cp package-lock.json node_modules/.faregate-lock
fi

# Both run even if the first fails: one run shows everything that is wrong.
failed=0
echo "--- Python: openai, anthropic, stripe"
(cd "$here/python" && "$venv/bin/python" -B -m pytest) || failed=1
echo "--- Node: openai, @anthropic-ai/sdk"
(cd "$here/node" && node --test --test-reporter=spec --test-concurrency=1 openai.test.js anthropic.test.js) || failed=1
exit "$failed"
