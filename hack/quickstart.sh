#!/usr/bin/env bash
# What `make run` does: builds, makes a certificate the first time, starts echo servers as backends in the background,
# and the gateway on examples/quickstart in front of them. Ctrl-C ends all.
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
# Ignored by git, and read with the rest of the directory: it holds a Secret.
certificate=$config/certificate
backends=(127.0.0.1:3000 127.0.0.1:3001)

cargo build --locked --profile "$profile" --package lychgate-cli
target=$(cargo metadata --locked --no-deps --format-version 1 | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')
folder=$profile
[[ $profile == dev ]] && folder=debug
lychgate=$target/$folder/lychgate

# Certificates are good for 397 days; a new one is made in time.
if [[ -z $(find "$certificate/secret.yaml" -mtime -300 2>/dev/null) ]]; then
    "$lychgate" certs "$certificate" --force --secret default/quickstart-certificate \
        --name localhost --name quickstart.example --name '*.quickstart.example' --name 127.0.0.1 --name ::1
fi

gateway=
echo=
finish() {
    trap '' INT TERM HUP
    local child
    for child in $gateway $echo; do
        kill -TERM "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    done
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

"$lychgate" echo "${backends[@]/#/--http=}" --tcp 127.0.0.1:3100 --udp 127.0.0.1:3100 &
echo=$!
for backend in "${backends[@]}"; do
    until (exec 3<>"/dev/tcp/${backend%:*}/${backend##*:}") 2>/dev/null; do
        # It said why.
        kill -0 "$echo" 2>/dev/null || exit 1
        sleep 0.1
    done
done

"$lychgate" run --config "$config" &
gateway=$!
wait "$gateway"
