#!/usr/bin/env bash
# The ablation of docs/results.md: modalities x context x what the adversary separates.
# Takes up what an earlier call left unfinished. Further arguments go to dann-train.
set -euo pipefail

if [[ $# -lt 2 ]]; then
  echo "usage: $0 FEATURE_TABLE WORKDIR [--config.KEY=VALUE ...]" >&2
  exit 2
fi
table=$1 workdir=$2
shift 2
config="$(dirname "$0")/../configs/lian2019.py:ablation"

runs=()
train() { # NAME MODALITIES CONTEXT [FLAG ...]
  local run="$workdir/$1"
  dann-train --config="$config" --workdir="$run" --config.data.source="$table" \
    --config.data.modalities="$2" --config.encoder.context="$3" "${@:4}"
  runs+=("$run")
}
train both-context "('acoustic', 'lexical')" True "$@"
train lexical-context "('lexical',)" True "$@"
train acoustic-context "('acoustic',)" True "$@"
train both-alone "('acoustic', 'lexical')" False "$@"
train lexical-alone "('lexical',)" False "$@"
train acoustic-alone "('acoustic',)" False "$@"
dann-report --compare "${runs[@]}"
