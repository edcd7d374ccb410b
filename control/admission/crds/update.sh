#!/bin/sh
# Regenerates the CRDs in this folder from a release of Gateway API and from our chart, without descriptions.
#
# Usage: ./update.sh [version]        (v1.7.0 where absent)
#
# Needs `go` to fetch the module, and `python3` with PyYAML to read it. `go mod download` may complain that the module
# wants a newer Go: that does not matter, because only files are read from it, and it is unpacked all the same.
set -eu
version="${1:-v1.7.0}"
module="sigs.k8s.io/gateway-api@$version"
here="$(cd "$(dirname "$0")" && pwd)"

(cd "$here" && GOTOOLCHAIN=local go mod download "$module") || echo "go mod download complained; going on with what it left" >&2
source="$(go env GOMODCACHE)/$module/config/crd/experimental"
[ -d "$source" ] || { echo "no CRDs at $source: is $version a release, and can the Go module proxy be reached?" >&2; exit 1; }

# The chart has those of the standard channel, as they are.
chart="$here/../../../charts/lychgate/crds"
for file in "$source"/../standard/gateway.networking.k8s.io_*.yaml; do
    case $file in
        *_vap_*) ;; # no CRD
        *) install -m 644 "$file" "$chart" ;;
    esac
done

exec python3 "$here/strip.py" "$source" "$chart/lychgate.dev_egresspolicies.yaml" \
    "$chart/lychgate.dev_gatewayparameters.yaml" "$here"
