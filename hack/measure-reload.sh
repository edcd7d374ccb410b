#!/usr/bin/env bash
# Measures what a reload costs: from the moment a changed file is in place until the first request that is answered by
# it, and the memory of the process. Prints a table. Needs nothing but bash and a release build.
#
# usage: hack/measure-reload.sh [LYCHGATE]      (default: target/release/lychgate, built if it is not there)
#
# Each case is a directory with one Gateway, 100 Services with an EndpointSlice each, and so many HTTPRoutes (a host, two
# matches, a header filter, a backend each) in so many files. A change writes the file that holds the probed route anew
# and renames it into place; the clock runs from the rename.
set -euo pipefail

cd "$(dirname "$0")/.."
lychgate=${1:-${CARGO_TARGET_DIR:-target}/release/lychgate}
[ -x "$lychgate" ] || cargo build --release -p lychgate-cli
cases=${CASES:-"1/1 1000/1 1000/100 10000/1 10000/100"}
changes=${CHANGES:-20}
port=${PORT:-18080}
admin=$((port + 1))
work=$(mktemp -d)
pid=
# shellcheck disable=SC2317 # called by the trap
finish() { [ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$work"; }
trap finish EXIT

gateway() {
    cat <<YAML
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  gatewayClassName: lychgate
  addresses: [{type: IPAddress, value: 127.0.0.1}]
  listeners: [{name: http, protocol: HTTP, port: $port}]
YAML
    for service in $(seq 0 99); do
        cat <<YAML
---
apiVersion: v1
kind: Service
metadata: {name: s$service, namespace: default}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s$service-1, namespace: default, labels: {kubernetes.io/service-name: s$service}}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1]}]
ports: [{name: http, port: 9}]
YAML
    done
}

# Routes FROM..TO.
routes() {
    seq "$1" "$2" | awk '{ printf "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r%d, namespace: default}\nspec:\n  parentRefs: [{name: gw}]\n  hostnames: [h%d.example.com]\n  rules:\n    - matches:\n        - path: {type: PathPrefix, value: /api/v1}\n        - path: {type: Exact, value: /healthz}\n      filters:\n        - type: RequestHeaderModifier\n          requestHeaderModifier: {set: [{name: x-route, value: \"%d\"}]}\n      backendRefs: [{name: s%d, port: 80}]\n", $1, $1, $1, $1 % 100 }'
}

# The probed route: it answers with a redirect to /VERSION.
probe() {
    cat <<YAML
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: probe, namespace: default}
spec:
  parentRefs: [{name: gw}]
  hostnames: [probe.example.com]
  rules:
    - filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /$1}}}]
YAML
}

# One request; the path of the redirect goes to $answer. A connection each: bash writes line by line, and on a connection
# that is older the kernel would hold the second line back for 40 ms.
ask() {
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET / HTTP/1.1\r\nHost: probe.example.com\r\nConnection: close\r\n\r\n' >&3
    answer=
    while IFS= read -r line <&3; do
        line=${line%$'\r'}
        [ -n "$line" ] || break
        case ${line,,} in location:*) answer=${line##*/} ;; esac
    done
    exec 3>&-
}

now() { echo "${EPOCHREALTIME/[.,]/}"; }
memory() { awk -v what="$1:" '$1 == what { printf "%.1f", $2 / 1024 }' "/proc/$pid/status"; }
ready() { (exec 4<>"/dev/tcp/127.0.0.1/$admin" && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&4 && grep -q '^HTTP/1.. 200' <&4) 2>/dev/null; }

echo "| routes | files | start to ready | write to live: median | slowest of $changes | memory after start | after $changes changes | peak |"
echo "|---|---|---|---|---|---|---|---|"
for case in $cases; do
    count=${case%/*} files=${case#*/}
    dir=$work/$count-$files
    mkdir -p "$dir"
    gateway >"$dir/gateway.yaml"
    # The probe is one of the routes, in the first file.
    each=$((count / files))
    for file in $(seq 1 "$files"); do
        from=$(((file - 1) * each + 1)) to=$((file * each))
        [ "$file" -eq 1 ] && from=$((from + 1))
        routes "$from" "$to" >"$work/rest-$file"
        cp "$work/rest-$file" "$dir/routes-$file.yaml"
    done
    { probe v0; cat "$work/rest-1"; } >"$dir/routes-1.yaml"

    begun=$(now)
    "$lychgate" run --config "$dir" --admin "127.0.0.1:$admin" >"$work/log" 2>&1 &
    pid=$!
    until ready; do
        kill -0 "$pid" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
        sleep 0.01
    done
    started=$((($(now) - begun) / 1000))
    after_start=$(memory VmRSS)
    times=()
    for version in $(seq 1 "$changes"); do
        { probe "v$version"; cat "$work/rest-1"; } >"$work/next"
        # On another file system, a rename would be a copy.
        cp "$work/next" "$dir/.next"
        begun=$(now)
        mv "$dir/.next" "$dir/routes-1.yaml"
        until ask && [ "$answer" = "v$version" ]; do :; done
        times+=($((($(now) - begun) / 100)))
        # Apart from each other, as changes are.
        sleep 0.2
    done
    sorted=$(printf '%s\n' "${times[@]}" | sort -n)
    median=$(sed -n "$(((changes + 1) / 2))p" <<<"$sorted")
    slowest=$(tail -n 1 <<<"$sorted")
    sleep 1.5
    awk -v r="$count" -v f="$files" -v s="$started" -v m="$median" -v w="$slowest" \
        -v a="$after_start" -v b="$(memory VmRSS)" -v p="$(memory VmHWM)" \
        'BEGIN { printf "| %d | %d | %d ms | %.1f ms | %.1f ms | %s MiB | %s MiB | %s MiB |\n", r, f, s, m / 10, w / 10, a, b, p }'
    kill "$pid"
    wait "$pid" 2>/dev/null || true
    pid=
done
