#!/usr/bin/env bash
# Builds the program twice, from a copy of the committed sources and of all crates, without the network, and compares the
# two binaries byte for byte.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
git archive HEAD | tar -x -C "$scratch"
cd "$scratch"
# The crates as they are in the registry's cache; `cargo fetch --locked` fills it.
mkdir -p .cargo
cargo vendor --locked --offline --quiet vendor >.cargo/config.toml
for build in first second; do
  rm -rf target
  SOURCE_DATE_EPOCH=0 CARGO_INCREMENTAL=0 cargo build --release --locked --offline --quiet
  mv target/release/faregate "$build"
done
sha256sum first second
cmp first second
echo "two builds, $(stat -c %s first) bytes, the same"
