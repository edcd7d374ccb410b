#!/usr/bin/env bash
# Measures what an upgrade costs those who connect: clients ask without a pause, half of them on a connection for each
# request, half on one that they keep until they are told that it is over; meanwhile the process is replaced again and
# again. Prints a table of it, and of the same time without upgrades. Needs nothing but bash and a release build.
#
# usage: hack/measure-upgrade.sh [LYCHGATE]     (default: target/release/lychgate, built if it is not there)
#
# UPGRADES (20) one after the other, CLIENTS (4) of each kind, ROUTES (100) in the directory, PORT (18080) and the next.
set -euo pipefail

cd "$(dirname "$0")/.."
lychgate=${1:-${CARGO_TARGET_DIR:-target}/release/lychgate}
[ -x "$lychgate" ] || cargo build --release -p lychgate-cli
upgrades=${UPGRADES:-20}
clients=${CLIENTS:-4}
routes=${ROUTES:-100}
port=${PORT:-18080}
admin=$((port + 1))
work=$(mktemp -d)
pids=()
# shellcheck disable=SC2317 # called by the trap
finish() {
    touch "$work/stop"
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap finish EXIT

mkdir "$work/config"
cat > "$work/config/gateway.yaml" <<YAML
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  gatewayClassName: lychgate
  addresses: [{type: IPAddress, value: 127.0.0.1}]
  listeners: [{name: http, protocol: HTTP, port: $port}]
YAML
seq "$routes" | awk '{ printf "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r%d, namespace: default}\nspec:\n  parentRefs: [{name: gw}]\n  hostnames: [h%d.example.com]\n  rules:\n    - filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /}}}]\n", $1, $1 }' > "$work/config/routes.yaml"

printf 'GET / HTTP/1.1\r\nHost: h1.example.com\r\n\r\n' > "$work/request"

now() { echo "${EPOCHREALTIME/[.,]/}"; }

# Starts a process, and waits until it serves. Its number goes to $pid.
start() {
    : > "$work/out"
    "$lychgate" run --config "$work/config" --admin "127.0.0.1:$admin" --handover "$work/handover" --drain 5 \
        > "$work/out" 2>> "$work/log" &
    pid=$!
    pids+=("$pid")
    until grep -q /livez "$work/out"; do
        kill -0 "$pid" 2>/dev/null || { echo "it ended:" >&2; tail -5 "$work/log" >&2; exit 1; }
        sleep 0.005
    done
}

# One request on descriptor 3, which may be `older`. Fails if no whole answer comes. $over tells whether the connection is over.
ask() {
    over=
    if [ -z "${1:-}" ]; then
        printf 'GET / HTTP/1.1\r\nHost: h1.example.com\r\n\r\n' >&3 || return 1
    else
        # In one piece: bash writes line by line, and on a connection that is older the kernel would hold the second line
        # back for 40 ms. The other program costs a millisecond.
        cat "$work/request" >&3 || return 1
    fi
    local line status=
    while IFS= read -r line <&3; do
        line=${line%$'\r'}
        [ -n "$line" ] || { [ "$status" = 302 ]; return; }
        case ${line,,} in
            'http/1.1 '*) status=${line#* } status=${status%% *} ;;
            'connection: close') over=yes ;;
        esac
    done
    return 1
}

# One client; a line for each request goes to standard output: microseconds, or `failed`.
each() {
    local begun
    until [ -e "$work/stop" ]; do
        begun=${EPOCHREALTIME/[.,]/}
        if { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null && ask 2>/dev/null; then
            echo $((${EPOCHREALTIME/[.,]/} - begun))
        else
            echo failed
        fi
        exec 3>&-
    done
}
kept() {
    local begun connected=
    until [ -e "$work/stop" ]; do
        begun=${EPOCHREALTIME/[.,]/}
        if [ -n "$connected" ] || { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; then
            connected=yes
            if ask older 2>/dev/null; then
                echo $((${EPOCHREALTIME/[.,]/} - begun))
            else
                echo failed
                over=yes
            fi
            if [ -n "$over" ]; then
                exec 3>&-
                connected=
            fi
        else
            echo failed
        fi
    done
}

# Runs clients while a command runs, and prints a line of the table for each kind.
under() {
    local name=$1 client jobs=() kind
    shift
    rm -f "$work/stop"
    for client in $(seq "$clients"); do
        each > "$work/each.$client" & jobs+=($!)
        kept > "$work/kept.$client" & jobs+=($!)
    done
    "$@"
    touch "$work/stop"
    wait "${jobs[@]}"
    for kind in each kept; do
        cat "$work/$kind".* | sort -n | awk -v name="$name" -v kind="$kind" '
            BEGIN { label["each"] = "one a connection"; label["kept"] = "on a kept connection" }
            /failed/ { failed++; next } { took[++count] = $1 }
            END { printf "| %s | %s | %d | %d | %.2f ms | %.2f ms | %.2f ms |\n", name, label[kind], count + failed, failed,
                  took[int(count / 2) + 1] / 1000, took[int(count * 0.99) + 1] / 1000, took[count] / 1000 }'
    done
}

upgrade() {
    local count before begun took=()
    for count in $(seq "$upgrades"); do
        before=$pid
        begun=$(now)
        start
        took+=($(($(now) - begun)))
        wait "$before" || { echo "upgrade $count: the old process ended with $?" >&2; exit 1; }
    done
    printf '%s\n' "${took[@]}" | sort -n | awk '{ took[NR] = $1 } END { printf "%.0f ms", took[int(NR / 2) + 1] / 1000 }' > "$work/took"
}

start
begun=$(now)
under "upgraded $upgrades times" upgrade > "$work/upgraded"
lasted=$(($(now) - begun))
echo "| when | requests | sent | failed | median | 99 % | longest |"
echo "|---|---|---|---|---|---|---|"
under "left alone" sleep "$((lasted / 1000000)).$((lasted / 100000 % 10))"
cat "$work/upgraded"
echo
echo "From the start of a new process until it serves: $(cat "$work/took") (median). $(nproc) processors, $routes routes, $clients clients of each kind."
