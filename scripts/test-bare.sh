#!/usr/bin/env bash
# Sets pyro up, runs the demo and tests it on a bare Debian 12: a root of its own with Debian's smallest system, git and
# make, an empty home and a fresh clone. Of this machine it gets the kernel, the network and the way to the packages.
#
# Usage: scripts/test-bare.sh [VITEST ARGUMENTS]     without arguments all of `make check`
#   BARE_ROOT=DIR   keep the root there and use it again; otherwise it is removed at the end, also after Ctrl-C
#   BARE_STEPS=…    instead of "setup demo"
#   ORDER=random    tests in random order
set -euo pipefail
cd "$(dirname "$0")/.."

release=bookworm
say() { printf 'test-bare: %s\n' "$*"; }
skip() {
  say "skipped: $*"
  exit 0
}

[ "$(id -u)" = 0 ] || skip 'a root of its own needs root'
for tool in mmdebstrap unshare pivot_root apt-get git; do
  command -v "$tool" >/dev/null || skip "$tool is missing (make setup gets what this needs)"
done
unshare --mount --pid --fork true 2>/dev/null || skip 'this machine does not let us make namespaces'
# shellcheck disable=SC2016 # apt fills these in
mapfile -t sources < <(apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
  grep -E "^deb \S+ $release(-updates|-security)? main$" | sort -u)
[ ${#sources[@]} -gt 0 ] || skip "apt on this machine has no source for Debian 12 (apt-get update reads the lists)"

box=
job=
finish() {
  trap '' INT TERM HUP
  # Everything in there ends with its first process, and with the last of them go its mounts.
  if [ -n "$job" ]; then
    kill -KILL "$job" 2>/dev/null || true
    wait "$job" 2>/dev/null || true
  fi
  if [ -n "$box" ] && [ -z "${BARE_ROOT:-}" ]; then rm -rf --one-file-system "$box"; fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# In a process group of its own, so that a Ctrl-C is ours to handle, and with the usual signals.
run() {
  set -m
  "$@" </dev/null &
  job=$!
  set +m
  local status=0
  wait "$job" || status=$?
  job=
  return "$status"
}

if [ -n "${BARE_ROOT:-}" ]; then
  box=$BARE_ROOT
else
  box=$(mktemp -d /var/tmp/pyro-bare.XXXXXX)
fi
root=$box/root settings=$box/settings
mkdir -p "$settings"

# The way to the packages: apt's proxies, npm's and Go's sources, certificate authorities. Nothing of the home folder else.
apt-config dump | grep -iE '^(Acquire::(http|https|ftp)::|Acquire::Retries)' >"$settings/apt.conf" || true
{ npm config ls -l 2>/dev/null || true; } |
  sed -nE 's/^(registry|cafile|proxy|https-proxy|noproxy|strict-ssl) = /npm_config_\1=/p' | sed -E 's/="(.*)"$/=\1/; /=(null|true|\[.*|)$/d' |
  awk -F= '{ name = $1; gsub("-", "_", name); sub(/^[^=]*/, name); print }' >"$settings/environment"
{ go env -changed GOPROXY GONOPROXY GOSUMDB GONOSUMDB GOPRIVATE GOINSECURE 2>/dev/null || true; } |
  sed -E "s/='(.*)'$/=\1/" >>"$settings/environment"
env | grep -iE '^((https?|all|no)_proxy|npm_config_.*|GO(NO|)(PROXY|SUMDB)|GOPRIVATE|GOINSECURE|PIP_(INDEX_URL|EXTRA_INDEX_URL|CERT|TRUSTED_HOST)|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|CURL_CA_BUNDLE|GIT_SSL_CAINFO|REQUESTS_CA_BUNDLE)=' \
  >>"$settings/environment" || true

if [ ! -d "$root" ]; then
  say "making a bare Debian 12 in $box"
  run mmdebstrap --quiet --mode=root --variant=minbase --include=ca-certificates,git,make \
    --aptopt="$settings/apt.conf" "$release" "$root.new" "${sources[@]}"
  mkdir -p "$root.new/usr/local/share/ca-certificates" "$root.new/home/bare" "$root.new/srv"
  for file in /etc/hosts /etc/resolv.conf /etc/apt/auth.conf /etc/apt/auth.conf.d /usr/local/share/ca-certificates; do
    if [ -e "$file" ]; then cp -rL "$file" "$root.new$(dirname "$file")/"; fi
  done
  cp "$settings/apt.conf" "$root.new/etc/apt/apt.conf.d/99way-to-packages"
  chroot "$root.new" update-ca-certificates >/dev/null
  mv "$root.new" "$root"
fi

[ -z "$(git status --porcelain)" ] || say 'what is not committed stays out'
rm -rf "$root/srv/pyro.new"
git clone -q --no-hardlinks "file://$PWD" "$root/srv/pyro.new"
if [ -d "$root/srv/pyro" ]; then
  git -C "$root/srv/pyro" fetch -q "$PWD" HEAD
  git -C "$root/srv/pyro" checkout -q --force --detach FETCH_HEAD
  rm -rf "$root/srv/pyro.new"
else
  mv "$root/srv/pyro.new" "$root/srv/pyro"
fi

mapfile -t environment <"$settings/environment"
say "in a bare Debian 12: $(git log -1 --format='%h %s')"
# shellcheck disable=SC2016 # for the shells in there
# A chroot would not do: the kernel allows no user namespace in one, and the environments are built in one.
run unshare --mount --pid --fork --kill-child bash -c '
  set -euo pipefail
  cd "$1"
  mount --bind . . && cd "$1"
  mount -t proc proc proc
  mount --rbind /sys sys
  mount --rbind /dev dev
  mount -t tmpfs -o mode=1777 tmpfs dev/shm
  mount -t tmpfs -o mode=755 tmpfs run
  pivot_root . . && umount -l . && cd /srv/pyro
  shift
  exec env -i "$@"
' - "$root" HOME=/home/bare PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
  "${environment[@]}" STEPS="${BARE_STEPS-setup demo}" ORDER="${ORDER:-}" bash -c '
  for step in $STEPS; do make "$step" || exit; done
  [ $# -gt 0 ] || exec make check
  export PATH=$PWD/node_modules/node/bin:$PWD/node_modules/.bin:$PWD/.tools/go/bin:$PATH
  vitest run "$@"
' - "$@"
