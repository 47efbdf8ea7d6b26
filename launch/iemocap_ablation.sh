#!/usr/bin/env bash
# The ablation of docs/results.md: modalities x context x what the adversary separates.
# Takes up what an earlier call left unfinished.
set -euo pipefail

if [[ $# -ne 2 ]]; then
  echo "usage: $0 FEATURE_TABLE WORKDIR" >&2
  exit 2
fi
runs=()
for context in True False; do
  for modalities in acoustic lexical acoustic,lexical; do
    run="$2/${modalities/,/+}$([[ $context == True ]] && echo '' || echo ' alone')"
    quoted="('${modalities/,/\',\'}',)"
    dann-train --config="$(dirname "$0")/../configs/lian2019.py:ablation" \
      --workdir="$run" --config.data.source="$1" \
      --config.data.modalities="$quoted" --config.encoder.context="$context"
    runs+=("$run")
  done
done
dann-report --compare "${runs[@]}"
