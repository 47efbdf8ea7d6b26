#!/usr/bin/env bash
# Prepare the corpora and run every system of the README's table on them.
#
# usage: launch/systems.sh [--quick] [--dry-run] DATA WORKDIR [-- FLAGS OF dann-train]
#
# DATA holds emodb, emovo, urdu, ravdess, ased, fsdd (audio with manifests) and iemocap (a
# feature table). What an earlier call finished or began is taken up.
#
#   --quick      one seed and two epochs: whether everything runs, not how well
#   --dry-run    print the commands and run nothing
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=steps.sh
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

quick=()
while (($#)); do
  case $1 in
    --quick) quick=(--config.seeds=1 --config.timetable.epochs=2) ;;
    --dry-run) dry_run=1 ;;
    --help | -h) show_help && exit ;;
    -*) misused "unknown argument $(quoted "$1")" ;;
    *) break ;;
  esac
  shift
done
(($# >= 2)) || misused "give the folder of the corpora and one to work in"
data=$(absolute "$1") work=$(absolute "$2")
shift 2
if (($#)); then
  [[ $1 == -- ]] || misused "unknown argument $(quoted "$1")"
  shift
fi
stores=$work/stores
configs=$(absolute "$(dirname "${BASH_SOURCE[0]}")/../configs")

prepare() { # NAME CORPORA FEATURES [ARGUMENTS OF THE FEATURES]
  local sources="" corpus
  for corpus in ${2//,/ }; do
    sources+=${sources:+,}$data/${corpus/manifest/${5:-$corpus}}
  done
  step "preparing $1" dann-prepare --name="$1" --corpus="$2" --source="$sources" \
    --features="$3" --feature_args="${4:-{\}}" --data_dir="$stores"
}

train() { # RUN CONFIG SOURCE [FLAG ...]
  step "the run $1" dann-train --config="$configs/$2" --workdir="$work/$1" \
    --config.data.source="$3" "${@:4}" ${quick[@]+"${quick[@]}"} \
    ${more[@]+"${more[@]}"}
}
more=("$@")

prepare emodb emodb functionals,logmel '{"logmel": {"n_mels": 40, "hop": 0.02}}'
prepare languages emodb,emovo,urdu,ravdess functionals
prepare speakers emodb,emovo,urdu,ravdess,manifest functionals '{}' ased
prepare digits manifest waveform '{"waveform": {"sample_rate": 8000}}' fsdd

train lian2019 lian2019.py "$data/iemocap"
train cai2020 cai2020.py:emotion "$stores/languages"
train zhou2018 zhou2018.py:5 "$stores/languages"
train tripathi2018 tripathi2018.py "$stores/digits"
train tu2019 tu2019.py:emodb "$stores/emodb"
train tu2019-crossgrad tu2019.py:emodb-crossgrad "$stores/emodb"
train wang2020 wang2020.py "$stores/speakers" --config.seeds=2 \
  --config.timetable.epochs=10
train wang2020-mmd wang2020.py:mmd "$stores/speakers" --config.seeds=2 \
  --config.timetable.epochs=10
train latif2022 latif2022.py "$stores/languages"
train lu2024 lu2024.py:emodb "$stores/emodb" \
  --config.data.modalities="('functionals',)"
train li2021 li2021.py:script-impro "$data/iemocap"
train dimensions dimensions.py "$data/iemocap"
