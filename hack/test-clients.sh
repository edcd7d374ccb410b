#!/usr/bin/env bash
# Tests with clients that are not ours and not written in Rust: grpcurl (Go), grpcio and websockets (Python), which are
# fetched into the target directory; and what workloads run behind an egress gateway: curl, pip, npm, cargo, apt-get, Go and
# Java. So this needs a network and all of those. `make test` needs none of it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for tool in go python3 curl npm java javac apt-get; do
    command -v "$tool" >/dev/null || { echo "test-clients: $tool is missing" >&2; exit 1; }
done
clients=$(realpath -m "${CARGO_TARGET_DIR:-target}/clients")
mkdir -p "$clients"
export LYCHGATE_GRPCURL=$clients/bin/grpcurl LYCHGATE_PYTHON=$clients/venv/bin/python
[[ -x $LYCHGATE_GRPCURL ]] || GOBIN=$clients/bin go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3
[[ -x $LYCHGATE_PYTHON ]] || python3 -m venv "$clients/venv"
"$LYCHGATE_PYTHON" -m pip install --quiet grpcio websockets
cargo test --locked --package lychgate-cli --test clients --test egress_clients -- --ignored
