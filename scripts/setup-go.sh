#!/usr/bin/env bash
# Brings Go where the machine has none, or one that cannot build the guest agent: the toolchain module, into .tools/go.
#
# Usage: scripts/setup-go.sh     quick when a Go that fits is there; it comes from the Go module proxy ($GOPROXY, or the
# one that an older Go knows)
set -euo pipefail
cd "$(dirname "$0")/.."

version=1.26.8
# Of the module's zip file: the checksum database can only be asked by a Go that is there already.
sha256=30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7
target=.tools/go

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# True when the first version is at least the second.
is_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

wanted=$(sed -n 's/^go //p' guest/go.mod)
own=$(PATH="$PWD/$target/bin:$PATH" GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//' || true)
if [ -n "$own" ] && is_at_least "$own" "$wanted"; then exit 0; fi
# A Go of 1.21 or later brings the version that go.mod names by itself, unless it was told not to.
if [ -n "$own" ] && is_at_least "$own" 1.21 && (cd guest && go list -m >/dev/null 2>&1); then exit 0; fi

proxy=${GOPROXY:-$(GOTOOLCHAIN=local go env GOPROXY 2>/dev/null || true)}
proxy=${proxy%%[,|]*}
case $proxy in
  '' | direct) fail "Go ${wanted} or newer is missing: install golang-go, or set GOPROXY to a Go module proxy and run make setup again" ;;
  off) fail "Go ${wanted} or newer is missing, and GOPROXY=off forbids to fetch it: install it from go.dev/dl" ;;
esac
has=${own:+only Go $own}
say "fetching Go $version (72 MB) from $proxy: $wanted or newer is needed, and this machine has ${has:-no Go}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
curl -fsSL --retry 3 --connect-timeout 10 -o "$work/go.zip" \
  "${proxy%/}/golang.org/toolchain/@v/v0.0.1-go$version.linux-amd64.zip" ||
  fail "Go could not be fetched: install Go $wanted or newer (go.dev/dl, or your distribution's golang-go) and run make setup again"
echo "$sha256  $work/go.zip" | sha256sum --check --status || fail "what $proxy sent for Go $version is not what it should be"
mkdir -p .tools
rm -rf .tools/unpack "$target"
mkdir .tools/unpack
busybox unzip -q "$work/go.zip" -d .tools/unpack
mv .tools/unpack/golang.org/toolchain@* "$target"
rm -rf .tools/unpack
# The zip files of modules carry no modes.
chmod +x "$target"/bin/* "$target"/pkg/tool/linux_amd64/*
say "Go $version is in $target"
