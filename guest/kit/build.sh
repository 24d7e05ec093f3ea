#!/usr/bin/env bash
# Builds the guest kit: Debian's cloud kernel, and an initramfs with the agent and the modules it loads.
# Usage: kit/build.sh [OUTPUT-FOLDER]
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$here/../dist/guest}
cache=${PYRO_KIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pyro/kit-build}
wanted_modules=(virtio virtio_ring virtio_mmio virtio_console virtio_blk virtio-rng overlay squashfs libcrc32c crc32c_generic tun)
agent_version=$(node -p "require('$here/../package.json').version" 2>/dev/null || echo dev)
mkdir -p "$out" "$cache"

find_package() {
  local cached
  cached=$(find "$cache" -maxdepth 1 -name 'linux-image-*-cloud-amd64_*.deb' | sort -V | tail -n 1)
  if [ -n "$cached" ]; then
    printf '%s\n' "$cached"
    return
  fi
  local name
  name=$(apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
  [ -n "$name" ] || { echo 'no package linux-image-cloud-amd64: run apt-get update, on Debian 12' >&2; exit 1; }
  (cd "$cache" && apt-get -o APT::Sandbox::User=root download "$name" >&2)
  find "$cache" -maxdepth 1 -name "${name}_*.deb" | sort -V | tail -n 1
}

package=$(find_package)
inputs=$( (cd "$here" && find . -name '*.go' -o -name 'go.*' -o -name build.sh | LC_ALL=C sort | xargs sha256sum; basename "$package"; go version; echo "$agent_version") | sha256sum | cut -d' ' -f1)
if [ -f "$out/kit.json" ] && [ "$(cat "$out/.inputs" 2>/dev/null)" = "$inputs" ]; then
  echo "guest kit is up to date"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dpkg-deb -x "$package" "$work/package"
release=$(basename "$work"/package/boot/vmlinuz-* | sed 's/^vmlinuz-//')
modules=$work/package/lib/modules/$release
depmod -b "$work/package" "$release"

root=$work/root
mkdir -p "$root"/{modules,proc,sys,dev,run}
order=$root/modules/order
: >"$order"
add_module() {
  local path=$1 file
  file=$(basename "$path")
  grep -qx "$file" "$order" && return
  local dependency
  for dependency in $(sed -n "s|^$path: *||p" "$modules/modules.dep" | tr ' ' '\n' | tac); do
    add_module "$dependency"
  done
  install -m 0644 "$modules/$path" "$root/modules/$file"
  echo "$file" >>"$order"
}
for module in "${wanted_modules[@]}"; do
  path=$(grep -oE "^[^:]*/${module//[-_]/[-_]}\.ko" "$modules/modules.dep" || true)
  if [ -z "$path" ]; then
    grep -qE "/${module//[-_]/[-_]}\.ko" "$modules/modules.builtin" && continue
    echo "the kernel has no module $module" >&2
    exit 1
  fi
  add_module "$path"
done

(cd "$here" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -ldflags "-s -w -X main.version=$agent_version" -o "$root/init" ./cmd/agent)
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . -print0 | LC_ALL=C sort -z | cpio --null --quiet --create --format=newc --owner=0:0 --reproducible) |
  zstd -q -19 -T1 >"$work/initramfs.img"

install -m 0644 "$work/package/boot/vmlinuz-$release" "$out/vmlinuz"
install -m 0644 "$work/initramfs.img" "$out/initramfs.img"
kernel_sha=$(sha256sum "$out/vmlinuz" | cut -d' ' -f1)
initramfs_sha=$(sha256sum "$out/initramfs.img" | cut -d' ' -f1)
cat >"$out/NOTICE" <<NOTICE
This folder holds the Linux kernel $release as Debian builds it (package
$(dpkg-deb -f "$package" Package), version $(dpkg-deb -f "$package" Version)), under the GNU General Public License, version 2.
Its modules in initramfs.img are part of the same package. The source is Debian's source package
'linux' of the same version: apt-get source linux=$(dpkg-deb -f "$package" Version), also kept on snapshot.debian.org.
The agent in initramfs.img is part of pyro (MIT) and contains the Go runtime and golang.org/x/sys
(BSD 3-clause, Copyright The Go Authors).
NOTICE
cat >"$out/kit.json" <<JSON
{
  "kit_version": 1,
  "kernel_release": "$release",
  "kernel_package": "$(dpkg-deb -f "$package" Package)",
  "kernel_package_version": "$(dpkg-deb -f "$package" Version)",
  "kernel_sha256": "$kernel_sha",
  "initramfs_sha256": "$initramfs_sha",
  "digest": "$(printf '%s%s' "$kernel_sha" "$initramfs_sha" | sha256sum | cut -d' ' -f1)",
  "kernel_bytes": $(stat -c %s "$out/vmlinuz"),
  "initramfs_bytes": $(stat -c %s "$out/initramfs.img"),
  "agent_version": "$agent_version"
}
JSON
echo "$inputs" >"$out/.inputs"
echo "guest kit: kernel $release $(du -h "$out/vmlinuz" | cut -f1), initramfs $(du -h "$out/initramfs.img" | cut -f1)"
