#!/usr/bin/env bash
# Installs what pyro and its tests need and builds it; quick when everything is there already.
#
# What it changes: Debian packages (as root, or by sudo), node_modules/, .tools/, dist/ and pyro's cache of this user.
# Afterwards neither `make check` nor `make demo` needs a network.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    command -v sudo >/dev/null || fail "this needs root, and sudo is not installed: $*"
    sudo "$@"
  fi
}

[ "$(uname -sm)" = 'Linux x86_64' ] || fail "pyro runs on Linux x86_64, this is $(uname -sm)"

packages=(
  qemu-system-x86 qemu-utils e2fsprogs squashfs-tools mmdebstrap git util-linux # what pyro calls
  cpio kmod zstd curl ca-certificates                                          # what builds the guest kit
  docker-registry busybox-static attr shellcheck xz-utils openssh-client       # what the tests and gates use
)
command -v npm >/dev/null || packages+=(npm)
# Too old in Debian 12, but it knows a module proxy, which has a newer one: see setup-go.sh.
[ -n "${GOPROXY:-}" ] || [ -x .tools/go/bin/go ] || command -v go >/dev/null || packages+=(golang-go)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || fail "this is no Debian system; install by hand: ${missing[*]}"
  say "installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

install_packages() {
  npm ci --no-audit --no-fund --loglevel=error
  # npm may hold back install scripts; this one brings Node itself.
  [ -x node_modules/node/bin/node ] || (cd node_modules/node && node installArchSpecificPackage)
}
stamp=node_modules/.pyro-setup
if [ "$(cat "$stamp" 2>/dev/null)" != "$(sha256sum package-lock.json)" ]; then
  say 'installing npm packages into node_modules (Node among them)'
  machines=$(node --version 2>/dev/null || true)
  install_packages
  # npm leaves out what the Node that runs it is too old for, whichever will use it: then npm runs in ours once more.
  if [ -n "$(node_modules/node/bin/node scripts/left-out.ts)" ]; then
    own=$(mktemp -d)
    trap 'rm -rf "$own"' EXIT
    cp node_modules/node/bin/node "$own"
    say "installing them again with Node $("$own/node" --version), since npm left some out for $machines"
    # Where Debian keeps the parts of its npm, which only its own Node knows.
    NODE_PATH=/usr/share/nodejs:/usr/lib/nodejs NODE_OPTIONS=--no-deprecation PATH=$own:$PATH install_packages
    left_out=$(node_modules/node/bin/node scripts/left-out.ts)
    [ -z "$left_out" ] || fail "npm did not install $left_out"
  fi
  sha256sum package-lock.json >"$stamp"
fi

scripts/setup-go.sh
export PATH="$PWD/node_modules/node/bin:$PWD/node_modules/.bin:$PWD/.tools/go/bin:$PATH"

say 'building'
node scripts/build.ts
# The kernel of the guest kit is a Debian package; apt must know where it is, unless it has been fetched before.
[ -n "$(find /var/lib/apt/lists -name '*Packages*' -print -quit 2>/dev/null)" ] || as_root apt-get update -qq
(cd guest && go mod download)
guest/kit/build.sh dist/guest
# Packages that tests unpack and never install. The tests skip what is not there.
get_packages() {
  local folder=$1 package
  shift
  mkdir -p "$folder"
  for package in "$@"; do
    [ -z "$(find "$folder/" -name "${package}_*.deb" -print -quit)" ] || continue
    (cd "$folder" && apt-get -qq -o APT::Sandbox::User=root download "$package") || say "no package $package; tests that need it will skip"
  done
}
# Programs that tests drive in the shell of a guest; debian:12 lacks them.
get_packages .tools/debs less vim-tiny python3.11-minimal libpython3.11-minimal
# The SSH server that guests log in to.
get_packages .tools/ssh openssh-server libwrap0
if ! bin/pyro env inspect debian:12 --json | grep -q '"installed": true'; then
  say 'getting the debian:12 environment'
  bin/pyro env pull debian:12
fi
say 'done'
