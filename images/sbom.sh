#!/usr/bin/env bash
# images/sbom.sh [FOLDER]: what the images consist of, as CycloneDX: a file for each program, in target/sbom by default.
# Installs cargo-cyclonedx where it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-target/sbom}

hack/third-party.sh
hack/cargo-tool.sh cyclonedx 0.5.9
mkdir -p "$out"
for package in control gateway cli; do
    # It writes beside the manifest, and nowhere else.
    cargo cyclonedx --manifest-path "$package/Cargo.toml" --format json --spec-version 1.5 --override-filename "sbom-$$" --quiet
    mv "$package/sbom-$$.json" "$out/lychgate-$package.cdx.json"
done
# The others of the workspace get one each, too.
find . -name "sbom-$$.json" -not -path './target/*' -delete
ls -l "$out"
