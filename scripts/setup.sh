#!/usr/bin/env bash
# Installs what pyro and its tests need and builds it; quick when everything is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

[ "$(uname -sm)" = 'Linux x86_64' ] || { echo "pyro runs on Linux x86_64, this is $(uname -sm)" >&2; exit 1; }

packages=(qemu-system-x86 qemu-utils e2fsprogs squashfs-tools mmdebstrap docker-registry busybox-static attr shellcheck git cpio kmod zstd ca-certificates util-linux)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || { echo "install by hand: ${missing[*]}" >&2; exit 1; }
  say "installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

command -v npm >/dev/null || { echo 'npm is missing: sudo apt-get install npm' >&2; exit 1; }
command -v go >/dev/null || { echo 'Go is missing (1.24 or newer): install golang-go from your distribution or its backports' >&2; exit 1; }

stamp=node_modules/.pyro-setup
if [ "$(cat "$stamp" 2>/dev/null)" != "$(sha256sum package-lock.json)" ]; then
  say 'installing npm packages'
  # Not `npm ci`: it wants the packages of every other platform in the lock file too, and npm leaves those out.
  npm install --no-save --no-audit --no-fund --loglevel=error
  # npm may hold back install scripts; this one brings Node itself.
  [ -x node_modules/node/bin/node ] || (cd node_modules/node && node installArchSpecificPackage)
  sha256sum package-lock.json >"$stamp"
fi
export PATH="$PWD/node_modules/node/bin:$PWD/node_modules/.bin:$PATH"

say 'building'
node scripts/build.ts
[ -n "$(find /var/lib/apt/lists -name '*Packages*' -print -quit 2>/dev/null)" ] || as_root apt-get update -qq
(cd guest && go mod download)
guest/kit/build.sh dist/guest
if ! bin/pyro env inspect debian:12 --json | grep -q '"installed": true'; then
  say 'getting the debian:12 environment'
  bin/pyro env pull debian:12
fi
say 'done'
