#!/usr/bin/env bash
# The real chat hosts against this checkout: installs them once into a cache, then runs test/hosts without a network.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/node/bin:$PWD/node_modules/.bin:$PATH"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pyro-test-hosts
hosts=(claude:@anthropic-ai/claude-code@2.1.331 codex:@openai/codex@0.169.0 opencode:opencode-ai@1.18.33)

say() { printf 'test-hosts: %s\n' "$*"; }

# Install scripts may be held back by npm; both of these only put the right binary in its place.
finish_install() {
  local script
  for script in node_modules/@anthropic-ai/claude-code/install.cjs node_modules/opencode-ai/postinstall.mjs; do
    if [ -f "$1/$script" ]; then (cd "$1/$(dirname "$script")" && node "$(basename "$script")") >/dev/null || true; fi
  done
}

mkdir -p "$cache"
for host in "${hosts[@]}"; do
  program=${host%%:*} package=${host#*:}
  folder=$cache/$program-${package##*@}
  [ -e "$folder/installed" ] && continue
  say "installing $package (several hundred MB)"
  rm -rf "$folder" && mkdir -p "$folder" && echo '{"private":true}' >"$folder/package.json"
  if ! npm install --prefix "$folder" --save-exact --no-audit --no-fund --loglevel=error "$package" >"$folder/npm.log" 2>&1; then
    say "$package cannot be installed here: $(tail -n 1 "$folder/npm.log")"
    continue
  fi
  "$folder/node_modules/.bin/$program" --version >/dev/null 2>&1 || finish_install "$folder"
  if "$folder/node_modules/.bin/$program" --version >"$folder/installed" 2>&1; then
    say "$program $(cat "$folder/installed")"
  else
    say "$package does not run here: $(tail -n 1 "$folder/installed")"
    rm -f "$folder/installed"
  fi
done

# The turns need guests with state of their own; where none can run, those tests say so and are skipped.
export PYRO_TEST_HOSTS=$cache
if [ -z "${PYRO_HOME:-}" ]; then
  export PYRO_HOME=$cache/pyro-home
  mkdir -p "$PYRO_HOME/cache"
  for part in environments refs blobs; do
    from=${XDG_CACHE_HOME:-$HOME/.cache}/pyro/$part
    if [ -d "$from" ] && [ ! -e "$PYRO_HOME/cache/$part" ]; then cp -r --reflink=auto "$from" "$PYRO_HOME/cache/$part"; fi
  done
fi
say 'making the environment warm'
bin/pyro prepare debian:12 || unset PYRO_HOME
offline=(env)
if unshare -rn true 2>/dev/null; then
  offline=(unshare -n)
  [ "$(id -u)" = 0 ] || offline=(unshare -rn)
  say 'without a network but loopback'
else
  say 'this machine does not let us take the network away; the hosts are told not to use it'
fi
exec "${offline[@]}" bash -c 'ip link set lo up 2>/dev/null || true; exec "$@"' - \
  vitest run --config vitest.hosts.config.ts "$@"
