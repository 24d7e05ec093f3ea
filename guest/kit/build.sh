#!/usr/bin/env bash
# Builds the guest kit: Debian's cloud kernel, and an initramfs with the agent and the modules it loads.
#
# Usage: kit/build.sh [OUTPUT-FOLDER]      builds into OUTPUT-FOLDER (default: ../dist/guest)
#        kit/build.sh --verify             builds twice in different folders and compares the bytes
#
# PYRO_KIT_CACHE holds the downloaded kernel package (default: $XDG_CACHE_HOME/pyro/kit-build).
# PYRO_KIT_TAGS are build tags of the agent, for tests (default: none).
# PYRO_VERSION is the agent's version (default: that of ../package.json).
set -euo pipefail
umask 022
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# The Go that make setup brings where the machine has none.
export PATH="$here/../.tools/go/bin:$PATH"
cache=${PYRO_KIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pyro/kit-build}
kit_version=1
# Loaded before the port to the host is opened; each comes after what it needs.
early_modules=(virtio_mmio virtio_console virtio_blk)
# Loaded while the host already talks to the agent.
late_modules=(virtio-rng squashfs overlay libcrc32c crc32c_generic tun)

fail() {
  echo "kit/build.sh: $*" >&2
  exit 1
}

# The newest cached package, else a download. A second run needs no network.
find_package() {
  local cached name
  cached=$(find "$cache" -maxdepth 1 -name 'linux-image-*-cloud-amd64_*.deb' | sort -V | tail -n 1)
  if [ -z "$cached" ]; then
    name=$(apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
    [ -n "$name" ] || fail 'apt knows no package linux-image-cloud-amd64; run apt-get update on a Debian system'
    (cd "$cache" && apt-get -o APT::Sandbox::User=root download "$name" >&2)
    cached=$(find "$cache" -maxdepth 1 -name "${name}_*.deb" | sort -V | tail -n 1)
    [ -n "$cached" ] || fail "apt-get downloaded no $name"
  fi
  printf '%s\n' "$cached"
}

sha256_of() { sha256sum "$1" | cut -d' ' -f1; }

# One hash over all that the kit is made of, this script included.
hash_inputs() {
  {
    cd "$here"
    find . \( -name '*.go' ! -name '*_test.go' -o -name 'go.mod' -o -name 'go.sum' -o -path './kit/*' \) -type f -print0 | sort -z | xargs -0 sha256sum
    basename "$package"
    stat -c %s "$package"
    go version
    echo "$agent_version" "${PYRO_KIT_TAGS:-}"
  } | sha256sum | cut -d' ' -f1
}

is_up_to_date() {
  local file
  [ "$(cat "$out/.inputs" 2>/dev/null)" = "$1" ] || return 1
  for file in vmlinuz initramfs.img confine kit.json NOTICE; do
    [ -s "$out/$file" ] || return 1
  done
}

# Copies a module and, before it, what it needs, and lists them in a file of the modules folder.
add_module() {
  local name=$1 list=$2 pattern line path dependencies index
  pattern=${name//[-_]/[-_]}
  line=$(grep -E "^([^:]*/)?$pattern\.ko:" "$modules/modules.dep" || true)
  if [ -z "$line" ]; then
    grep -qE "/$pattern\.ko$" "$modules/modules.builtin" || fail "the kernel has no module $name"
    return 0
  fi
  path=${line%%:*}
  grep -qxF "$(basename "$path")" "$root/modules/order" "$root/modules/late" && return 0
  # modules.dep names what a module needs nearest first.
  read -r -a dependencies <<<"${line#*:}"
  for ((index = ${#dependencies[@]} - 1; index >= 0; index--)); do
    add_module "$(basename "${dependencies[index]}" .ko)" "$list"
  done
  install -m 0644 "$modules/$path" "$root/modules/"
  basename "$path" >>"$root/modules/$list"
}

make_initramfs() {
  local module
  mkdir -p "$root/modules" "$root/proc" "$root/sys" "$root/dev"
  : >"$root/modules/order"
  : >"$root/modules/late"
  for module in "${early_modules[@]}"; do add_module "$module" order; done
  for module in "${late_modules[@]}"; do add_module "$module" late; done
  # What the agent counts on without a module.
  for module in ext4 jbd2; do
    grep -q "/$module\.ko$" "$modules/modules.builtin" || fail "$module is not built into kernel $release"
  done
  (cd "$here" && CGO_ENABLED=0 GOOS=linux GOARCH=amd64 GOFLAGS=-mod=readonly go build -buildvcs=false -trimpath \
    -tags "${PYRO_KIT_TAGS:-}" -ldflags "-s -w -buildid= -X main.version=$agent_version" -o "$root/init" ./cmd/agent)
  find "$root" -type d -exec chmod 0755 {} +
  find "$root" -exec touch -h -d @0 {} +
  # Not compressed: under emulation the agent answers a tenth sooner than with zstd, and packages are compressed anyway.
  (cd "$root" && find . -print0 | sort -z | cpio --null --quiet --create --format=newc --owner=0:0 --reproducible) \
    >"$out/initramfs.img.new"
}

# Runs on the host, in front of QEMU.
make_launcher() {
  (cd "$here" && CGO_ENABLED=0 GOOS=linux GOARCH=amd64 GOFLAGS=-mod=readonly go build -buildvcs=false -trimpath \
    -ldflags "-s -w -buildid=" -o "$work/confine" ./cmd/confine)
}

write_notice() {
  cat <<NOTICE
This folder holds software under these licences.

Linux kernel $release (vmlinuz, and the modules in initramfs.img)
  GNU General Public License, version 2, with the kernel's system call exception.
  As Debian builds it: package $kernel_package, version $kernel_package_version.
  Source: Debian's source package "linux" of the same version:
    apt-get source linux=$kernel_package_version
  and for good at https://snapshot.debian.org/package/linux/$kernel_package_version/
  The licence: https://www.gnu.org/licenses/old-licenses/gpl-2.0.txt,
  on Debian systems /usr/share/common-licenses/GPL-2.

The agent (/init in initramfs.img) and confine are part of pyro, under pyro's licence (MIT). They contain the Go runtime and
standard library, golang.org/x/sys and golang.org/x/net, under this licence:

NOTICE
  sed 's/^/  /' "$(go env GOROOT)/LICENSE" 2>/dev/null || fail 'the licence of Go is missing from its installation'
}

write_manifest() {
  local kernel_sha initramfs_sha
  kernel_sha=$(sha256_of "$out/vmlinuz")
  initramfs_sha=$(sha256_of "$out/initramfs.img")
  cat <<JSON
{
  "kit_version": $kit_version,
  "kernel_release": "$release",
  "kernel_package": "$kernel_package",
  "kernel_package_version": "$kernel_package_version",
  "kernel_sha256": "$kernel_sha",
  "initramfs_sha256": "$initramfs_sha",
  "digest": "$(printf '%s%s' "$kernel_sha" "$initramfs_sha" | sha256sum | cut -d' ' -f1)",
  "kernel_bytes": $(stat -c %s "$out/vmlinuz"),
  "initramfs_bytes": $(stat -c %s "$out/initramfs.img"),
  "agent_version": "$agent_version"
}
JSON
}

build() {
  local inputs
  out=$1
  package=$(find_package)
  inputs=$(hash_inputs)
  if is_up_to_date "$inputs"; then
    echo "guest kit in $out is up to date"
    return
  fi
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  root=$work/root
  dpkg-deb -x "$package" "$work/package"
  release=$(basename "$work"/package/boot/vmlinuz-* | sed 's/^vmlinuz-//')
  modules=$work/package/lib/modules/$release
  [ -f "$modules/modules.dep" ] || PATH=$PATH:/usr/sbin:/sbin depmod -b "$work/package" "$release"
  kernel_package=$(dpkg-deb -f "$package" Package)
  kernel_package_version=$(dpkg-deb -f "$package" Version)
  mkdir -p "$out"
  rm -f "$out/.inputs"
  make_initramfs
  make_launcher
  # Files appear whole: a guest may be starting from the old ones.
  mv "$out/initramfs.img.new" "$out/initramfs.img"
  install -m 0644 "$work/package/boot/vmlinuz-$release" "$out/vmlinuz.new"
  mv "$out/vmlinuz.new" "$out/vmlinuz"
  install -m 0755 "$work/confine" "$out/confine.new"
  mv "$out/confine.new" "$out/confine"
  write_notice >"$out/NOTICE"
  write_manifest >"$out/kit.json"
  echo "$inputs" >"$out/.inputs"
  rm -rf "$work"
  echo "guest kit: kernel $release $(stat -c %s "$out/vmlinuz") bytes, initramfs $(stat -c %s "$out/initramfs.img") bytes in $out"
}

verify() {
  local folder
  folder=$(mktemp -d)
  (build "$folder/first")
  mkdir "$folder/elsewhere"
  cp -a "$here" "$folder/elsewhere/guest"
  PATH=$PATH PYRO_VERSION=$agent_version "$folder/elsewhere/guest/kit/build.sh" "$folder/elsewhere/second"
  diff -r "$folder/first" "$folder/elsewhere/second" || fail "two builds differ; see $folder"
  rm -rf "$folder"
  echo 'guest kit: two builds in different folders are equal'
}

mkdir -p "$cache"
# Outside of a checkout of the product the agent has no version of its own.
agent_version=${PYRO_VERSION:-$(sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$here/../package.json" 2>/dev/null || true)}
agent_version=${agent_version%%$'\n'*}
agent_version=${agent_version:-dev}
case ${1:-} in
  --verify) verify ;;
  -*) fail "unknown option $1" ;;
  *) build "${1:-$here/../dist/guest}" ;;
esac
