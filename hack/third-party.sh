#!/usr/bin/env bash
# hack/third-party.sh: makes third_party/<crate>, from what crates.io has published and third_party/patches. Does nothing
# when all is there.
# hack/third-party.sh --audit: looks the crates up among the known vulnerabilities, as published: the tools that do it pass
# over crates that do not come from a registry.
#
# What cargo has in its cache is not fetched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Name, version, SHA-256 of what was published, the feature that is used of it.
crates=(
    "pingora-core 0.9.1 a535f47f65fdcb003f9e1df04cd18e614c128dfe9388acce3f211ae38ac14d68 rustls"
    "pingora-http 0.9.1 3f38e9e519d53fab09eb320f7be2cd27ef9e66f755eba3bd84cc68852108d841"
    "pingora-proxy 0.9.1 8e3d5670490740405ecc8c6f75c3fcbce4d24f7adaffb355ca44550e7918e358 rustls"
)

case ${1:-} in
    '' | --audit) mode=${1:-} ;;
    *) echo "usage: $0 [--audit]" >&2 && exit 2 ;;
esac

# What is there was made by this, from these.
stamp=$(cat hack/third-party.sh third_party/patches/*.patch | sha256sum)
if [ -z "$mode" ] && [ "$(cat third_party/.made 2>/dev/null)" = "$stamp" ]; then
    exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "$mode" = --audit ]; then
    mkdir "$work/src"
    touch "$work/src/lib.rs"
    {
        printf '[package]\nname = "audited"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\n'
        for crate in "${crates[@]}"; do
            read -r name version _ feature <<<"$crate"
            echo "$name = { version = \"=$version\", default-features = false, features = [${feature:+\"$feature\"}] }"
        done
    } >"$work/Cargo.toml"
    cp deny.toml rust-toolchain.toml "$work"
    cd "$work"
    cargo deny check advisories
    exit
fi

# published NAME VERSION SHA256: where the published archive is.
published() {
    local archive
    for archive in "${CARGO_HOME:-$HOME/.cargo}"/registry/cache/*/"$1-$2.crate"; do
        if [ -f "$archive" ] && echo "$3  $archive" | sha256sum --check --status; then
            echo "$archive"
            return
        fi
    done
    return 1
}

# Here, so that rustup fetches the toolchain that is meant; below, cargo is asked where no workspace is.
cargo --version >/dev/null
cp rust-toolchain.toml "$work"

for crate in "${crates[@]}"; do
    read -r name version sum _ <<<"$crate"
    if ! archive=$(published "$name" "$version" "$sum"); then
        # It fetches the archive to know it.
        (cd "$work" && cargo info --quiet --color never "$name@$version" >/dev/null) || {
            echo "third-party: $name $version cannot be fetched from crates.io, which is needed once" >&2
            exit 1
        }
        archive=$(published "$name" "$version" "$sum") || {
            echo "third-party: what crates.io has as $name $version has another checksum than hack/third-party.sh" >&2
            exit 1
        }
    fi
    tar -xzf "$archive" -C "$work"
    mv "$work/$name-$version" "$work/$name"
done

for patch in third_party/patches/*.patch; do
    # A hook may have said which repository is meant; here, none is.
    env -u GIT_DIR -u GIT_WORK_TREE -u GIT_INDEX_FILE git -C "$work" apply --whitespace=nowarn "$PWD/$patch" || {
        echo "third-party: $patch does not apply to what was published: write it anew" >&2
        exit 1
    }
done

rm -f third_party/.made
for crate in "${crates[@]}"; do
    read -r name _ <<<"$crate"
    # Files that are the same keep their times, and cargo builds nothing anew for them.
    (cd "$work/$name" && find . -type f) | while read -r file; do
        if ! cmp -s "$work/$name/$file" "third_party/$name/$file"; then
            mkdir -p "third_party/$name/$(dirname "$file")"
            # With the time of now: that of the archive is older than anything that was ever built.
            cp --no-preserve=timestamps "$work/$name/$file" "third_party/$name/$file"
        fi
    done
    # What was published or patched before, and is no more.
    (cd "third_party/$name" && find . -type f) | while read -r file; do
        [ -e "$work/$name/$file" ] || rm "third_party/$name/$file"
    done
done
echo "$stamp" >third_party/.made
