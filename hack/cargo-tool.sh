#!/usr/bin/env bash
# hack/cargo-tool.sh NAME VERSION: installs the cargo subcommand NAME where it is missing. One that is there is used as
# it is. It takes a few minutes, once: cargo keeps the binary in its home.
set -euo pipefail

name=$1
version=$2

if ! cargo "$name" --version >/dev/null 2>&1; then
    echo "cargo-$name is missing; installing $version (a few minutes, once)" >&2
    cargo install --locked --quiet "cargo-$name" --version "$version"
fi
