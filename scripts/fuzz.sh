#!/usr/bin/env bash
# Every fuzz target of the host, two at a time, and then every one of the guest's agent, each for so many seconds.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PATH="$PWD/node_modules/node/bin:$PWD/node_modules/.bin:$PWD/.tools/go/bin:$PATH"
seconds=${FUZZ_SECONDS:-10}
seed=${FUZZ_SEED:-1}
failed=0
# One process for each: what V8 has to look through for its coverage stays small.
node fuzz/run.ts --list | xargs -P 2 -I TARGET nice node fuzz/run.ts --target TARGET --seconds "$seconds" --seed "$seed" || failed=1
cd guest || exit
while IFS=: read -r file func; do
  nice go test "./$(dirname "$file")" -run '^$' -fuzz "^${func#func }\$" -fuzztime "${seconds}s" -parallel 2 || failed=1
done < <(grep -roE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' .)
exit $failed
