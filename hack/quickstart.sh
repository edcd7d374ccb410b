#!/usr/bin/env bash
# What `make run` does: builds, starts two echo servers in the background, the backends blue and green, and the gateway on
# examples/quickstart in front of them. Ctrl-C ends all.
#
# PROFILE=release builds for speed. The default is the dev profile: a first release build takes much longer, for it
# optimises every dependency in full and once more at link time, and a quickstart is for looking, not for measuring.
set -euo pipefail
# Each background job in a process group of its own: Ctrl-C reaches this script alone, which ends the gateway first and
# its backends after it, so that what is in flight is answered.
set -m
cd "$(dirname "${BASH_SOURCE[0]}")/.."

profile=${PROFILE:-dev}
config=examples/quickstart
# As examples/quickstart/backends.yaml has them.
backends=(blue=127.0.0.1:3000 green=127.0.0.1:3001)

cargo build --locked --profile "$profile" --package lychgate-cli
target=$(cargo metadata --locked --no-deps --format-version 1 | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')
folder=$profile
[[ $profile == dev ]] && folder=debug
lychgate=$target/$folder/lychgate

gateway=
echoes=()
finish() {
    trap '' INT TERM HUP
    local child
    for child in $gateway "${echoes[@]}"; do
        kill -TERM "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    done
}
trap finish EXIT
# Ctrl-C is how it is meant to end.
trap 'exit 0' INT
trap 'exit 143' TERM HUP

answers() {
    (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null
}

for backend in "${backends[@]}"; do
    name=${backend%%=*} address=${backend#*=}
    if answers "$address"; then
        echo "quickstart: $address is in use already; end what uses it, and try again" >&2
        exit 1
    fi
    "$lychgate" echo --http "$address" --service "$name" --pod "$name" &
    echoes+=($!)
    until answers "$address"; do
        # It said why.
        kill -0 "${echoes[-1]}" 2>/dev/null || exit 1
        sleep 0.1
    done
done

"$lychgate" run --config "$config" &
gateway=$!
wait "$gateway"
