#!/usr/bin/env bash
# What `make test-tracing` does: brings a Jaeger (a Go module, built here) and a Zipkin (a jar of Maven Central), once, and
# runs the gateway against both. The test starts and ends them, on ports of loopback that are free.
#
# It needs go, java and mvn; the first run takes some minutes and 1 GB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

jaeger_version=v1.76.0
zipkin_version=3.5.1

for tool in go java mvn; do
    if ! command -v "$tool" >/dev/null; then
        echo "test-tracing: $tool is missing; on Debian: apt-get install golang-go default-jre-headless maven" >&2
        exit 1
    fi
done

cache=${XDG_CACHE_HOME:-$HOME/.cache}/lychgate/tracing
mkdir -p "$cache"
jaeger=$cache/jaeger-$jaeger_version
zipkin=$cache/zipkin-server-$zipkin_version-exec.jar

if [[ ! -x $jaeger ]]; then
    echo "test-tracing: building Jaeger $jaeger_version (some minutes, once)" >&2
    module=$(mktemp -d)
    trap 'rm -rf "$module"' EXIT
    (
        cd "$module"
        go mod init lychgate.dev/hack/jaeger
        go get -tool "github.com/jaegertracing/jaeger/cmd/jaeger@$jaeger_version"
        go build -o "$jaeger.part" github.com/jaegertracing/jaeger/cmd/jaeger
    ) >"$cache/jaeger.log" 2>&1 || { tail -20 "$cache/jaeger.log" >&2; exit 1; }
    mv "$jaeger.part" "$jaeger"
fi

if [[ ! -f $zipkin ]]; then
    echo "test-tracing: fetching Zipkin $zipkin_version" >&2
    mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
        "-Dartifact=io.zipkin:zipkin-server:$zipkin_version:jar:exec" "-DoutputDirectory=$cache" >&2
fi

JAEGER=$jaeger ZIPKIN=$zipkin cargo test --locked --package lychgate-cli --test cli -- --ignored --nocapture tracing::
