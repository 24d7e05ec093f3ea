#!/usr/bin/env bash
# A step of a CI job: run a check of the checkout in a disposable machine, keep a summary and the patch it made.
#   examples/ci.sh CHECK...    # in a checkout; needs pyro and python3 in PATH
set -euo pipefail
check=${*:-make test}
environment=${PYRO_CI_ENVIRONMENT:-debian:12}
output=${PYRO_CI_OUTPUT:-pyro-report}
mkdir -p "$output"

pyro doctor --environment "$environment" || { echo 'this runner cannot start guests' >&2; exit 1; }
pyro workspace create "$environment" --seed-path . --name ci --json >"$output/workspace.json"
id=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["workspace_id"])' <"$output/workspace.json")
trap 'pyro workspace delete "$id" >/dev/null' EXIT

status=0
pyro workspace exec "$id" --timeout-seconds 1800 -- "$check" || status=$?
pyro workspace summary "$id" >"$output/summary.md"
pyro workspace diff "$id" >"$output/changes.patch"
echo "exit code $status; report in $output" >&2
exit "$status"
