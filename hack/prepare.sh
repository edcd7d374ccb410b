#!/usr/bin/env bash
# Installs what a fresh Debian or Ubuntu lacks to build Lychgate. Does nothing when all is there.
#
#   cc           the C parts of aws-lc (TLS), zstd and jemalloc
#   cmake, make  zlib-ng, which Pingora brings and which builds with nothing else; make for jemalloc, too
#   cargo        by rustup, which then fetches the version that rust-toolchain.toml names
#   curl         brings rustup, and is a client in tests
#   ip, nft      networks that tests make, where that is allowed: as root
#   third_party  crates of others, as published, with patches of ours (hack/third-party.sh)
#
# Not needed: nasm, Go, Perl, clang, OpenSSL, protoc.
set -euo pipefail

packages=()
command -v cc >/dev/null || packages+=(gcc libc6-dev)
command -v cmake >/dev/null || packages+=(cmake)
command -v make >/dev/null || packages+=(make)
command -v git >/dev/null || packages+=(git)
command -v curl >/dev/null || packages+=(curl ca-certificates)
if ((EUID == 0)) && command -v apt-get >/dev/null; then
    # Elsewhere the tests that want them say that they are skipped.
    command -v ip >/dev/null || packages+=(iproute2)
    command -v nft >/dev/null || packages+=(nftables)
fi
need_rust=0
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
if ! command -v cargo >/dev/null; then
    need_rust=1
fi

if ((${#packages[@]})); then
    if ! command -v apt-get >/dev/null; then
        echo "prepare: please install ${packages[*]} (or what your system calls them), and try again" >&2
        exit 1
    fi
    as_root=()
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "prepare: ${packages[*]} are missing, and there is no sudo: as root, run apt-get install ${packages[*]}" >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    echo "prepare: installing ${packages[*]}" >&2
    # A fresh machine has no package lists.
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

if ((need_rust)); then
    echo "prepare: installing Rust with rustup" >&2
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
        sh -s -- -y --quiet --profile minimal --default-toolchain none --no-modify-path
fi

"$(dirname "${BASH_SOURCE[0]}")/third-party.sh"
